"""How a head moves between two crops, as the image shows it."""

import cv2
import numpy as np
import pytest

from keras_lotr import geometry
from keras_lotr.tracking.motion import flow, smooth_motion

pytestmark = pytest.mark.once

SIDE = 128
POINTS = np.random.default_rng(0).uniform(30, 98, (40, 2))


@pytest.fixture
def grey():
    dots = np.random.default_rng(1).integers(30, 220, (16, 16), np.uint8)
    return cv2.resize(dots, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)


def test_flow_finds_parts_of_pixels(grey):
    move = geometry.similarity([64, 64], [65.3, 63.6], 1.01, 2)
    found = flow(
        grey, geometry.warp(grey[..., None].repeat(3, 2), move, SIDE)[..., 0], POINTS, POINTS
    )
    assert np.linalg.norm(found - geometry.apply(move, POINTS), axis=1).max() < 0.5


def test_flow_of_an_even_image_is_what_is_expected():
    even = np.full((SIDE, SIDE), 80, np.uint8)
    np.testing.assert_array_equal(flow(even, even, POINTS, POINTS + 3), POINTS + 3)


def test_points_outside_of_the_crop(grey):
    outside = np.array([[-50.0, 20.0], [500.0, 500.0]])
    np.testing.assert_array_equal(flow(grey, grey, outside, outside + 1), outside + 1)


def test_a_third_of_the_flow_that_is_wrong_does_not_matter():
    move = geometry.similarity([64, 64], [66, 63], 1.02, 3)
    moved = geometry.apply(move, POINTS)
    moved[::3] += [9, -7]
    motion = smooth_motion(POINTS, moved, POINTS, SIDE)
    assert np.linalg.norm(motion(POINTS) - geometry.apply(move, POINTS), axis=1).max() < 0.5


def test_an_eyelid_that_moves_is_not_the_head():
    expected = POINTS.copy()
    expected[:4] += [0, 6]  # the network says so
    motion = smooth_motion(POINTS, POINTS, expected, SIDE)
    np.testing.assert_allclose(motion(POINTS), POINTS, atol=0.01)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_landmarks_move_without_bending(count):
    motion = smooth_motion(POINTS[:count], POINTS[:count] + [3, 1], POINTS[:count], SIDE)
    np.testing.assert_allclose(motion(POINTS[:count]), POINTS[:count] + [3, 1], atol=0.05)
