"""Landmarks of rendered faces, moved to where people put them (tools/move_landmarks.py)."""

import json
import shutil
from pathlib import Path

import move_landmarks
import numpy as np
import pytest
from click.testing import CliRunner
from move_landmarks import CHIN, EYES_TO_CHIN, LEFT_EYE, RIGHT_EYE, mean_offsets, moved

from keras_lotr import geometry
from keras_lotr.conversions import convert
from keras_lotr.datasets import read_samples
from keras_lotr.schemes import get_scheme

pytestmark = pytest.mark.once

RENDERED = Path(__file__).parents[1] / "examples" / "rendered_faces"
FLIP = list(get_scheme("wflw98").flip_order)
ANGLES = np.zeros((3, 2))  # yaw, pitch, roll of two frontal faces


@pytest.fixture
def faces():
    """Two upright faces (2, 98, 2) whose eyes are 40 pixels apart, the chin below them."""
    points = np.random.default_rng(0).uniform(0, 100, (2, 98, 2))
    points[:, LEFT_EYE], points[:, RIGHT_EYE] = (30, 40), (70, 40)
    points[:, CHIN] = 50, 40 + 40 * EYES_TO_CHIN
    return points


@pytest.fixture
def offsets():
    table = np.random.default_rng(1).normal(0, 0.05, (98, 2))
    return (table + table[FLIP] * [-1, 1]) / 2


def test_frontal_faces_are_moved_by_parts_of_the_distance_of_the_eyes(faces, offsets):
    np.testing.assert_allclose(moved(faces, *ANGLES, offsets) - faces, [40 * offsets] * 2)


def test_what_was_moved_is_found_again(faces, offsets):
    offsets[[LEFT_EYE, RIGHT_EYE, CHIN]] = 0  # the frame stays
    truth = moved(faces, *ANGLES, offsets)
    np.testing.assert_allclose(mean_offsets(truth, faces), offsets, atol=1e-9)


def test_it_turns_with_the_face(faces, offsets):
    degrees = 30.0  # clockwise in the image, the renderer's roll is counter-clockwise
    turn = geometry.similarity((0, 0), (5, 9), 1.5, degrees)
    x, y = geometry.apply(turn, np.array([[0.0, 0.0], [1.0, 0.0]])).T
    roll = -np.degrees(np.arctan2(y[1] - y[0], x[1] - x[0]))
    turned = np.stack([geometry.apply(turn, points) for points in faces])
    expected = [geometry.apply(turn, points) for points in moved(faces, *ANGLES, offsets)]
    angles = np.array([[0, 0], [0, 0], [roll, roll]])
    np.testing.assert_allclose(moved(turned, *angles, offsets), expected, atol=1e-6)


def test_a_profile_is_not_moved_across(faces, offsets):
    way = moved(faces, *np.array([[90, 90], [0, 0], [0, 0]]), offsets) - faces
    np.testing.assert_allclose(way[..., 0], 0, atol=1e-9)
    assert np.abs(way[..., 1]).max() > 0.1


@pytest.fixture
def shards(tmp_path):
    """The rendered faces, with angles."""
    shutil.copytree(RENDERED, tmp_path / "shards")
    for path in tmp_path.glob("shards/*/labels.npz"):
        with np.load(path) as file:
            labels = dict(file)
        zeros = np.zeros(len(labels["points98"]))
        np.savez(path, **{**labels, **dict.fromkeys(("yaw", "pitch", "roll"), zeros)})
    return tmp_path / "shards"


def test_command(tmp_path, shards, offsets):
    (tmp_path / "offsets.json").write_text(json.dumps({"offsets": offsets.tolist()}))
    arguments = ["apply", tmp_path / "offsets.json", shards, tmp_path / "moved"]
    run = CliRunner().invoke(move_landmarks.main, list(map(str, arguments)))
    assert run.exit_code == 0, run.output
    before, after = (read_samples(f, "val", "wflw98") for f in (RENDERED, tmp_path / "moved"))
    assert len(before) == len(after)
    way = np.stack([a.points_image - b.points_image for a, b in zip(after, before, strict=True)])
    assert 0.5 < np.abs(way).mean() < 10
    # The 68 landmarks are some of the 98, and move with them.
    for of_98, of_68 in zip(after, read_samples(tmp_path / "moved", "val", "ibug68"), strict=True):
        expected = convert(of_98.points_image, "wflw98", "ibug68")
        np.testing.assert_allclose(of_68.points_image, expected, atol=1e-4)


def test_shards_without_angles(tmp_path, offsets):
    (tmp_path / "offsets.json").write_text(json.dumps({"offsets": offsets.tolist()}))
    arguments = ["apply", tmp_path / "offsets.json", RENDERED, tmp_path / "moved"]
    run = CliRunner().invoke(move_landmarks.main, list(map(str, arguments)))
    assert run.exit_code == 1 and "Expected pitch" in run.output
    assert not (tmp_path / "moved").exists()
