"""What runs a model: the same points, the same checks and the same arguments behind every door."""

import copy
import multiprocessing
import os
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import keras
import numpy as np
import pytest
from tiny import SIZE, random_crops, randomize, tiny_lotr

from keras_lotr import FaceDetector, FaceLandmarker, SmoothWing
from keras_lotr.export.exporter import export
from keras_lotr.inference.engine import load_model
from keras_lotr.inference.results import FaceLandmarks
from keras_lotr.preprocessor import Preprocessor
from keras_lotr.running import keras_model, predict_mixin
from keras_lotr.running.keras_model import KerasModel, with_certainty
from keras_lotr.running.predict_mixin import PredictMixin

PHOTO = np.random.default_rng(0).integers(0, 255, (120, 160, 3)).astype(np.uint8)
BOX = (30, 20, 110, 100)


@pytest.fixture(scope="module")
def model():
    return randomize(tiny_lotr(68))


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("preset") / "mine"
    model.save_to_preset(folder)
    export(model, folder / "model.onnx")
    return folder


@pytest.mark.parametrize("engine", ["keras", "onnxruntime", "auto"])
def test_a_named_model(folder, model, engine):
    landmarker = FaceLandmarker(str(folder), engine=engine)
    assert ("onnxruntime" in repr(landmarker)) == (engine != "keras")
    (face,) = landmarker(PHOTO, boxes=BOX)
    (expected,) = FaceLandmarker(model)(PHOTO, boxes=[BOX])
    np.testing.assert_allclose(face.points, expected.points, atol=0.05)


@pytest.mark.parametrize(
    "load",
    [
        lambda folder: FaceLandmarker(folder / "model.onnx"),
        lambda folder: FaceLandmarker.from_preset(folder / "model.onnx", engine="auto"),
        lambda folder: FaceLandmarker.from_onnx(folder),
        lambda folder: FaceLandmarker((folder / "model.onnx").read_bytes(), threads=1),
    ],
)
def test_doors_lead_to_each_other(folder, load):
    assert load(folder)(PHOTO, boxes=BOX)[0].points.shape == (68, 2)


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        ({"engine": "tensorrt"}, "Expected an engine, one of auto, keras, onnxruntime"),
        ({"engine": "onnxruntime", "dtype": "bfloat16"}, "Expected no dtype with onnxruntime"),
        (
            {"engine": "keras", "threads": 2},
            "Expected no threads, providers and precision",
        ),
        ({"providers": ["NoSuchProvider"]}, "Expected providers of onnxruntime"),
        ({"providers": "NoSuchProvider"}, r"Received: \['NoSuchProvider'\]"),
        ({"threads": "4"}, "Expected threads as a whole number from 1.*Received: '4'"),
        ({"threads": -3}, "Expected threads as a whole number from 1.*Received: -3"),
        ({"preprocessor": Preprocessor("wflw98", SIZE)}, "Expected a preprocessor of 68 landmarks"),
        ({"preprocessor": {}}, "scheme"),
        ({"preprocessor": "ibug68"}, "Expected a Preprocessor as preprocessor. Received: 'ibug68'"),
        ({"threshold": 2}, "Expected a threshold of 0..1"),
    ],
    ids=str,
)
def test_wrong_settings(folder, wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        FaceLandmarker(folder, **wrong)(PHOTO)


def test_a_preprocessor_may_be_its_config(folder):
    wanted = Preprocessor("ibug68", SIZE, margin=1.5)
    assert FaceLandmarker(folder, preprocessor=wanted.to_dict()).preprocessor == wanted


def test_rotations_may_be_an_iterator(folder):
    assert FaceLandmarker(folder, rotations=iter([0, 90])).detector.rotations == (0, 90)


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        ({"detector": "retinaface"}, "Expected a face detector: .*Received: 'retinaface'"),
        ({"rotations": 45}, "Expected rotations as a list of some of 0, 90, 180, 270"),
        ({"detector": len, "threshold": 0.5}, "Expected no threshold with a detector that is a"),
    ],
    ids=str,
)
def test_wrong_detectors_are_refused_before_the_first_image(folder, wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        FaceLandmarker(folder, **wrong)


def test_settings_of_a_model_that_is_loaded_already(model):
    with pytest.raises(ValueError, match="for a model that is named only"):
        FaceLandmarker(model, threads=2)


def test_a_clone_of_keras_is_no_landmark_model(model):
    with pytest.raises(TypeError, match=r"LOTR.from_config\(model.get_config\(\)\) copies it"):
        FaceLandmarker(keras.models.clone_model(model))


@pytest.mark.parametrize("engine", ["keras", "onnxruntime"])
@pytest.mark.parametrize(
    "crops, sentence",
    [
        (np.zeros((SIZE, SIZE, 3)), r"one crop without the first axis.*write crop\[None\]"),
        (np.zeros((1, 32, 32, 3)), r"Expected crops \(F, 64, 64, 3\).*shape \(1, 32, 32, 3\)"),
        (np.random.default_rng(0).random((1, SIZE, SIZE, 3)), "multiply crops in 0..1 by 255"),
        (np.full((1, SIZE, SIZE, 3), np.nan), "numbers from nan"),
        (np.full((1, SIZE, SIZE, 3), "x"), "numbers of type"),
    ],
)
def test_crops_that_cannot_be_meant(folder, engine, crops, sentence):
    with pytest.raises(ValueError, match=sentence):
        load_model(folder, engine).predict_points(crops)


def test_generators_of_photos_and_boxes(model):
    landmarker = FaceLandmarker(model)
    found = landmarker((PHOTO for _ in range(3)), boxes=([BOX] for _ in range(3)))
    assert [len(faces) for faces in found] == [1, 1, 1]
    with pytest.raises(ValueError, match="boxes of 1 only"):
        list(landmarker.stream([PHOTO, PHOTO], boxes=iter([[BOX]])))
    with pytest.raises(ValueError, match="each of 1 images. Received: more"):
        list(landmarker.stream([PHOTO], boxes=iter([[BOX], [BOX]])))


@pytest.mark.parametrize("engine", ["keras", "onnxruntime"])
@pytest.mark.parametrize("way", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy])
def test_a_landmarker_that_has_run_can_be_copied(folder, engine, way):
    landmarker = FaceLandmarker(folder, engine=engine)
    landmarker(PHOTO)
    (face,) = landmarker(PHOTO, boxes=BOX)
    (again,) = way(landmarker)(PHOTO, boxes=BOX)
    np.testing.assert_allclose(again.points, face.points, atol=1e-3)


