"""A LOTR-M+ can start with what a LOTR-M has learned (tools/plus_from_m.py)."""

import numpy as np
import plus_from_m
import pytest
from tiny import random_crops, randomize, tiny_lotr

from keras_lotr.presets.saving import save_weights
from keras_lotr.presets.weights import load_fitting_weights

pytestmark = pytest.mark.once


def test_starts_where_the_small_one_is(monkeypatch, tmp_path):
    small, crops = randomize(tiny_lotr()), random_crops(6)
    plus = {"projection_dim": 40, "deconv_filters": (32, 16)}
    large = randomize(tiny_lotr(**plus), seed=1)
    expected = small.predict_points(crops)
    assert np.abs(large.predict_points(crops) - expected).mean() > 1
    monkeypatch.setattr(plus_from_m, "NOISE", 0.0)
    save_weights(small, tmp_path / "small.safetensors")
    load_fitting_weights(large, tmp_path / "small.safetensors")
    plus_from_m.enlarge(small, large, crops)
    # Positions alone differ, smooth within the old cells.
    assert np.abs(large.predict_points(crops) - expected).mean() < 0.5
