"""A few damaged files of each kind; `python tests/fuzz` tries many. Odd arrays and boxes, too."""

import sys

import numpy as np
import pytest
from fuzz.targets import TARGETS
from fuzz.worker import fuzz
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, scalar_dtypes

from keras_lotr.images.reading import read_image
from keras_lotr.inference.boxes import FORMATS, check_boxes

pytestmark = pytest.mark.once

CASES = {
    "images": 150,
    "crafted_images": 40,
    "labels": 60,
    "onnx_files": 25,
    "presets": 30,
    "videos": 5,
}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc and sets limits")
@pytest.mark.parametrize("target", TARGETS)
def test_nothing_breaks_it(target):
    pytest.importorskip("onnx")
    report = fuzz(target, seed=1, seconds=600, most=CASES[target])
    assert not report.findings, report.findings
    assert report.cases == CASES[target]


@settings(deadline=None, max_examples=200, derandomize=True)  # or a commit is red by chance
@given(arrays(scalar_dtypes(), array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6)))
def test_any_array_is_an_image_or_a_sentence(array):
    with np.errstate(all="raise"):
        try:
            image = read_image(array)
        except ValueError as error:
            assert str(error).startswith("Expected ")
        else:
            assert image.dtype == np.uint8 and image.shape[2] == 3 and image.flags.c_contiguous


numbers = st.floats(allow_nan=True, allow_infinity=True, width=64) | st.integers(-(10**6), 10**6)
lists = st.lists(st.lists(numbers, max_size=5) | numbers | st.none() | st.text(max_size=3))


@settings(deadline=None, max_examples=200, derandomize=True)  # or a commit is red by chance
@given(lists | arrays(np.float32, array_shapes(max_dims=3, max_side=5)), st.sampled_from(FORMATS))
def test_any_boxes_are_boxes_or_a_sentence(boxes, box_format):
    try:
        found = check_boxes(boxes, (48, 64, 3), box_format)
    except ValueError as error:
        assert str(error).strip()
    else:
        for box in found:
            assert box.shape == (4,) and np.isfinite(box).all() and (box[2:] > box[:2]).all()
