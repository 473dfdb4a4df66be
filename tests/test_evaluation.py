"""`evaluate`: against NumPy, the contract of results.json, and the command."""

import csv
import json

import numpy as np
import pytest
from click.testing import CliRunner
from tiny import randomize, tiny_lotr

from keras_lotr.cli import main
from keras_lotr.datasets import read_samples
from keras_lotr.datasets.batches import load_crops
from keras_lotr.evaluation import evaluate, summary
from keras_lotr.schemes import get_scheme


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluated") / "tiny68"
    randomize(tiny_lotr(68)).save_to_preset(folder)
    return folder


def test_nme_against_numpy(preset, rendered_faces):
    from keras_lotr import LOTR

    model = LOTR.from_preset(preset)
    crops, truth = load_crops(read_samples(rendered_faces, "val", "ibug68"), 64, 1.3)
    errors = np.linalg.norm(model.predict(crops, verbose=0) - truth, axis=-1)
    errors /= np.linalg.norm(truth[:, 36] - truth[:, 45], axis=-1)[:, None]
    results, faces = evaluate(preset, rendered_faces, "val")
    assert results["nme"] == pytest.approx(100 * errors.mean(), abs=1e-3)
    assert [face["nme"] for face in faces] == pytest.approx(100 * errors.mean(1), abs=1e-3)
    eyes = list(get_scheme("ibug68").regions["eyes"])
    assert results["regions"]["eyes"] == pytest.approx(100 * errors[:, eyes].mean(), abs=1e-3)


def test_flip_averaging_changes_the_numbers(preset, rendered_faces):
    plain, _ = evaluate(preset, rendered_faces, "val")
    flipped, _ = evaluate(preset, rendered_faces, "val", flip=True)
    assert flipped["flip"]
    assert flipped["nme"] != plain["nme"]


def test_summary_by_hand():
    got = summary(np.array([[2.0, 4.0], [9.0, 9.0], [12.0, 12.0]], np.float32))  # NME 3, 9, 12
    assert got["faces"] == 3
    assert got["nme"] == 8
    assert got["failure_rate"] == {"8": 66.667, "10": 33.333}
    assert got["auc"] == {"8": round(100 * (1 - 3 / 8) / 3, 3), "10": round((70 + 10) / 3, 3)}


def test_command_writes_json_and_csv(preset, rendered_faces, tmp_path):
    output = tmp_path / "new" / "results.json"
    arguments = ["--data", str(rendered_faces), "--split", "val", "--output", str(output)]
    run = CliRunner().invoke(main, ["evaluate", str(preset), *arguments])
    assert run.exit_code == 0, run.output
    assert "NME % by region" in run.output and "Slopes of shape modes" in run.output
    results = json.loads(output.read_text())
    assert list(results) == [
        "preset", "data", "split", "scheme", "normalizer", "flip", "faces", "nme", "failure_rate",
        "auc", "regions", "subsets", "landmarks", "shape_modes",
    ]  # fmt: skip
    with open(output.with_suffix(".csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(results["landmarks"]) == 68
    assert np.mean(results["landmarks"]) == pytest.approx(results["nme"], abs=1e-3)
    assert len(results["shape_modes"]) == 3  # four faces
    assert np.mean([float(row["nme"]) for row in rows]) == pytest.approx(results["nme"], abs=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "--data", "."], "There is no preset 'nowhere'"),
        (["PRESET", "--data", "nowhere"], "There is no nowhere"),
        (["PRESET", "--data", "DATA", "--split", "test"], "No face of split 'test'"),
        (["PRESET", "--data", "DATA", "--reader", "x"], "Expected a reader"),
    ],
)
def test_bad_input(arguments, message, preset, rendered_faces):
    known = {"PRESET": str(preset), "DATA": str(rendered_faces)}
    run = CliRunner().invoke(main, ["evaluate", *(known.get(a, a) for a in arguments)])
    assert run.exit_code == 2
    assert message in run.output
