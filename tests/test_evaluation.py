"""`evaluate`: against NumPy, the contract of results.json, and the command."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from tiny import randomize, tiny_lotr, tiny_preset

from keras_lotr import landmark_scheme
from keras_lotr.cli import main
from keras_lotr.cli import options as cli_options
from keras_lotr.datasets import read_samples
from keras_lotr.datasets.batches import load_crops
from keras_lotr.evaluation.evaluation import evaluate, summary
from keras_lotr.evaluation.results_text import as_text
from keras_lotr.schemes import get_scheme

RENDERED = Path(__file__).parents[1] / "examples" / "rendered_faces"


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    return tiny_preset(tmp_path_factory.mktemp("evaluated") / "tiny68")


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
    assert got["nme_error"] == round(np.std([3, 9, 12], ddof=1) / 3**0.5, 4)
    assert summary(np.full((1, 2), 4.0, np.float32))["nme_error"] is None


def test_halves_and_standard_error(preset, rendered_faces):
    results, faces = evaluate(preset, rendered_faces, "val")
    nme = [face["nme"] for face in faces]
    sets = [face["tags"].split(" ")[0] for face in faces]
    first = [sets[:i].count(name) % 2 == 0 for i, name in enumerate(sets)]
    halves = [np.mean([e for e, f in zip(nme, first, strict=True) if f == half])
              for half in (True, False)]  # fmt: skip
    assert results["nme_of_halves"] == pytest.approx(halves, abs=1e-3)
    assert results["nme_error"] == pytest.approx(np.std(nme, ddof=1) / len(nme) ** 0.5, abs=1e-3)
    shown = as_text(results)
    assert f"{results['nme']:8.2f}{results['nme_error']:7.2f}" in shown
    assert "NME % of two halves: {:.2f} and {:.2f}".format(*results["nme_of_halves"]) in shown


def test_command_writes_json_and_csv(preset, rendered_faces, tmp_path):
    output = tmp_path / "new" / "results.json"
    arguments = ["--data", str(rendered_faces), "--split", "val", "--output", str(output)]
    run = CliRunner().invoke(main, ["evaluate", str(preset), *arguments])
    assert run.exit_code == 0, run.output
    assert "NME % by region" in run.output and "Slopes of shape modes" in run.output
    assert "Openness of eyes: slope of found over true" in run.output
    results = json.loads(output.read_text())
    assert list(results) == [
        "preset", "data", "split", "only", "scheme", "converted_from", "normalizer", "flip",
        "boxes", "not_detected",
        "faces", "points", "nme", "nme_error", "failure_rate", "auc", "without_normalizer",
        "nme_of_halves", "regions", "subsets", "landmarks", "shape_modes", "openness",
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
        (["PRESET", "--data", "nowhere"], "There is no data set nowhere"),
        (["PRESET", "--data", "DATA", "--split", "test"], "No face of split 'test'"),
        (["PRESET", "--data", "DATA", "--reader", "x"], "'x' is not one of 'labels_json'"),
    ],
)
def test_bad_input(arguments, message, preset, rendered_faces):
    known = {"PRESET": str(preset), "DATA": str(rendered_faces)}
    run = CliRunner().invoke(main, ["evaluate", *(known.get(a, a) for a in arguments)])
    assert run.exit_code == 2
    assert message in run.output


# === Landmarks without label, sets, normalisers, other schemes ===
def write_kit(folder, samples, change):
    """A kit of rendered faces; `change(entry, number)` may take labels away."""
    entries = []
    (folder / "images").mkdir(parents=True)
    for number, sample in enumerate(samples):
        (folder / "images" / Path(sample.path).name).write_bytes(Path(sample.path).read_bytes())
        points = sample.points_image.tolist()
        key = f"points{len(points)}"
        entries.append({"image": Path(sample.path).name, "split": "val", key: points})
        change(entries[-1], number)
    (folder / "labels.json").write_text(json.dumps(entries))
    return folder


def test_gaps(preset, rendered_faces, tmp_path):
    def change(entry, number):
        entry["set"] = "hard" if number == 1 else "easy"
        for i in range(17 if number == 1 else 0):  # the whole contour
            entry["points68"][i] = None

    samples = read_samples(rendered_faces, "val", "ibug68")
    folder = write_kit(tmp_path / "data", samples, change)
    results, faces = evaluate(preset, folder, "val")
    count = len(samples)
    assert (results["faces"], results["points"]) == (count, 68 * count - 17)
    assert results["subsets"]["hard"]["points"] == 51
    assert results["nme"] == pytest.approx(np.mean([face["nme"] for face in faces]), abs=1e-3)
    assert faces[1]["contour"] == "" and faces[0]["contour"] > 0
    assert results["subsets"]["hard"]["nme"] == faces[1]["nme"]
    contours = [face["contour"] for face in faces if face["contour"] != ""]
    assert results["regions"]["contour"] == pytest.approx(np.mean(contours), abs=1e-3)
    assert len(results["shape_modes"]) == count - 2  # of the complete faces
    only, _ = evaluate(preset, folder, "val", only=["hard"])
    for same in ("hard", iter(["hard"])):
        assert evaluate(preset, folder, "val", only=same)[0] == only
    assert only["nme"] == results["subsets"]["hard"]["nme"]
    assert only["landmarks"][:17] == [None] * 17 and "contour" not in only["regions"]
    assert only["shape_modes"] == [] and only["only"] == ["hard"]
    assert "Landmarks that count: contour 0 of 17, brows 10 of 10" in as_text(only)
    assert "Slopes of shape modes: none" in as_text(only)


def test_face_without_normaliser_is_named(preset, rendered_faces, tmp_path):
    def change(entry, number):
        if number in (0, 2):
            entry["points68"][36] = None if number else entry["points68"][45]

    samples = read_samples(rendered_faces, "val", "ibug68")
    folder = write_kit(tmp_path / "data", samples, change)
    output = tmp_path / "results.json"
    arguments = ["evaluate", str(preset), "--data", str(folder), "--split", "val"]
    run = CliRunner().invoke(main, [*arguments, "--output", str(output)])
    assert run.exit_code == 0, run.output
    left_out = [Path(samples[i].path).name for i in (0, 2)]
    assert f"2 faces have no normaliser outer_eyes and do not count: {', '.join(left_out)}." in (
        run.output
    )
    results = json.loads(output.read_text())
    assert results["without_normalizer"] == left_out
    assert results["faces"] == len(samples) - 2 and np.isfinite(results["nme"])
    run = CliRunner().invoke(main, [*arguments, "--normalizer", "box", "--output", str(output)])
    results = json.loads(output.read_text())
    assert (results["faces"], results["normalizer"]) == (len(samples), "box")
    assert results["without_normalizer"] == [] and "do not count" not in run.output


def test_no_face_with_normaliser(preset, rendered_faces, tmp_path):
    samples = read_samples(rendered_faces, "val", "ibug68")
    folder = write_kit(tmp_path, samples, lambda entry, _: entry["points68"].__setitem__(45, None))
    name = Path(samples[0].path).name
    with pytest.raises(ValueError, match=f"normalizer 'outer_eyes'.*'box'.*such as .*{name}"):
        evaluate(preset, folder, "val")


@pytest.mark.parametrize("scheme", ["wflw98", "jd106"])
def test_labels_of_another_scheme_are_converted(preset, tmp_path, scheme):
    """Rendered faces carry 68, 98 and 106 landmarks of the same head."""
    found = {}
    for labels in ("ibug68", scheme):
        samples = read_samples(RENDERED, "val", labels)[:3]
        folder = write_kit(tmp_path / labels, samples, lambda entry, number: None)
        found[labels] = evaluate(preset, folder, "val")
    (native, faces), (results, converted_faces) = found["ibug68"], found[scheme]
    assert native["converted_from"] is None
    assert results["converted_from"] == scheme
    assert results["nme"] == native["nme"] and converted_faces == faces
    assert f"The labels are those of {scheme}, read as ibug68." in as_text(results)


def test_labels_of_a_scheme_with_fewer_landmarks(rendered_faces, tmp_path):
    randomize(tiny_lotr(98)).save_to_preset(tmp_path / "tiny98")
    samples = read_samples(rendered_faces, "val", "ibug68")
    folder = write_kit(tmp_path / "data", samples, lambda entry, number: None)
    results, _ = evaluate(tmp_path / "tiny98", folder, "val")
    assert results["points"] == 68 * len(samples)
    assert [results["landmarks"][i] is None for i in (0, 1, 96)] == [False, True, True]
    assert len(results["shape_modes"]) == len(samples) - 1
    text = as_text(results)
    assert (
        "Landmarks that count: contour 17 of 33, brows 10 of 18, nose 9 of 9, eyes 12 of 18, "
        in text
    )


def test_a_scheme_that_cannot_be_converted(preset, tmp_path):
    (tmp_path / "faces.csv").write_text("image,x0,y0,x1,y1\na.jpg,1,2,3,4\n")
    with pytest.raises(ValueError) as caught:
        evaluate(preset, tmp_path, "val")
    assert str(caught.value).count("Expected") == 1
    assert "Expected ibug68 landmarks" in str(caught.value) and "line 2" in str(caught.value)


@pytest.mark.parametrize("command", ["evaluate", "train"])
@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp"])
def test_half_a_picture_is_refused(preset, rendered_faces, tmp_path, command, ending, tiny_variant):
    samples = read_samples(rendered_faces, "val", "ibug68")
    folder = write_kit(tmp_path / "data", samples, lambda entry, number: entry.pop("split"))
    entries = json.loads((folder / "labels.json").read_text())
    for entry in entries:
        whole = folder / "images" / entry["image"]
        data = cv2.imencode(ending, cv2.imread(str(whole)))[1].tobytes()
        entry["image"] = str(whole.with_suffix(ending).name)
        whole.with_suffix(ending).write_bytes(data[: len(data) // 3])
    (folder / "labels.json").write_text(json.dumps(entries))
    recipe = tmp_path / "recipe.json"
    recipe.write_text('{"batch_size": 2, "epochs": 1}')
    subject, options = (
        (preset, []) if command == "evaluate" else (recipe, ["--out", tmp_path / "run"])
    )
    arguments = [command, subject, "--data", folder, *options]
    run = CliRunner().invoke(main, list(map(str, arguments)))
    assert run.exit_code == 2
    assert "cut off or damaged" in run.output and str(folder / "images") in run.output


def test_command_knows_the_normalisers():
    assert cli_options.NORMALIZERS == landmark_scheme.NORMALIZERS
