"""How a head moves between two crops, as the image shows it."""

import cv2
import numpy as np
import pytest

from keras_lotr import geometry
from keras_lotr.tracking.motion import SteadyMotion, flow, quadratic_terms, smooth_motion

pytestmark = pytest.mark.once

SIDE = 128
POINTS = np.random.default_rng(0).uniform(30, 98, (40, 2))


@pytest.fixture
def grey():
    dots = np.random.default_rng(1).integers(30, 220, (16, 16), np.uint8)
    return cv2.resize(dots, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)


def at_once(points, moved, expected):
    """Where the smooth motion moves points to."""
    return points + quadratic_terms(points, SIDE) @ smooth_motion(points, moved, expected, SIDE)


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
    found = at_once(POINTS, moved, POINTS)
    assert np.linalg.norm(found - geometry.apply(move, POINTS), axis=1).max() < 0.5


def test_an_eyelid_that_moves_is_not_the_head():
    expected = POINTS.copy()
    expected[:4] += [0, 6]  # the network says so
    np.testing.assert_allclose(at_once(POINTS, POINTS, expected), POINTS, atol=0.01)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_landmarks_move_without_bending(count):
    points = POINTS[:count]
    np.testing.assert_allclose(at_once(points, points + [3, 1], points), points + [3, 1], atol=0.05)


def test_a_still_head_is_not_moved_by_the_noise_of_the_flow():
    motion, noise = SteadyMotion(), np.random.default_rng(0).normal(0, 0.02, (50, 2))
    moved = [motion(POINTS, *2 * [POINTS + by], SIDE, elapsed=1 / 25) - POINTS for by in noise]
    assert np.abs(moved).mean() < 0.3 * np.abs(noise).mean()


def test_a_head_that_turns_or_starts_is_followed_at_once():
    motion, points = SteadyMotion(), POINTS
    turn = geometry.similarity([64, 64], [64, 64], degrees=5)
    for _ in range(10):
        moved = geometry.apply(turn, points)
        now = motion(points, moved, moved, SIDE, elapsed=1 / 25)
        assert np.linalg.norm(now - moved, axis=1).max() < 0.05
        points = moved
