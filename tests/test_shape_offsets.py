"""Landmarks of rendered faces, moved by what the shape of a face says (tools/shape_offsets.py)."""

from pathlib import Path

import numpy as np
import pytest
import shape_offsets
from click.testing import CliRunner
from shape_offsets import COMPONENTS, ShapeOffsets, components_of, fitted, mirrored

from keras_lotr import geometry
from keras_lotr.conversions import convert
from keras_lotr.datasets import read_samples

pytestmark = pytest.mark.once

TOOLS = Path(__file__).parents[1] / "tools"
RENDERED = Path(__file__).parents[1] / "examples" / "rendered_faces"


@pytest.fixture(scope="module")
def faces():
    samples = [s for split in ("train", "val") for s in read_samples(RENDERED, split, "wflw98")]
    return np.stack([sample.points_image for sample in samples]).astype(float)


@pytest.fixture(scope="module")
def shipped():
    return ShapeOffsets.read(TOOLS / "shape_offsets_98.json")


def test_components_are_those_of_both_sides(faces):
    mean, components = components_of(faces)
    assert components.shape == (COMPONENTS, 98, 2)
    flat = components.reshape(COMPONENTS, -1)
    np.testing.assert_allclose(flat @ flat.T, np.eye(COMPONENTS), atol=1e-6)
    np.testing.assert_allclose(mirrored(mean[None])[0], mean, atol=1e-9)


def test_what_was_moved_is_found_again(faces, shipped):
    found = fitted(shipped(faces), faces, shipped.mean, shipped.components)
    found.limits = shipped.limits
    assert np.linalg.norm(found(faces) - shipped(faces), axis=-1).mean() < 0.5
    same = fitted(faces, faces, shipped.mean, shipped.components)
    np.testing.assert_allclose(same(faces), faces, atol=1e-6)


def test_it_turns_and_grows_with_the_face(faces, shipped):
    turn = geometry.similarity((0, 0), (5, 9), 1.5, 30.0)
    turned = np.stack([geometry.apply(turn, points) for points in faces])
    expected = np.stack([geometry.apply(turn, points) for points in shipped(faces)])
    np.testing.assert_allclose(shipped(turned), expected, atol=1e-6)


def test_mirrored_faces_are_moved_alike(faces, shipped):
    np.testing.assert_allclose(shipped(mirrored(faces)), mirrored(shipped(faces)), atol=0.02)


def test_beyond_the_limits_the_offsets_stay(shipped):
    far = shipped.mean + np.array([[[[50.0]]], [[[99.0]]]])[:, 0] * shipped.components[0]
    first, second = shipped.numbers(far)
    np.testing.assert_allclose(first, second, atol=1e-9)
    np.testing.assert_allclose(first[:2], [1, shipped.limits[0]])


def test_command(tmp_path, shipped):
    arguments = ["apply", TOOLS / "shape_offsets_98.json", RENDERED, tmp_path / "moved"]
    run = CliRunner().invoke(shape_offsets.main, list(map(str, arguments)))
    assert run.exit_code == 0, run.output
    before, after = (read_samples(f, "val", "wflw98") for f in (RENDERED, tmp_path / "moved"))
    points = np.stack([sample.points_image for sample in before])
    expected = shipped(points.astype(float))
    for sample, moved, of_68 in zip(
        after, expected, read_samples(tmp_path / "moved", "val", "ibug68"), strict=True
    ):
        np.testing.assert_allclose(sample.points_image, moved, atol=1e-3)
        found = convert(sample.points_image, "wflw98", "ibug68")
        np.testing.assert_allclose(of_68.points_image, found, atol=1e-4)
