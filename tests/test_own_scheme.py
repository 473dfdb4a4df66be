"""A landmark scheme of one's own, from the model over its files to the files of results."""

import json
import pickle
from dataclasses import replace

import keras
import numpy as np
import pytest
from tiny import SIZE, tiny_lotr

from keras_lotr import LOTR, FaceLandmarker, draw
from keras_lotr.conversions import can_convert
from keras_lotr.datasets import read_samples
from keras_lotr.datasets.shard_writing import write_shards
from keras_lotr.evaluation.tables import missing, tables
from keras_lotr.inference.formats import FORMATS, write_entries
from keras_lotr.inference.results import FaceLandmarks
from keras_lotr.inference.saved_results import read_entries
from keras_lotr.landmark_scheme import Contour, LandmarkScheme
from keras_lotr.preprocessor import Preprocessor
from keras_lotr.schemes import get_scheme, named_scheme
from keras_lotr.training.mixture import Group
from keras_lotr.training.recipe import Recipe

EYES, MOUTH = Contour("eyes", (0, 1)), Contour("mouth", (3, 2, 4))
GROUPS = ((0,), (1,), (2,), (3,), (4,))
OWN = LandmarkScheme("mine5", 5, (1, 0, 2, 4, 3), (EYES, MOUTH), (), (0, 1), "outer_eyes", GROUPS)
BOX = [10, 10, 90, 90]


def face(scheme=OWN):
    return FaceLandmarks(np.arange(10).reshape(5, 2), BOX, 0.5, scheme)


@pytest.fixture(scope="module")
def model():
    return tiny_lotr(5, preprocessor=Preprocessor(OWN, SIZE))


def test_a_model_of_it_finds_faces_of_it(model):
    image = np.zeros((100, 100, 3), np.uint8)
    (found,) = FaceLandmarker(model, flip=True)(image, boxes=[BOX])
    assert found.scheme == OWN
    assert found["mouth"].shape == (3, 2)
    assert "(mine5)" in repr(found)
    assert found.pose is None
    assert found.openness == {}
    assert draw(image, [found]).any()
    assert FaceLandmarks.from_dict(json.loads(json.dumps(found.to_dict()))) == replace(
        found, points=found.points.round(3), box=found.box.round(3)
    )


@pytest.mark.parametrize("kind", ["preset", "keras", "pickle"])
def test_a_model_of_it_is_loaded_with_it(model, tmp_path, kind):
    if kind == "preset":
        model.save_to_preset(tmp_path)
        again = LOTR.from_preset(str(tmp_path))
    elif kind == "keras":
        model.save(tmp_path / "model.keras")
        again = keras.saving.load_model(tmp_path / "model.keras")
    else:
        again = pickle.loads(pickle.dumps(model))
    assert again.preprocessor == model.preprocessor
    assert again.preprocessor.scheme == OWN
    assert hash(again.preprocessor) == hash(model.preprocessor)


def test_an_onnx_file_of_it_has_it(model, tmp_path):
    pytest.importorskip("onnx")
    from keras_lotr.export.onnx import export_onnx

    path = tmp_path / "mine.onnx"
    export_onnx(model, path)
    image = np.zeros((100, 100, 3), np.uint8)
    (found,) = FaceLandmarker(path)(image, boxes=[BOX])
    assert found.scheme == OWN


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "pts"])
def test_results_hold_it(tmp_path, kind):
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    entry = {"source": "a.jpg", "width": 9, "height": 9, "faces": [face().to_dict()] * 2}
    path = tmp_path / f"faces.{kind.replace('coco', 'json')}"
    write_entries(path, kind, [entry])
    (again,) = read_entries(path)
    assert FaceLandmarks.from_dict(again["faces"][1]).scheme == OWN


@pytest.mark.parametrize("ending", ["json", "csv", "pts"])
def test_a_face_is_saved(tmp_path, ending):
    face().save(tmp_path / f"face.{ending}")
    assert (tmp_path / f"face.{ending}").stat().st_size


