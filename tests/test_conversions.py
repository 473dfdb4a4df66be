"""Landmarks of one scheme read as another."""

from pathlib import Path

import numpy as np
import pytest

from keras_lotr.conversions import common_landmarks, convert
from keras_lotr.schemes import SCHEMES, get_scheme

pytestmark = pytest.mark.once

# The widely copied map of InsightFace's 106 landmarks to iBUG's 68, outside of contour and brows.
IBUG_OF_INSIGHTFACE = {36: 35, 39: 39, 42: 89, 45: 93, 48: 52, 54: 61, 30: 86, 33: 80}

# The widely copied map of InsightFace's 106 landmarks to iBUG's 68.
# fmt: off
IBUG_IN_INSIGHTFACE = [
    1, 10, 12, 14, 16, 3, 5, 7, 0, 23, 21, 19, 32, 30, 28, 26, 17, 43, 48, 49, 51, 50,
    102, 103, 104, 105, 101, 72, 73, 74, 86, 78, 79, 80, 85, 84, 35, 41, 42, 39, 37, 36,
    89, 95, 96, 93, 91, 90, 52, 64, 63, 71, 67, 68, 61, 58, 59, 53, 56, 55,
    65, 66, 62, 70, 69, 57, 60, 54,
]
# fmt: on


def test_106_landmarks_survive_the_way_to_insightface_and_back():
    points = np.random.default_rng(0).uniform(size=(3, 106, 2))
    there = convert(points, "jd106", "insightface106")
    assert (there != points).any()
    np.testing.assert_array_equal(convert(there, "insightface106", "jd106"), points)


def test_insightface_order_by_landmarks_known_from_elsewhere():
    jd, insightface = get_scheme("jd106"), get_scheme("insightface106")
    number = convert(np.stack([np.arange(106)] * 2, -1), "insightface106", "jd106")[:, 0]
    jd_of_ibug = {36: 66, 39: 70, 42: 75, 45: 79, 48: 84, 54: 90, 30: 54, 33: 60}
    assert {i: number[j] for i, j in jd_of_ibug.items()} == IBUG_OF_INSIGHTFACE
    assert insightface.outer_eyes == tuple(number[list(jd.outer_eyes)])
    assert {number[i] for i in jd.regions["mouth"]} == set(insightface.regions["mouth"])


def test_98_to_68_keeps_flips_corners_and_regions():
    numbers = convert(np.stack([np.arange(98)] * 2, -1), "wflw98", "ibug68")[:, 0]
    wflw, ibug = get_scheme("wflw98"), get_scheme("ibug68")
    assert len(set(numbers)) == 68
    assert [wflw.flip_order[i] for i in numbers] == list(numbers[list(ibug.flip_order)])
    assert tuple(numbers[list(ibug.outer_eyes)]) == wflw.outer_eyes
    for region, indices in ibug.regions.items():
        assert {numbers[i] for i in indices} <= set(wflw.regions[region])


def test_106_to_68_is_the_map_that_others_use():
    assert common_landmarks("insightface106", "ibug68").tolist() == IBUG_IN_INSIGHTFACE


@pytest.mark.parametrize("source", SCHEMES)
@pytest.mark.parametrize("target", SCHEMES)
def test_conversions_keep_flips_regions_and_corners(source, target):
    numbers = common_landmarks(source, target)
    a, b = get_scheme(source), get_scheme(target)
    known = np.flatnonzero(numbers >= 0)
    assert len(known) == len(set(numbers[known])) == min(a.num_landmarks, b.num_landmarks)
    flipped = np.array(b.flip_order)[known]
    np.testing.assert_array_equal(np.array(a.flip_order)[numbers[known]], numbers[flipped])
    assert tuple(numbers[list(b.outer_eyes)]) == a.outer_eyes
    for region, indices in b.regions.items():
        assert {numbers[i] for i in indices} - {-1} <= set(a.regions[region])


@pytest.mark.parametrize("source", SCHEMES)
@pytest.mark.parametrize("target", SCHEMES)
def test_way_there_and_back_leaves_gaps_only(source, target):
    points = np.random.default_rng(0).uniform(size=(2, get_scheme(source).num_landmarks, 2))
    there = convert(points, source, target)
    assert np.isfinite(there).all(-1).sum(1).tolist() == [min(points.shape[1], there.shape[1])] * 2
    back = convert(there, target, source)
    kept = np.isfinite(back)
    assert kept.sum() == np.isfinite(there).sum()
    np.testing.assert_array_equal(back[kept], points[kept])


def test_conversions_agree_with_rendered_faces():
    """Rendered faces carry 68, 98 and 106 landmarks of the same head."""
    folder = Path(__file__).parents[1] / "examples" / "rendered_faces" / "shard-00000"
    with np.load(folder / "labels.npz") as labels:
        drawn = {"ibug68": "points68", "wflw98": "points98", "jd106": "points106"}
        drawn = {scheme: labels[key] for scheme, key in drawn.items()}
    for source, points in drawn.items():
        for target, expected in drawn.items():
            converted = convert(points, source, target)
            assert converted.dtype == points.dtype
            kept = np.isfinite(converted)
            np.testing.assert_array_equal(converted[kept], expected[kept])


def test_unknown_conversion_and_wrong_points():
    with pytest.raises(ValueError, match=r"two schemes of .*'ibug68'.*: plain5 -> wflw98"):
        convert(np.zeros((5, 2)), "plain5", "wflw98")
    with pytest.raises(ValueError, match=r"\(\.\.\., 98, 2\).*\(68, 2\)"):
        convert(np.zeros((68, 2)), "wflw98", "ibug68")
