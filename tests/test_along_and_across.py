"""Errors along and across a face's lines (benchmarks/along_and_across.py)."""

from types import SimpleNamespace

import along_and_across
import numpy as np
import pytest

from keras_lotr.landmark_scheme import Contour

pytestmark = pytest.mark.once


def parts(points, errors_xy, contour):
    truth = np.array([points], float)
    predicted = truth + np.array([errors_xy])
    errors = np.linalg.norm(predicted - truth, axis=-1)
    measured = SimpleNamespace(truth=truth, predicted=predicted, errors=errors)
    return along_and_across.error_parts(measured, contour)[:, 0]


def test_the_two_parts_of_a_line():
    line = [[0, 0], [10, 0], [20, 0], [30, 0]]
    along, across = parts(line, [[3, 4], [-3, 0], [0, 4], [0, 0]], Contour("nose", (0, 1, 2, 3)))
    np.testing.assert_allclose(along, [3, 3, 0, 0], atol=1e-9)
    np.testing.assert_allclose(across, [4, 0, 4, 0], atol=1e-9)


def test_a_closed_line_goes_round():
    square = [[0, 0], [10, 0], [10, 10], [0, 10]]
    # At the first corner from the last one to the second one: along (1, -1).
    along, across = parts(
        square, [[1, -1], [1, 1], [0, 0], [0, 0]], Contour("eyes", (0, 1, 2, 3), True)
    )
    np.testing.assert_allclose(along, [2**0.5, 2**0.5, 0, 0], atol=1e-9)
    np.testing.assert_allclose(across, 0, atol=1e-7)


def test_a_line_that_is_a_point_counts_as_across():
    along, across = parts([[5, 5]] * 3, [[1, 0]] * 3, Contour("eyes", (0, 1, 2)))
    np.testing.assert_allclose(along, 0)
    np.testing.assert_allclose(across, 1)
