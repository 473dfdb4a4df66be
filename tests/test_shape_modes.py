"""Slopes of shape modes, on shapes made from known modes."""

import numpy as np
import pytest
from tiny import face_layout

from keras_lotr.evaluation.shape_modes import shape_mode_slopes

pytestmark = pytest.mark.once


def shapes(coefficients, modes):
    """Faces of a mean shape plus small known variations: (F, 68, 2)."""
    return face_layout() + np.einsum("fm,mnd->fnd", coefficients, modes)


def moved(points, rng):
    """Each face turned, scaled and shifted on its own."""
    angle, scale = rng.uniform(-0.5, 0.5, len(points)), rng.uniform(50, 200, len(points))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.einsum("ijf,fnj->fni", turn * scale, points) + rng.uniform(0, 99, (len(points), 1, 2))


@pytest.fixture
def known():
    """Coefficients (200, 3) that fall from mode to mode, and the modes (3, 68, 2)."""
    rng = np.random.default_rng(0)
    modes = np.linalg.qr(rng.normal(size=(136, 3)))[0].T.reshape(3, 68, 2)
    return rng.normal(size=(200, 3)) * [0.2, 0.1, 0.05], modes, rng


def test_what_is_learned_of_each_mode(known):
    """A model that knows 90 %, half and nothing of three modes, wherever the faces are."""
    coefficients, modes, rng = known
    truth = moved(shapes(coefficients, modes), rng)
    predicted = moved(shapes(coefficients * [0.9, 0.5, 0.0], modes), rng)
    assert shape_mode_slopes(truth, predicted, 3) == pytest.approx([0.9, 0.5, 0.0], abs=0.05)


def test_perfect_and_constant_predictions(known):
    coefficients, modes, rng = known
    truth = moved(shapes(coefficients, modes), rng)
    assert shape_mode_slopes(truth, truth, 5) == pytest.approx([1] * 5, abs=1e-6)
    constant = np.broadcast_to(face_layout(), truth.shape)
    assert shape_mode_slopes(truth, constant, 5) == pytest.approx([0] * 5, abs=1e-6)
    collapsed = np.ones_like(truth)
    assert np.isfinite(shape_mode_slopes(truth, collapsed)).all()


@pytest.mark.parametrize(("faces", "expected"), [(1, 0), (2, 1), (4, 3), (30, 10)])
def test_number_of_modes(faces, expected):
    truth = np.random.default_rng(0).normal(size=(faces, 20, 2))
    assert len(shape_mode_slopes(truth, truth)) == expected


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"same shape \(F, N, 2\).*\(3, 5, 2\) and \(3, 6, 2\)"):
        shape_mode_slopes(np.zeros((3, 5, 2)), np.zeros((3, 6, 2)))


def test_faces_with_gaps_do_not_count(known):
    coefficients, modes, rng = known
    truth = moved(shapes(coefficients, modes), rng)
    predicted = moved(shapes(coefficients * [0.9, 0.5, 0.0], modes), rng)
    expected = shape_mode_slopes(truth[50:], predicted[50:], 3)
    truth[:50, 7, 0] = np.nan
    assert shape_mode_slopes(truth, predicted, 3) == pytest.approx(expected)
    truth[51:, 8] = np.nan
    assert shape_mode_slopes(truth, predicted, 3) == []


def test_landmarks_that_no_face_has_do_not_count(known):
    coefficients, modes, rng = known
    truth = moved(shapes(coefficients, modes), rng)
    predicted = moved(shapes(coefficients * [0.9, 0.5, 0.0], modes), rng)
    expected = shape_mode_slopes(truth[:, 10:], predicted[:, 10:], 3)
    truth[:, :10] = np.nan
    assert shape_mode_slopes(truth, predicted, 3) == pytest.approx(expected)
