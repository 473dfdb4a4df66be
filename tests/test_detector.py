"""The face detector's network, what it learns from, and its training."""

import sys
from functools import partial
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from click.testing import CliRunner
from keras import ops
from safetensors.numpy import load_file
from shared_data import YUNET, needs

from keras_lotr.cli import main
from keras_lotr.detector_training import batches, distillation, onnx
from keras_lotr.detector_training.distillation import distill, features_loss, maps_loss
from keras_lotr.detector_training.network import NUM_MAPS, DetectorNetwork
from keras_lotr.detector_training.onnx import export_detector
from keras_lotr.export.check import ExportDiffers
from keras_lotr.images.folders import expand
from keras_lotr.inference.detector_network import STRIDES
from keras_lotr.training.checkpoint import CHECKPOINT, Checkpoint

EXAMPLES = Path(__file__).parents[1] / "examples"
SMALL = {"widths": (4, 4, 4, 4, 4), "depths": (1, 2, 2, 2), "pyramid_width": 4}
PHOTOS = sorted(str(path) for path in EXAMPLES.glob("*.jpg"))


def picture(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


# === Network ===
def test_cells_of_three_strides():
    maps = DetectorNetwork(**SMALL)(picture(2, 64, 96, 3), training=False)
    assert tuple(maps.shape) == (2, 8 * 12 + 4 * 6 + 2 * 3, NUM_MAPS)


def test_size():
    assert DetectorNetwork().count_params() < 300_000


def test_every_layer_has_its_own_name():
    names = [layer.name for layer in DetectorNetwork(**SMALL).layers]
    assert [layer.name for layer in DetectorNetwork(**SMALL).layers] == names


def test_preset_round_trip(tmp_path):
    model = DetectorNetwork(**SMALL)
    model.save_to_preset(tmp_path)
    again = DetectorNetwork.from_preset(tmp_path)
    images = picture(1, 64, 64, 3)
    one, other = (ops.convert_to_numpy(m(images, training=False)) for m in (model, again))
    np.testing.assert_array_equal(one, other)
    assert again.get_config() == model.get_config()


def test_without_weights(tmp_path):
    DetectorNetwork(**SMALL).save_to_preset(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="no model.safetensors"):
        DetectorNetwork.from_preset(tmp_path)


def test_shipped_file_is_the_shipped_network():
    """OpenCV's answers, the same on every backend, are the network's."""
    folder = EXAMPLES.parent / "presets/face_detector"
    image = cv2.imread(str(EXAMPLES / "astronaut.jpg"))[:480, :480]
    network = cv2.dnn.readNetFromONNX(str(folder / "model.onnx"))
    network.setInput(cv2.dnn.blobFromImage(image))
    names = network.getUnconnectedOutLayersNames()
    maps = dict(zip(names, network.forward(names), strict=True))
    expected = DetectorNetwork.from_preset(folder)(image[None, ..., ::-1].copy(), training=False)
    expected = ops.convert_to_numpy(expected)[0]
    score = np.concatenate([maps[f"cls_{s}"].ravel() for s in (8, 16, 32)])
    np.testing.assert_allclose(score, 1 / (1 + np.exp(-expected[:, 0])), atol=1e-4)
    for name, columns in (("bbox", slice(1, 5)), ("kps", slice(5, 15))):
        written = np.concatenate([maps[f"{name}_{s}"][0] for s in (8, 16, 32)])
        np.testing.assert_allclose(written, expected[:, columns], rtol=1e-3, atol=1e-3)


def test_export_has_yunets_outputs(tmp_path):
    export_detector(DetectorNetwork(**SMALL), tmp_path / "model.onnx")
    network = cv2.dnn.readNetFromONNX(str(tmp_path / "model.onnx"))
    kinds = ("cls", "obj", "bbox", "kps")
    names = {f"{kind}_{stride}" for kind in kinds for stride in (8, 16, 32)}
    assert set(network.getUnconnectedOutLayersNames()) == names


def test_wrong_file_is_not_kept(tmp_path, monkeypatch):
    content = onnx._content(DetectorNetwork(**SMALL))
    monkeypatch.setattr(onnx, "_content", lambda model: content)
    with pytest.raises(ExportDiffers, match="to compute 'cls' as the model does"):
        export_detector(DetectorNetwork(**SMALL), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


# === Views ===
def test_views_are_repeatable_and_differ():
    one, same, other = (
        batches.random_view(PHOTOS, 64, np.random.default_rng(s)) for s in (0, 0, 1)
    )
    assert one.shape == (64, 64, 3)
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_lights_are_added_to_half_of_the_views():
    view = picture(64, 64, 3)
    lit = [batches.add_lights(view, np.random.default_rng(seed)) for seed in range(60)]
    changed = [not np.array_equal(one, view) for one in lit]
    assert 20 <= sum(changed) <= 40
    assert all(one.shape == view.shape and one.dtype == np.uint8 for one in lit)


@pytest.mark.parametrize("seed", range(12))
def test_looks_keep_shape_and_kind(seed):
    view = batches.change_look(picture(32, 32, 3), np.random.default_rng(seed))
    assert view.shape == (32, 32, 3)
    assert view.dtype == np.uint8


@needs(YUNET)
def test_teacher_sees_what_opencv_sees():
    image = cv2.imread(str(EXAMPLES / "astronaut.jpg"))[:320, :320]
    detector = cv2.FaceDetectorYN.create(str(YUNET), "", (320, 320), 0.7, 0.3)
    row = detector.detect(image)[1][0]
    maps = batches.Teacher(YUNET)(image[None, ..., ::-1].copy())["cells"][0]
    best = maps[:, 0].argmax()
    assert maps[best, 0] == pytest.approx(row[14], abs=1e-3)
    stride, first, width = (
        (8, 0, 40) if best < 1600 else (16, 1600, 20) if best < 2000 else (32, 2000, 10)
    )
    x, y = (best - first) % width, (best - first) // width
    size = np.exp(maps[best, 3:5]) * stride
    corner = (np.array([x, y]) + maps[best, 1:3]) * stride - size / 2
    np.testing.assert_allclose([*corner, *size], row[:4], atol=0.05)
    eye = (np.array([x, y]) + maps[best, 5:7]) * stride
    np.testing.assert_allclose(eye, row[4:6], atol=0.05)


def test_another_file_is_no_teacher(tmp_path, monkeypatch):
    export_detector(DetectorNetwork(**SMALL), tmp_path / "model.onnx")
    (tmp_path / "text.onnx").write_text("no network at all")
    (tmp_path / "empty.onnx").touch()
    for name in ("model.onnx", "text.onnx", "empty.onnx"):
        sentence = f"Expected face_detection_yunet_2023mar.onnx. Received: .*{name}: "
        with pytest.raises(ValueError, match=sentence):
            batches.Teacher(tmp_path / name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"package onnx: pip install 'keras-lotr\[export\]'"):
        batches.Teacher(tmp_path / "model.onnx")


def test_the_users_data_format_changes_nothing():
    keras.config.set_image_data_format("channels_first")
    try:
        student = distillation.with_features(DetectorNetwork(**SMALL))
    finally:
        keras.config.set_image_data_format("channels_last")
    found = student(np.zeros((1, 64, 64, 3), np.uint8))
    assert {found[name].shape[-1] for name in batches.FEATURES} == {batches.NUM_FEATURES}
    assert found["stride8_unit"].shape[1:3] == (8, 8)


# === Losses ===
def teacher_maps(rng, batch=2, cells=42):
    maps = rng.normal(size=(batch, cells, NUM_MAPS)).astype("float32")
    maps[..., 0] = rng.uniform(0, 1, (batch, cells))
    return maps


def test_maps_loss_is_its_formula():
    rng = np.random.default_rng(0)
    true, pred = teacher_maps(rng), rng.normal(size=(2, 42, NUM_MAPS)).astype("float32")
    total, weights = 0.0, 0.0
    for t, p in zip(true.reshape(-1, NUM_MAPS), pred.reshape(-1, NUM_MAPS), strict=True):
        sigmoid = 1 / (1 + np.exp(-p[0]))
        entropy = -t[0] * np.log(sigmoid) - (1 - t[0]) * np.log(1 - sigmoid)
        total += 3 * (sigmoid - t[0]) ** 2 * entropy
        if t[0] > 0.1:
            weights += t[0]
            side = np.exp((t[3] + t[4]) / 2)
            error = np.abs(t - p)
            boxes, points = error[1:3].sum() / side + error[3:5].sum(), error[5:].sum() / side
            total += t[0] * (boxes + 2 * points)
    loss = float(maps_loss(ops.convert_to_tensor(true), ops.convert_to_tensor(pred)))
    assert loss == pytest.approx(total / (1 + weights), rel=1e-4)


def test_maps_loss_is_nothing_for_the_teacher_itself():
    true = teacher_maps(np.random.default_rng(0))
    pred = true.copy()
    pred[..., 0] = np.log(true[..., 0] / (1 - true[..., 0]))
    loss = float(maps_loss(ops.convert_to_tensor(true), ops.convert_to_tensor(pred)))
    assert loss == pytest.approx(0, abs=1e-5)


def test_features_loss_of_the_mean_is_one():
    rng = np.random.default_rng(0)
    true = (rng.normal(size=(2, 9, 9, 64)) * rng.uniform(1, 9, 64)).astype("float32")
    mean = np.broadcast_to(true.mean((0, 1, 2)), true.shape)
    loss = features_loss(*map(ops.convert_to_tensor, (true, mean.copy())))
    assert float(loss) == pytest.approx(1, abs=1e-4)


# === Training ===
STRIDE_OF_FEATURES = dict(zip(batches.FEATURES, (8, 16, 8, 16, 32), strict=True))


def fake_teacher(path):
    """In place of YuNet: random maps and features, the same for the same images."""

    def maps_of(images):
        rng, (count, size) = np.random.default_rng(int(images.sum())), images.shape[:2]
        maps = {"cells": teacher_maps(rng, count, sum((size // s) ** 2 for s in STRIDES))}
        for name, stride in STRIDE_OF_FEATURES.items():
            shape = (count, size // stride, size // stride, batches.NUM_FEATURES)
            maps[name] = rng.normal(size=shape).astype("float32")
        return maps

    return maps_of


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(distillation, "Teacher", fake_teacher)
    monkeypatch.setattr(distillation, "_STEPS_PER_EPOCH", 2)
    monkeypatch.setattr(distillation, "_VALIDATION_STEPS", 1)
    small = partial(DetectorNetwork, **SMALL)
    small.from_preset = DetectorNetwork.from_preset
    monkeypatch.setattr(distillation, "DetectorNetwork", small)
    monkeypatch.setattr(batches, "SIZES", (64, 32))


class StoppedRun(Checkpoint):
    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        raise KeyboardInterrupt


@pytest.mark.once
def test_training_resumes_exactly(short, tmp_path, monkeypatch):
    whole = distill(PHOTOS, "teacher.onnx", tmp_path / "whole", PHOTOS, epochs=2)
    with monkeypatch.context() as patch:
        patch.setattr(distillation, "Checkpoint", StoppedRun)
        with pytest.raises(KeyboardInterrupt):
            distill(PHOTOS, "teacher.onnx", tmp_path / "stopped", PHOTOS, epochs=2)
    with pytest.raises(ValueError, match="already holds a training"):
        distill(PHOTOS, "teacher.onnx", tmp_path / "stopped", PHOTOS, epochs=2)
    resumed = distill(PHOTOS, "teacher.onnx", tmp_path / "stopped", PHOTOS, epochs=2, resume=True)
    one, other = (load_file(preset.parent / CHECKPOINT) for preset in (whole, resumed))
    for key in one:
        np.testing.assert_array_equal(one[key], other[key], err_msg=key)
    DetectorNetwork.from_preset(whole)


@pytest.mark.once
def test_a_photo_counts_as_often_as_the_list_names_it(tmp_path, monkeypatch):
    photo, taken = str(EXAMPLES / "group.jpg"), []
    (tmp_path / "list.txt").write_text(f"{photo}\n" * 3)
    (tmp_path / "yunet.onnx").touch()
    monkeypatch.setattr(distillation, "distill", lambda photos, *_, **__: taken.extend(photos))
    listed = str(tmp_path / "list.txt")
    words = ["train-detector", "--photos", listed, "--held-out", listed, "--output", "no_run"]
    run = CliRunner().invoke(main, [*words, "--teacher", str(tmp_path / "yunet.onnx")])
    assert run.exit_code == 0, run.output
    assert taken == [photo] * 3


@pytest.mark.once
def test_frozen_batch_norm_keeps_its_statistics(short, tmp_path):
    start = DetectorNetwork(**SMALL)
    start.save_to_preset(tmp_path / "start")
    before = load_file(tmp_path / "start" / "model.safetensors")
    for freeze in (False, True):
        folder = tmp_path / f"freeze_{freeze}"
        settings = {"init": tmp_path / "start", "freeze_batch_norm": freeze}
        preset = distill(PHOTOS, "teacher.onnx", folder, PHOTOS, epochs=2, **settings)
        after = load_file(preset / "model.safetensors")
        changed = {key for key in before if not np.array_equal(before[key], after[key])}
        assert any(key.endswith("_mix/kernel") for key in changed)
        assert any("moving_" in key for key in changed) is not freeze
        assert 'trainable": false' not in (preset / "config.json").read_text()


def test_paths_of_folders_and_lists(tmp_path):
    (tmp_path / "list.txt").write_text(f"{PHOTOS[0]}\n\n{PHOTOS[1]}\n")
    assert expand([tmp_path / "list.txt"]) == PHOTOS[:2]
    assert set(expand([EXAMPLES])) == set(PHOTOS)


def test_empty_list(tmp_path):
    (tmp_path / "list.txt").write_text("\n")
    with pytest.raises(ValueError, match="Expected images"):
        expand([tmp_path / "list.txt"])
