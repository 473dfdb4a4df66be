"""The detector's network gives the same rows by onnxruntime and by OpenCV."""

import sys
from pathlib import Path

import numpy as np
import pytest
from shared_data import YUNET, needs

from keras_lotr.images.reading import read_image
from keras_lotr.inference.detector_network import (
    OnnxruntimeNetwork,
    OpenCVNetwork,
    load_network,
)
from keras_lotr.inference.face_detector import FaceDetector

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[1]
FILE = str(ROOT / "presets" / "face_detector" / "model.onnx")


@pytest.fixture(scope="module")
def picture():
    return np.ascontiguousarray(read_image(ROOT / "examples" / "group.jpg")[..., ::-1])


@pytest.mark.parametrize(("height", "width"), [(400, 600), (257, 389), (40, 33)])
def test_rows_are_those_of_opencv(picture, height, width):
    piece = np.ascontiguousarray(picture[:height, :width])
    found, expected = load_network(FILE, 0.3)(piece), OpenCVNetwork(FILE, 0.3)(piece)
    assert found.dtype == np.float32
    assert len(found) == len(expected) >= (10 if height == 400 else 0)
    found, expected = (rows[np.lexsort(rows[:, :4].round(1).T)] for rows in (found, expected))
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_the_surest_first(picture):
    scores = load_network(FILE, 0.5)(picture)[:, -1]
    assert len(scores) and scores.min() >= 0.5
    np.testing.assert_array_equal(scores, np.sort(scores)[::-1])


def test_opencv_without_onnxruntime(picture, monkeypatch):
    detect = FaceDetector.from_preset()
    assert isinstance(detect._network, OnnxruntimeNetwork) and "by onnxruntime" in repr(detect)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    other = FaceDetector.from_preset()
    assert isinstance(other._network, OpenCVNetwork) and "run by OpenCV" in repr(other)
    faces, expected = (d(picture[..., ::-1]) for d in (other, detect))
    for one, two in zip(faces, expected, strict=True):
        np.testing.assert_allclose(one.box, two.box, atol=0.05)


@needs(YUNET)
def test_a_file_of_one_size_is_left_to_opencv():
    assert isinstance(load_network(str(YUNET), 0.5), OpenCVNetwork)