def test_fit_and_predict_points_in_two_threads():
    model = randomize(tiny_lotr(5))
    model.compile("sgd", SmoothWing())
    errors, points = [], np.full((8, 5, 2), 30.0, np.float32)

    def predict():
        try:
            for _ in range(5):
                model.predict_points(random_crops(2))
        except Exception as error:
            errors.append(error)

    class Predicts(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            assert np.isfinite(self.model.predict_points(random_crops(1))).all()

    thread = threading.Thread(target=predict)
    thread.start()
    model.fit(random_crops(8), points, batch_size=2, epochs=3, verbose=0, callbacks=[Predicts()])
    thread.join(60)
    assert not errors and not thread.is_alive()


def test_threads_that_come_first_share_lock_and_network(monkeypatch):
    model, built = randomize(tiny_lotr(5, certainty_dim=8)), []

    def slowly(function):
        def slow(*args):
            built.append(function.__name__)
            time.sleep(0.2)
            return function(*args)

        return slow

    for once in (vars(PredictMixin)["runner"], vars(KerasModel)["_with_certainty"]):
        monkeypatch.setattr(once, "lock", nullcontext(), raising=False)  # as from Python 3.12 on
    monkeypatch.setattr(predict_mixin, "KerasModel", slowly(KerasModel))
    monkeypatch.setattr(keras_model, "with_certainty", slowly(with_certainty))
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(lambda _: model.runner, range(2))
        assert first is second
        for points, _ in threads.map(model.predict_certainty, [random_crops(1)] * 2):
            assert np.isfinite(points).all()
    assert built.count("with_certainty") == 1


def _predict_in_a_fork(model, queue):
    try:
        model.predict_points(random_crops(1))
        queue.put("predicted")
    except RuntimeError as error:
        queue.put(str(error))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_after_a_fork_keras_says_so_instead_of_hanging(model):
    model.predict_points(random_crops(1))
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    process = context.Process(target=_predict_in_a_fork, args=(model, queue))
    process.start()
    process.join(60)
    assert "engine='onnxruntime'" in queue.get()


def test_faces_are_values():
    face = FaceLandmarks(np.ones((2, 2)), (0, 0, 9, 9), 0.5, "plain2", degrees=90.0)
    assert FaceLandmarks.from_dict(face.to_dict()) == face == pickle.loads(pickle.dumps(face))
    assert face != FaceLandmarks(np.ones((2, 2)), (0, 0, 9, 9), 0.5, "plain2")
    assert len(repr(face)) < 120 and "turned by 90 degrees" in repr(face)
    with pytest.raises(ValueError, match="read-only"):
        face.points[0] = 3
    with pytest.raises(ValueError, match="Expected a face with points, box"):
        FaceLandmarks.from_dict({"scheme": "plain2"})


@pytest.mark.parametrize("engine", ["auto", "keras", "onnxruntime"])
def test_a_detector_is_no_landmark_model(engine):
    with pytest.raises(ValueError, match="face_detector is a face detector's|DetectorNetwork"):
        FaceLandmarker("face_detector", engine=engine)
    with pytest.raises(TypeError, match="Received: FaceDetector$"):
        FaceLandmarker(FaceDetector.from_preset())
