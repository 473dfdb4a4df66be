"""One committed preset: the same output on every backend, before and after ten training steps.

The files were made with the JAX backend by `golden/make.py`; that old presets still load is tested
by never making them anew without need.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from keras_lotr import LOTR
from keras_lotr.presets.preset import WEIGHTS
from keras_lotr.presets.weights import named_weights

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def expected():
    return dict(np.load(GOLDEN / "expected.npz"))


@pytest.fixture
def model():
    return LOTR.from_preset(GOLDEN / "preset")


def test_same_output_on_every_backend(model, expected):
    points = model.predict(expected["crops"], verbose=0)
    assert np.abs(points - expected["before"]).max() <= 1e-5 * model.image_size


def test_same_output_after_ten_training_steps(model, expected):
    spec = importlib.util.spec_from_file_location("make_golden", GOLDEN / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    make.ten_steps(model, expected["crops"], expected["points"])
    points = model.predict(expected["crops"], verbose=0)
    assert np.abs(expected["after"] - expected["before"]).max() > 0.5
    assert np.abs(points - expected["after"]).max() <= 1e-5 * model.image_size


def test_keys_are_those_of_the_file(model):
    with safe_open(GOLDEN / "preset" / WEIGHTS, framework="numpy") as file:
        assert sorted(named_weights(model)) == sorted(file.keys())
