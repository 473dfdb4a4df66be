"""The `report` figures are drawn, and say what is wrong where they cannot be."""

import errno
import json
import os
import shutil

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from tiny import randomize, tiny_lotr

from keras_lotr.cli import main
from keras_lotr.evaluation.figures import BANDS, _band_names, _loss_values, draw_losses
from keras_lotr.losses import smooth_wing, wing

pytestmark = pytest.mark.once

pytest.importorskip("matplotlib")


def report(*arguments):
    return CliRunner().invoke(main, ["report", *map(str, arguments)])


def assert_picture(path):
    picture = cv2.imread(str(path))
    assert min(picture.shape[:2]) > 100 and np.ptp(picture) > 100


def test_losses(tmp_path):
    run = report("losses", "--output", tmp_path / "new" / "losses.png")
    assert run.exit_code == 0, run.output
    assert_picture(tmp_path / "new" / "losses.png")


def test_a_figure_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "losses.png"
    path.write_text("of before")

    def broken(figure, path, **_):
        path.write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("matplotlib.figure.Figure.savefig", broken)
        with pytest.raises(OSError, match="No space"):
            draw_losses(path)
    assert path.read_text() == "of before" and os.listdir(tmp_path) == ["losses.png"]
    draw_losses(path)
    assert_picture(path)
    draw_losses(tmp_path / "losses.SVG")
    assert "<svg" in (tmp_path / "losses.SVG").read_text()


def test_drawn_slopes_are_those_of_the_paper():
    """Wing jumps by 10 / 12 at zero and at w, smooth-Wing does not."""
    x = np.linspace(9.9, 10.1, 401, dtype=np.float32)
    slopes = {loss: np.gradient(_loss_values(loss, x), x) for loss in (wing, smooth_wing)}
    assert np.ptp(slopes[wing]) == pytest.approx(1 - 10 / 12, abs=0.02)
    assert np.ptp(slopes[smooth_wing]) < 0.02


def write_faces(path, errors):
    path.write_text("image,nme\n" + "".join(f"a.jpg,{e}\n" for e in errors))
    path.with_suffix(".json").write_text(json.dumps({}))
    return path.with_suffix(".json")


def test_ced(tmp_path):
    first = write_faces(tmp_path / "first.csv", [3.0, 4.0, 12.0])
    second = write_faces(tmp_path / "second.csv", [5.0])
    other = tmp_path / "benchmarks.json"
    other.write_text("{}")
    run = report("ced", first, other, second, "--output", tmp_path / "ced.png")
    assert run.exit_code == 0, run.output
    assert run.stderr == f"keras-lotr: {other} is left out: no result of `evaluate`.\n"
    assert_picture(tmp_path / "ced.png")


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "There is no"), ("image\na.jpg\n", "Expected a column nme"), ("nme\nx\n", "a column")],
)
def test_ced_without_faces(text, message, tmp_path):
    if text is not None:
        (tmp_path / "results.csv").write_text(text)
    run = report("ced", tmp_path / "results.json", "--output", tmp_path / "ced.png")
    assert run.exit_code == 2 and message in run.output
    assert not (tmp_path / "ced.png").exists()


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures") / "tiny68"
    randomize(tiny_lotr(68)).save_to_preset(folder)
    return folder


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_samples(preset, rendered_faces, tmp_path, ending):
    output = tmp_path / f"samples.{ending}"
    arguments = ["--split", "val", "--band", 20, "--band", 1000, "--output", output]
    run = report("samples", preset, "--data", rendered_faces, *arguments)
    assert run.exit_code == 0, run.output
    assert_picture(output)


def test_samples_with_gaps(preset, rendered_faces, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(rendered_faces, data)
    entries = json.loads((data / "labels.json").read_text())
    for entry in entries:
        entry["points68"][:17] = [None] * 17
    (data / "labels.json").write_text(json.dumps(entries))
    output = tmp_path / "samples.png"
    arguments = ["--split", "val", "--normalizer", "box", "--only", "nobody", "--output", output]
    run = report("samples", preset, "--data", data, *arguments)
    assert run.exit_code == 2 and "Expected faces with a tag of ['nobody']" in run.output
    run = report("samples", preset, "--data", data, "--split", "val", "--output", output)
    assert run.exit_code == 0, run.output
    assert_picture(output)


def test_worst(preset, rendered_faces, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "keras_lotr.evaluation.figures._draw_face",
        lambda axis, measured, faces: drawn.append((measured.nme, list(faces))),
    )
    output = tmp_path / "worst.png"
    arguments = ["--split", "val", "--count", 3, "--output", output]
    run = report("worst", preset, "--data", rendered_faces, *arguments)
    assert run.exit_code == 0, run.output
    assert_picture(output)
    nme = drawn[0][0]
    assert [faces for _, faces in drawn[:3]] == [[i] for i in np.argsort(-nme)[:3]]


def test_no_face_in_a_row(preset, rendered_faces):
    run = report("worst", preset, "--data", rendered_faces, "--count", 0)
    assert run.exit_code == 2 and "0 is not in the range" in run.output


def test_bands():
    assert _band_names(BANDS) == ["NME < 5 %", "5 to 6 %", "> 6 %"]
    with pytest.raises(ValueError, match=r"Expected rising borders.*\(6, 5\)"):
        _band_names((6, 5))
