"""68 points for faces that have 98 (tools/pseudo_labels.py)."""

import json
from pathlib import Path

import numpy as np
import pseudo_labels
import pytest
from click.testing import CliRunner
from tiny import randomize, tiny_lotr

from keras_lotr.conversions import convert
from keras_lotr.datasets import read_samples

pytestmark = pytest.mark.once

RENDERED = Path(__file__).parents[1] / "examples" / "rendered_faces"
OFFSETS = np.linspace(-0.1, 0.1, 136).reshape(68, 2)


def with_98(number):
    """Rendered faces: file and 98 points."""
    samples = read_samples(RENDERED, "train", "wflw98")[:number]
    return [(Path(sample.path), sample.points_image) for sample in samples]


def placed_otherwise(points98):
    """68 points that lie beside those of the same name, by so many eye distances along the face."""
    points = convert(points98, "wflw98", "ibug68")
    x = points[45] - points[36]
    return points + OFFSETS @ np.array([x, [-x[1], x[0]]])


@pytest.fixture
def kit(tmp_path):
    """Nine faces, four of them without 68 points, one of these for validation."""
    faces, entries = with_98(9), []
    (tmp_path / "kit" / "images").mkdir(parents=True)
    for i, (path, points) in enumerate(faces):
        (tmp_path / "kit" / "images" / f"{i}.jpg").write_bytes(path.read_bytes())
        entries.append({"image": f"{i}.jpg", "set": "a", "split": "train"})
        entries[i]["points98"] = points.tolist()
        if i > 3:
            entries[i]["points68"] = placed_otherwise(points).tolist()
    entries.append({**entries.pop(3), "split": "val"})
    (tmp_path / "kit" / "labels.json").write_text(json.dumps(entries))
    return tmp_path / "kit"


def test_offsets_between_the_schemes_are_found_whatever_the_size_and_turn(kit):
    entries = json.loads((kit / "labels.json").read_text())[3:-1]
    offsets = pseudo_labels.definition_offsets(entries)
    np.testing.assert_allclose(offsets, OFFSETS, atol=1e-3)


def test_makes_a_kit_of_the_training_faces_without_68_points(kit, tmp_path):
    randomize(tiny_lotr(68)).save_to_preset(tmp_path / "preset")

    def made(out, *options):
        arguments = [str(kit), "--preset", str(tmp_path / "preset"), "--out", str(out), *options]
        result = CliRunner().invoke(pseudo_labels.main, arguments, catch_exceptions=False)
        assert result.exit_code == 0
        return json.loads((out / "labels.json").read_text()), result.output

    entries, output = made(tmp_path / "all", "--most", "1000")
    assert output.startswith("3 of 3 faces")
    samples = read_samples(tmp_path / "all", "train", "ibug68")
    assert [Path(sample.path).name for sample in samples] == ["0.jpg", "1.jpg", "2.jpg"]
    # In the middle between the two guesses: the model's is as far away on the other side.
    guess = np.stack([placed_otherwise(points) for _, points in with_98(3)])
    labels = np.array([entry["points68"] for entry in entries])
    pictures = [sample.path for sample in samples]
    found = pseudo_labels.points_found([tmp_path / "preset"], pictures, guess)
    np.testing.assert_allclose(labels, (guess + found) / 2, atol=0.1)
    assert made(tmp_path / "none", "--most", "0.1")[0] == []  # the guesses have to agree
