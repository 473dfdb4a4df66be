"""Smoothing: still landmarks are still, and moving ones do not lag."""

import numpy as np
import pytest
import tiny

from keras_lotr import geometry
from keras_lotr.tracking.smoothing import STRENGTHS, FaceSmoother, OneEuro, strength_of

pytestmark = pytest.mark.once

RATE = 25
FACE = 100 * tiny.face_layout()


def smoothed(frames, strength="light", rate=RATE):
    smoother = FaceSmoother(strength_of(strength))
    return np.array([smoother(points, i / rate) for i, points in enumerate(frames)])


def trembling(values):
    return np.linalg.norm(values[2:] - 2 * values[1:-1] + values[:-2], axis=-1)[10:].mean()


def test_the_first_landmarks_stay():
    np.testing.assert_allclose(smoothed([FACE])[0], FACE, atol=1e-9)


@pytest.mark.parametrize(("strength", "most"), [("light", 0.45), ("strong", 0.3)])
def test_noise_at_rest(strength, most):
    noise = np.random.default_rng(0).normal(0, 0.2, (100, *FACE.shape))
    assert trembling(smoothed(FACE + noise, strength)) < most * trembling(FACE + noise)


def test_a_head_that_moves_is_not_held_back():
    # 200 pixels a second, two of its sizes, and it turns and grows.
    frames = [
        geometry.apply(geometry.similarity([50, 50], [50 + 8 * i, 60], 1.01**i, 2 * i), FACE)
        for i in range(60)
    ]
    behind = np.linalg.norm(smoothed(frames)[10:] - frames[10:], axis=-1).max()
    assert behind < 3  # of the 8 pixels of a frame


def test_a_blink_is_kept():
    open_eye, frames = FACE.copy(), np.tile(FACE, (60, 1, 1))
    upper, lower = [37, 38, 43, 44], [41, 40, 47, 46]
    for i, part in zip(range(30, 37), (0.3, 0.8, 1, 1, 0.7, 0.4, 0.1), strict=True):
        frames[i, upper] += part * (open_eye[lower] - open_eye[upper])
    heights = (smoothed(frames)[:, lower] - smoothed(frames)[:, upper])[..., 1].mean(-1)
    assert abs(int(np.argmin(heights)) - 32.5) <= 1
    assert heights.max() - heights.min() > 0.9 * (open_eye[lower] - open_eye[upper])[..., 1].mean()


def test_turning_past_180_degrees():
    frames = [
        geometry.apply(geometry.similarity([50, 50], [50, 50], degrees=4 * i), FACE)
        for i in range(100)
    ]
    assert np.linalg.norm(smoothed(frames, "strong")[5:] - frames[5:], axis=-1).max() < 4


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
