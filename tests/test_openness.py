"""How the found openness of eyes and mouths follows the true one."""

import numpy as np
import pytest

from keras_lotr.evaluation.openness import openness_found
from keras_lotr.schemes import get_scheme

pytestmark = pytest.mark.once


def faces(openness, scheme):
    """Faces (F, N, 2) whose eyes and mouth are open by (F,), turned by 30 degrees."""
    points = np.random.default_rng(0).uniform(0, 100, (len(openness), scheme.num_landmarks, 2))
    for line in scheme.opening_lines.values():
        half = len(line) // 2
        for face, opened in zip(points, openness, strict=True):
            x = np.linspace(0, 20, half + 1)
            face[list(line[: half + 1])] = np.stack([x, -10 * opened + 0 * x], 1)
            face[list(line[half:])] = np.stack([x[:0:-1], 10 * opened + 0 * x[1:]], 1)
            face[[line[0], line[half]]] = [[0, 0], [20, 0]]
    turn = np.array([[np.sqrt(3), -1], [1, np.sqrt(3)]]) / 2
    return points @ turn


@pytest.mark.parametrize("name", ["ibug68", "wflw98", "jd106"])
def test_slope_and_closed_eyes(name):
    scheme = get_scheme(name)
    opened = np.array([0.0, 0.05, 0.2, 0.3, 0.4])
    found = openness_found(faces(opened, scheme), faces(0.3 + 0.5 * opened, scheme), scheme)
    assert list(found) == ["eyes", "mouth"]
    for part, count in (("eyes", 4), ("mouth", 2)):
        assert found[part]["closed"] == count
        assert found[part]["slope"] == pytest.approx(0.5)
        assert found[part]["closed_found"] == pytest.approx(0.3 + 0.5 * 0.025)


def test_gaps_are_left_out():
    scheme = get_scheme("ibug68")
    opened = np.array([0.2, 0.3, 0.4])
    truth, found = faces(opened, scheme), faces(opened, scheme)
    truth[0, 36:48], truth[1, 62], truth[2, 62] = np.nan, np.nan, np.nan
    found[0] = 0
    measured = openness_found(truth, found, scheme)
    assert list(measured) == ["eyes"]  # one mouth is too few
    assert measured["eyes"]["slope"] == pytest.approx(1)
    assert measured["eyes"]["closed_found"] is None


def test_equal_eyes_have_no_slope():
    points = faces(np.array([0.3, 0.3]), get_scheme("ibug68"))
    assert openness_found(points, points, "ibug68")["eyes"]["slope"] == pytest.approx(0, abs=1e-3)


def test_a_scheme_without_eyes():
    assert openness_found(np.zeros((3, 21, 2)), np.zeros((3, 21, 2)), "plain21") == {}
