"""A LOTR-M+ can start with what a LOTR-M has learned (benchmarks/plus_from_m.py)."""

import sys
from pathlib import Path

import numpy as np
from tiny import random_crops, randomize, tiny_lotr

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import plus_from_m


def test_starts_where_the_small_one_is(monkeypatch):
    small, crops = randomize(tiny_lotr()), random_crops(6)
    plus = {"channels": 40, "deconv_filters": (32, 16)}
    large = randomize(tiny_lotr(**plus), seed=1)
    expected = small.predict_points(crops)
    assert np.abs(large.predict_points(crops) - expected).mean() > 1
    monkeypatch.setattr(plus_from_m, "NOISE", 0.0)
    plus_from_m.copy_shared(small, large)
    plus_from_m.enlarge(small, large, crops)
    # Positions alone differ, smooth within the old cells.
    assert np.abs(large.predict_points(crops) - expected).mean() < 0.5
