"""Faces of all sizes are found: small ones in the large copy, those that fill it in others."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from keras_lotr.datasets import read_samples
from keras_lotr.geometry import overlaps
from keras_lotr.images.reading import read_image
from keras_lotr.inference.face_detector import FaceDetector
from keras_lotr.inference.face_pyramid import pyramid

pytestmark = pytest.mark.once

RENDERED = Path(__file__).parents[1] / "examples" / "rendered_faces"


@pytest.mark.parametrize("side", [300, 640, 1000, 2000])
@pytest.mark.parametrize("surroundings", [0, 0.05, 0.2])
def test_close_ups_are_found_where_they_are(side, surroundings):
    detect, found = FaceDetector.from_preset(), 0
    samples = read_samples(RENDERED, "val", "ibug68")
    for sample in samples:
        image, box = read_image(sample.path), sample.box
        border = surroundings * (box[2:] - box[:2]).max()
        x0, y0 = np.maximum(0, np.round(box[:2] - border)).astype(int)
        x1, y1 = np.round(box[2:] + border).astype(int)
        part = image[y0:y1, x0:x1]
        scale = side / max(part.shape[:2])
        truth = (box - [x0, y0, x0, y0]) * scale
        faces = detect(cv2.resize(part, None, fx=scale, fy=scale))
        boxes = np.array([face.box for face in faces]).reshape(-1, 4)
        found += bool(len(boxes)) and overlaps(truth, boxes).max() > 0.5
    # Of the sixteen, two are turned by 70 degrees and more: one is missed, of one a part is found.
    assert found >= len(samples) - 2


def test_copies():
    levels = pyramid(np.zeros((960, 1280, 3), np.uint8), 640)
    assert [level.picture.shape for level in levels] == [(480, 640, 3), (96, 128, 3)]
    assert levels[0].largest == levels[1].smallest == 600
    assert [level.picture.shape for level in pyramid(np.zeros((7, 5, 3), np.uint8), 640)] == [
        (9, 7, 3)
    ]
    first, second = levels
    assert first.sees_best(100) and not second.may_see(100)
    assert second.sees_best(900) and not first.sees_best(900)


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("shape", [(750, 1000), (751, 1003), (3001, 4005)])
def test_a_copy_is_hardly_moved_whatever_the_size_of_the_photo(shape, quick):
    spot = np.array([0.75, 0.8]) * shape[::-1]
    image = np.zeros((*shape, 3), np.uint8)
    cv2.circle(image, np.rint(spot).astype(int).tolist(), shape[0] // 20, (255, 255, 255), -1)
    copy = pyramid(image, 240, quick)[0]
    assert copy.picture.shape[1] == 240
    y, x = (copy.picture[..., 0] > 127).nonzero()
    assert np.abs((np.array([x.mean(), y.mean()]) + 0.5) - spot / copy.scale).max() < 1


def test_faces_of_the_example_are_still_found_and_no_others():
    found = FaceDetector.from_preset()(RENDERED.parent / "group.jpg")
    assert len(found) == 7
