"""Boxes that cannot be meant are refused, with what to do."""

import numpy as np
import pytest

from keras_lotr.inference.boxes import check_box, check_boxes

pytestmark = pytest.mark.once

SHAPE = (480, 640, 3)


@pytest.mark.parametrize(
    "box, sentence",
    [
        ([0.33, 0.16, 0.53, 0.34], "fractions of the photo, multiply them"),
        ([10, 10, 12, 60], "at least 4 wide and high"),
        ([-1e9, -1e9, 1e9, 1e9], "at most 4 times as wide and high as the photo of 640 x 480"),
        ([700, 10, 800, 60], "at least a tenth lies in the photo"),
        ([50, 10, 40, 60], "x1 > x0 and y1 > y0"),
        ([50, 10, np.nan, 60], "x1 > x0 and y1 > y0"),
        ("face", "x1 > x0 and y1 > y0"),
    ],
)
def test_boxes_that_cannot_be_meant(box, sentence):
    with pytest.raises(ValueError, match=sentence):
        check_box(box, SHAPE)


def test_boxes_that_can_be_meant():
    assert check_boxes([], SHAPE) == []
    assert len(check_boxes([[-40, -40, 60, 60], [0, 0, 640, 480]], SHAPE)) == 2
    assert check_boxes((10, 20, 90, 110), SHAPE)[0].tolist() == [10, 20, 90, 110]


def test_hint_of_scores():
    with pytest.raises(ValueError, match=r"\(1, 5\); if scores follow the box, write boxes\["):
        check_boxes([[10, 20, 90, 110, 0.9]], SHAPE)
    with pytest.raises(ValueError, match=r"Received: shape \(1, 3\)$"):
        check_boxes([[10, 20, 90]], SHAPE)


def test_formats_of_torchvision():
    for box_format, box in (("xywh", [10, 20, 80, 90]), ("cxcywh", [50, 65, 80, 90])):
        assert check_boxes([box], SHAPE, box_format)[0].tolist() == [10, 20, 90, 110]
    with pytest.raises(ValueError, match=r"one of \('xyxy', 'xywh', 'cxcywh'\). Received: 'yolo'"):
        check_boxes([[1, 2, 3, 4]], SHAPE, "yolo")


def test_hint_of_width_and_height():
    with pytest.raises(ValueError, match=r"x, y, width, height, say box_format='xywh'"):
        check_box([200, 100, 80, 90], SHAPE)
    with pytest.raises(ValueError) as caught:
        check_box([700, 100, 80, 90], SHAPE)
    assert "xywh" not in str(caught.value)
