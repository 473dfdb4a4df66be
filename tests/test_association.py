"""Which detected face is which known one."""

import sys

import numpy as np
import pytest

from keras_lotr.tracking.association import assign, distances

pytestmark = pytest.mark.once
pytest.importorskip("scipy")


def test_the_sum_counts_and_not_the_first_best():
    assert assign([[0.0, 0.1], [0.1, 0.9]], 1.0) == [(0, 1), (1, 0)]


def test_a_pair_beyond_the_limit_takes_no_place():
    assert assign([[0.4, 2.0], [0.1, 9.0]], 0.5) == [(1, 0)]
    assert assign([[np.inf, 0.2]], 0.5) == [(0, 1)]
    assert assign([[0.4], [0.45]], [[0.3], [0.5]]) == [(1, 0)]


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_nothing_to_assign(shape):
    assert assign(np.zeros(shape), 1.0) == []


def test_distances_do_not_depend_on_the_scale():
    boxes, others = np.array([[0, 0, 10, 20.0]]), np.array([[5, 0, 15, 20.0], [0, 0, 20, 40]])
    np.testing.assert_allclose(distances(boxes, others), distances(7 * boxes, 7 * others))
    assert distances(boxes, others)[0, 0] == pytest.approx(0.25)
    assert distances([], others).shape == (0, 2)


def test_scipy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(ImportError, match=r"needs scipy: pip install 'keras-lotr\[video\]'"):
        assign([[0.0]], 1.0)
