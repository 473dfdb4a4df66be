"""Labels of the other landmark scheme (tools/cross_labels.py)."""

import json
from pathlib import Path

import cross_labels
import numpy as np
import pytest
from click.testing import CliRunner
from teacher_labels import box_of_entry, taught_points
from tiny import randomize, tiny_lotr

from keras_lotr.conversions import convert
from keras_lotr.datasets import read_samples

pytestmark = pytest.mark.once

RENDERED = Path(__file__).parents[1] / "examples" / "rendered_faces"


def test_a_landmark_that_both_schemes_have_or_two_beside_it():
    numbers = cross_labels.neighbours("ibug68", "wflw98")
    assert numbers[[0, 1, 60, 62]].tolist() == [[0, 0], [0, 1], [36, 36], [37, 38]]
    assert numbers[97].tolist() == [-1, -1]  # pupil
    assert numbers[[39, 40]].tolist() == [[-1, -1]] * 2  # lower edge of the brow
    assert (cross_labels.neighbours("wflw98", "ibug68") >= 0).all()


def test_errors_move_what_was_found_and_gaps_leave_it():
    found, error = np.ones((4, 2)), np.array([[4, 2], [2, 0], [np.nan, np.nan]])
    numbers = np.array([[0, 0], [0, 1], [1, 2], [-1, -1]])
    points, doubt = cross_labels.corrected(found, error, np.array([0, 0.02, 0]), numbers)
    np.testing.assert_allclose(points, [[5, 3], [4, 2], [1, 1], [1, 1]])
    np.testing.assert_allclose(doubt, [0.01, np.hypot(0.01, 0.01), 0.03, 0.03])


@pytest.fixture
def kit(tmp_path):
    """Two faces with 98 landmarks, one with 68 of which one is missing, one with both."""
    entries = []
    (tmp_path / "kit" / "images").mkdir(parents=True)
    for i, sample in enumerate(read_samples(RENDERED, "train", "wflw98")[:4]):
        name, points = f"{i}.jpg", sample.points_image
        (tmp_path / "kit" / "images" / name).write_bytes(Path(sample.path).read_bytes())
        entry = {"image": name, "set": "a", "split": "train"}
        if i != 2:
            entry["points98"] = points.tolist()
        if i > 1:
            entry["points68"] = convert(points, "wflw98", "ibug68").tolist()
        entries.append(entry)
    entries[2]["points68"][36] = None
    (tmp_path / "kit" / "labels.json").write_text(json.dumps(entries))
    return tmp_path / "kit"


def test_makes_a_kit_of_the_faces_with_one_scheme(kit, tmp_path):
    presets = {}
    for number in (68, 98):
        presets[number] = str(tmp_path / f"preset{number}")
        randomize(tiny_lotr(number)).save_to_preset(presets[number])
    arguments = [str(tmp_path / "out"), "--faces", str(kit)]
    arguments += ["--preset", presets[68], "--preset", presets[98]]
    CliRunner().invoke(cross_labels.main, arguments, catch_exceptions=False)
    entries = {e["image"]: e for e in json.loads((tmp_path / "out" / "labels.json").read_text())}
    assert sorted(entries) == ["0.jpg", "1.jpg", "2.jpg"]
    assert [len(read_samples(tmp_path / "out", "train", s)) for s in ("ibug68", "wflw98")] == [2, 1]

    # The chin is moved by its error; the eye corner without label and the pupil stay.
    given = json.loads((kit / "labels.json").read_text())[2]
    (own,), (other,) = (
        list(taught_points(presets[n], [kit / "images" / "2.jpg"], [box_of_entry(given)]))
        for n in (68, 98)
    )
    points = np.array(entries["2.jpg"]["points98"])
    moved = other[[16, 60, 96]] + [given["points68"][8] - own[8], [0, 0], [0, 0]]
    np.testing.assert_allclose(points[[16, 60, 96]], moved, atol=0.02)
    assert np.array(entries["2.jpg"]["doubt98"])[[16, 60, 96]].tolist() == [0.01, 0.03, 0.03]


def test_needs_a_preset_of_each_scheme(kit, tmp_path):
    arguments = [str(tmp_path / "out"), "--faces", str(kit), "--preset", "lotr_m_68"]
    result = CliRunner().invoke(cross_labels.main, arguments)
    assert result.exit_code == 2 and "twice" in result.output
    assert not (tmp_path / "out").exists()
