"""Models that depend on a seed only, and leave the generators of the process as they were."""

import random

import numpy as np
from tiny import tiny_lotr, weights_of

from keras_lotr.seeds import seeded


def build(seed):
    with seeded(seed):
        return weights_of(tiny_lotr(5, dropout=0.1))


def test_weights_depend_on_the_seed():
    first, again, other = build(1), build(1), build(2)
    for key, value in first.items():
        np.testing.assert_array_equal(again[key], value, err_msg=key)
    assert (other["head/hidden1/kernel"] != first["head/hidden1/kernel"]).any()


def test_generators_go_on_where_they_were():
    random.seed(5)
    np.random.seed(5)
    expected = random.random(), np.random.random()
    random.seed(5)
    np.random.seed(5)
    build(1)
    assert (random.random(), np.random.random()) == expected
