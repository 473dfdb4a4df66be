"""What `benchmarks/video_metrics.py` measures of landmarks whose errors are known."""

import numpy as np
import pytest
from tiny import face_layout
from video_metrics import blinks, eye_distance, jitter, lag, matched, nme, switches

from keras_lotr.inference.results import FaceLandmarks

pytestmark = pytest.mark.once

EYES = slice(36, 42), slice(42, 48)
FRAMES = 60


def face(x=0.0, y=0.0):
    """(68, 2) a face of 100 pixels whose corner is at (x, y)."""
    return 100 * face_layout() + [x, y]


def moving(frames=FRAMES):
    """(T, 68, 2) a face that goes to and fro."""
    times = np.arange(frames)
    return np.stack([face(30 * np.sin(t / 5), 20 * np.cos(t / 7)) for t in times])


def with_lids(openings):
    """(T, 68, 2) a face whose lids are so far apart, as parts of what they are."""
    points = np.stack([face()] * len(openings))
    for eye in EYES:
        middle = points[:, eye, 1].mean(1, keepdims=True)
        points[:, eye, 1] = middle + (points[:, eye, 1] - middle) * np.reshape(openings, (-1, 1))
    return points


def one_blink(closed=(30,), opening=0.1):
    openings = np.ones(FRAMES)
    openings[list(closed)] = opening
    return openings


# === Errors ===
def test_nme_of_a_known_shift():
    truth = np.stack([moving(), moving()], axis=1)
    distance = eye_distance(truth, "ibug68")
    np.testing.assert_allclose(distance, np.linalg.norm(face()[36] - face()[45]))
    error = nme(truth + [3, 4], truth, "ibug68")
    np.testing.assert_allclose(error, np.full((FRAMES, 2), 500 / distance[0]))


def test_jitter_is_of_what_trembles_only():
    truth = moving()[:, None]
    np.testing.assert_allclose(jitter(truth + [3, 4], truth, "ibug68"), 0, atol=1e-9)
    drift = truth + np.arange(FRAMES).reshape(-1, 1, 1, 1)
    np.testing.assert_allclose(jitter(drift, truth, "ibug68"), 0, atol=1e-9)
    trembling = truth + np.where(np.arange(FRAMES) % 2, 1, -1).reshape(-1, 1, 1, 1) * [1, 0]
    expected = np.full((FRAMES - 2, 1), 100 * 4 / eye_distance(truth, "ibug68")[0])
    np.testing.assert_allclose(jitter(trembling, truth, "ibug68"), expected)


# === Time ===
@pytest.mark.parametrize("frames", [0, 1, 2])
def test_lag(frames):
    truth = moving()
    late = np.concatenate([truth[:1]] * frames + [truth[: FRAMES - frames]])
    assert lag(late + [5, -3], truth) == pytest.approx(frames, abs=0.051)


def test_lag_of_what_was_not_always_found():
    truth = moving()
    late = np.roll(truth, 2, axis=0)
    late[20:23] = np.nan
    assert lag(late, truth) == pytest.approx(2, abs=0.051)


def test_a_blink_of_half_the_depth_two_frames_late():
    truth, found = one_blink(), np.roll(1 - (1 - one_blink()) / 2, 2)
    measured = blinks(with_lids(found), with_lids(truth), "ibug68", 25)
    assert measured == [(pytest.approx(2), pytest.approx(0.5))]


def test_eyes_that_stay_closed_for_some_frames_blink_once():
    truth = with_lids(one_blink(closed=(29, 30, 31)))
    assert blinks(truth, truth, "ibug68", 25) == [(0, pytest.approx(1))]


def test_a_blink_during_which_nothing_is_found():
    truth = with_lids(one_blink())
    found = with_lids(np.ones(FRAMES))
    found[28:33] = np.nan
    ((_, depth),) = blinks(found, truth, "ibug68", 25)
    assert depth == pytest.approx(0)


def test_eyes_half_closed_are_no_blink():
    truth = with_lids(one_blink(opening=0.6))
    assert blinks(truth, truth, "ibug68", 25) == []


# === Who is who ===
def found_at(x, track_id):
    points = face(x)
    return FaceLandmarks(points, [x, 0, x + 100, 100], 0.9, "ibug68", track_id=track_id)


def test_matched():
    truth = np.stack([[face(0), face(300)]] * 4)
    truth[3, 1] = np.nan  # gone
    visible = np.ones((4, 2), bool)
    visible[2, 1] = False  # covered
    frames = [
        [found_at(302, 1), found_at(1, 0)],
        [found_at(0, 5), found_at(900, 6)],
        [found_at(0, None), found_at(300, 1)],
        [],
    ]
    found, ids, others = matched(frames, truth, visible)
    assert ids.tolist() == [[0, 1], [5, -1], [-1, -1], [-1, -1]]
    assert others == 1
    np.testing.assert_allclose(found[0], [face(1), face(302)], rtol=1e-6)
    there = np.isfinite(found[..., 0, 0])
    assert there.tolist() == [[True, True], [True, False], [True, False], [False, False]]


def test_switches():
    assert switches(np.array([[0, 1], [0, 1], [1, 0], [1, 0]])) == 2
    assert switches(np.array([[0, 1], [-1, 1], [0, 1], [2, -1]])) == 1
    assert switches(np.full((4, 2), -1)) == 0