def test_what_it_is_given_as_does_not_matter():
    known = get_scheme("ibug68")
    assert Preprocessor(known.to_config(), 64) == Preprocessor("ibug68", 64)
    assert Preprocessor(json.loads(json.dumps(OWN.to_config())), 64) == Preprocessor(OWN, 64)
    assert face(OWN.to_config()) == face()
    assert Recipe(scheme=OWN.to_config()).scheme == OWN
    assert named_scheme(OWN) is OWN


def test_another_scheme_of_the_same_name_is_another_one():
    other = replace(OWN, flip_order=None)
    assert not can_convert(OWN, other)
    assert not can_convert(replace(OWN, name="ibug68"), "wflw98")


def test_labels_are_read_as_it_and_kept_in_shards(tmp_path):
    from PIL import Image

    Image.new("RGB", (100, 100)).save(tmp_path / "a.png")
    header = ",".join(f"x{i},y{i}" for i in range(5))
    (tmp_path / "faces.csv").write_text(f"image,{header}\na.png,20,20,60,20,40,40,25,60,55,60\n")
    (sample,) = read_samples(tmp_path / "faces.csv", "train", OWN.to_config())
    assert sample.scheme == OWN
    write_shards(tmp_path / "faces.csv", tmp_path / "shards", OWN)
    assert read_samples(tmp_path / "shards", "train", OWN)[0].scheme == OWN


def test_a_group_of_a_mixture_has_it(model):
    from keras_lotr.training.mixture import LOTRMixture

    mixture = LOTRMixture(model, [Group.of_model("mine", model)])
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(mixture)))
    again = keras.saving.deserialize_keras_object(config)
    assert again.groups[0].scheme == OWN


def test_tables_of_results_name_it():
    part = {"faces": 2, "nme": 4.5, "failure_rate": {"8": 0, "10": 0}, "auc": {"8": 50, "10": 60}}
    names = dict.fromkeys(("preset", "data", "split", "normalizer"), "x")
    results = {**part, **names, "scheme": OWN.to_config(), "flip": False}
    results |= {"regions": {"eyes": 2.5}, "subsets": {}}
    assert not missing(results)
    assert tables([results, results]).startswith("**mine5**")


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        ({"name": 5}, "the name of a landmark scheme. Received: 5"),
        ({"num_landmarks": "5"}, "num_landmarks of mine5, 1 or more. Received: '5'"),
        ({"num_landmarks": 6}, r"exactly one region.* Received: \[5\]"),
        ({"contours": (EYES,)}, r"exactly one region.* Received: \[2, 3, 4\]"),
        ({"contours": (EYES, MOUTH, Contour("nose", (2,)))}, r"exactly one region.* \[2\]"),
        ({"contours": (EYES, Contour("mouth", (2, 3, 5)))}, r"0..4 as the landmarks of 'mouth'"),
        ({"contours": ((0, 1),)}, "Contours as contours of mine5"),
        ({"points": None}, "Contours as points of mine5"),
        ({"flip_order": (0, 1)}, "Expected 5 numbers 0..4 as flip_order of mine5"),
        ({"flip_order": (1, 2, 0, 3, 4)}, "that undoes itself"),
        ({"outer_eyes": (0, 9)}, "Expected 2 numbers 0..4 as outer_eyes"),
        ({"five_points": ((0,), (1,))}, "five groups as five_points"),
        ({"five_points": ((0,), (1,), (2,), (3,), ())}, "a group of five_points"),
        ({"normalizer": "eyes"}, "a normalizer, one of"),
        ({"outer_eyes": None}, "the normalizer 'box'"),
    ],
    ids=str,
)
def test_a_scheme_that_does_not_fit_itself(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        replace(OWN, **wrong)
    if "contours" not in wrong:
        config = {**OWN.to_config(), **wrong}
        with pytest.raises(ValueError, match="Expected"):
            LandmarkScheme.from_config(json.loads(json.dumps(config)))
