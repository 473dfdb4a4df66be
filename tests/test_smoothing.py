"""Smoothing: still landmarks are still, and moving ones do not lag."""

import cv2
import numpy as np
import pytest
import tiny

from keras_lotr import geometry
from keras_lotr.tracking.smoothing import (
    STRENGTHS,
    FaceSmoother,
    LandmarkFilter,
    OneEuro,
    strength_of,
)

pytestmark = pytest.mark.once

RATE = 25
FACE = 100 * tiny.face_layout() + 45


def face_image():
    """A face with some texture, (192, 192, 3)."""
    dots = np.random.default_rng(1).integers(40, 220, (24, 24, 3), np.uint8)
    return cv2.resize(dots, (192, 192), interpolation=cv2.INTER_CUBIC)


def smoothed(frames, strength="light", rate=RATE, images=None, sigma=None):
    """Landmarks, smoothed; without images, the head does not move in its crop."""
    smoother = FaceSmoother(strength_of(strength))
    images = [face_image()] * len(frames) if images is None else images
    return np.array(
        [
            smoother(points, image, np.eye(2, 3), i / rate, sigma)
            for i, (points, image) in enumerate(zip(frames, images, strict=True))
        ]
    )


def trembling(values):
    return np.linalg.norm(values[2:] - 2 * values[1:-1] + values[:-2], axis=-1)[10:].mean()


def test_the_first_landmarks_stay():
    np.testing.assert_allclose(smoothed([FACE])[0], FACE, atol=1e-9)


@pytest.mark.parametrize(("strength", "most"), [("light", 0.45), ("strong", 0.3)])
def test_noise_at_rest(strength, most):
    noise = np.random.default_rng(0).normal(0, 0.2, (100, *FACE.shape))
    assert trembling(smoothed(FACE + noise, strength)) < most * trembling(FACE + noise)


def moves(count=40):
    """Where the face is in each frame: it goes to and fro, turns and grows."""
    sway = np.sin(np.arange(count) / 3)
    return [geometry.similarity([95, 95], [95 + 12 * a, 95], 1 + 0.05 * a, 6 * a) for a in sway]


def test_a_head_that_moves_is_not_held_back():
    frames = np.array([geometry.apply(move, FACE) for move in moves()])
    images = [geometry.warp(face_image(), move, 192) for move in moves()]
    assert np.linalg.norm(smoothed(frames, images=images) - frames, axis=-1).max() < 0.8


def test_the_image_says_how_a_head_moves_where_the_network_trembles():
    frames = np.array([geometry.apply(move, FACE) for move in moves()])
    images = [geometry.warp(face_image(), move, 192) for move in moves()]
    noise = np.random.default_rng(0).normal(0, 0.3, frames.shape)
    found = smoothed(frames + noise, images=images)
    assert trembling(found - frames) < 0.3 * trembling(noise)


def test_without_an_image_that_says_it_the_landmarks_do():
    frames = np.array([geometry.apply(move, FACE) for move in moves()])
    even = np.full((len(frames), 192, 192, 3), 90, np.uint8)
    assert np.linalg.norm(smoothed(frames, images=even) - frames, axis=-1).max() < 0.5


def test_landmarks_of_which_the_network_is_less_sure_are_smoothed_more():
    noise = np.random.default_rng(0).normal(0, 0.5, (100, *FACE.shape))
    unsure = np.tile(np.eye(2), (len(FACE), 1, 1))
    ways = [trembling(smoothed(FACE + noise, sigma=size**2 * unsure)) for size in (0.5, 4.0)]
    assert ways[1] < 0.8 * ways[0]


def test_how_landmarks_tremble_is_learned():
    """Whatever the network said of them at first, steady ones open for less than trembling ones."""
    noise = np.array([[0.0001], [0.002]]) * np.random.default_rng(0).normal(size=(100, 2, 2))
    frames = noise + [[0.3, 0.3], [0.6, 0.6]]
    frames[-3:] += [0.0, 0.005]
    for error in (0.01, 0.03):
        smooth = LandmarkFilter(strength_of("light"), np.full((2, 1), error))
        found = [smooth(points, i / RATE) for i, points in enumerate(frames)]
        moved = (found[-1] - found[-4])[:, 1]
        assert moved[0] > 0.0045 and abs(moved[1]) < 0.003


def test_a_picture_that_stood_still_is_smoothed_when_it_trembles_again():
    noise = np.random.default_rng(0).normal(0, 0.2, (100, *FACE.shape))
    frames = np.concatenate([np.tile(FACE, (500, 1, 1)), FACE + noise])
    assert trembling(smoothed(frames)[500:]) < 0.5 * trembling(frames[500:])


@pytest.mark.parametrize("rate", [25, 60])
def test_a_mouth_that_opens_steadily_does_not_come_late(rate):
    speed = np.array([0.0, 0.3])  # sides of the crop a second
    smooth = LandmarkFilter(strength_of("light"), np.full((1, 1), 0.01))
    for i in range(rate):
        found = smooth(i / rate * speed[None], i / rate)
    assert abs(found[0] - (rate - 1) / rate * speed).max() < 0.5 * 0.3 / rate


@pytest.mark.parametrize(("noise", "kept"), [(0.0, 0.85), (0.2, 0.8)])
def test_a_blink_is_kept(noise, kept):
    open_eye, frames = FACE.copy(), np.tile(FACE, (60, 1, 1))
    upper, lower = [37, 38, 43, 44], [41, 40, 47, 46]
    for i, part in zip(range(30, 37), (0.3, 0.8, 1, 1, 0.7, 0.4, 0.1), strict=True):
        frames[i, upper] += part * (open_eye[lower] - open_eye[upper])
    found = smoothed(frames + np.random.default_rng(0).normal(0, noise, frames.shape))
    heights = (found[:, lower] - found[:, upper])[..., 1].mean(-1)
    assert abs(int(np.argmin(heights)) - 32.5) <= 1
    assert heights[20] - heights.min() > kept * (open_eye[lower] - open_eye[upper])[..., 1].mean()


def test_turning_past_180_degrees():
    turns = [geometry.similarity([95, 95], [95, 95], degrees=4 * i) for i in range(100)]
    frames = np.array([geometry.apply(turn, FACE) for turn in turns])
    images = [geometry.warp(face_image(), turn, 192) for turn in turns]
    assert np.linalg.norm(smoothed(frames, "strong", images=images) - frames, axis=-1).max() < 4


def test_frame_rates_and_gaps_are_those_of_the_timestamps():
    slow, fast = OneEuro(1.0, 0.0), OneEuro(1.0, 0.0)
    slow(np.zeros(2), 0.0), fast(np.zeros(2), 0.0)
    once = slow(np.ones(2), 10.0)
    for i in range(1, 601):
        often = fast(np.ones(2), i / 60)
    np.testing.assert_allclose(once, often, atol=0.02)


def test_strengths():
    assert strength_of("off") is None and set(STRENGTHS) == {"off", "light", "strong"}
    with pytest.raises(ValueError, match="one of off, light, strong. Received: 'much'"):
        strength_of("much")
