"""`train-certainty`, `report certainty` and `review`: the whole way on a tiny preset."""

import errno
import json
import os
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from keras import ops
from tiny import (
    assert_same_weights,
    randomize,
    tiny_lotr,
    weights_of,
    write_faces,
)

from keras_lotr import LOTR
from keras_lotr.cli import main
from keras_lotr.datasets import read_samples
from keras_lotr.datasets.sets import halves
from keras_lotr.evaluation import certainty as evaluation
from keras_lotr.evaluation.certainty import left_of, ranking
from keras_lotr.evaluation.figures import draw_reliability, draw_sparsification
from keras_lotr.evaluation.judged import judge
from keras_lotr.geometry import overlaps
from keras_lotr.inference.certainty import radius
from keras_lotr.inference.onnx_model import OnnxModel
from keras_lotr.training import certainty_preset
from keras_lotr.training.certainty import fit_head, train_certainty, visible_samples
from keras_lotr.training.certainty_calibration import (
    as_held_out,
    calibrate,
    held_out_ratios,
    weighted_quantile,
)
from keras_lotr.training.certainty_crops import SeenCrops, random_crop_of
from keras_lotr.training.false_boxes import false_box, photos_with_boxes


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Drawn faces of two sets, whose left halves are hidden in every other face."""
    folder = write_faces(tmp_path_factory.mktemp("seen") / "faces", ["train"] * 6 + ["val"] * 8)
    labels = json.loads((folder / "labels.json").read_text())
    for i, entry in enumerate(labels):
        hidden = [-1] * 9 + [1] * 50 + [0] * 9 if i % 2 else [1] * 68
        entry |= {"set": "ab"[i % 2], "seen68": hidden, "tags": ["profile"] if i % 2 else []}
    (folder / "labels.json").write_text(json.dumps(labels))
    return folder


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain") / "tiny68"
    randomize(tiny_lotr(68)).save_to_preset(folder)
    (folder / "metadata.json").write_text(json.dumps({"title": "Tiny."}))
    return folder


@pytest.fixture(scope="module")
def trained(preset, data, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "sure68"
    arguments = ["--data", data, "--photos", data / "images", "--output", out]
    arguments += ["--visibility", data]
    command = ["train-certainty", preset, *arguments, "--crops", 64, "--epochs", 2]
    result = CliRunner().invoke(main, [*map(str, command)])
    assert result.exit_code == 0, result.output
    return out


def test_landmarks_do_not_change(preset, trained):
    before, after = LOTR.from_preset(preset), LOTR.from_preset(trained)
    assert after.has_certainty
    assert_same_weights(
        weights_of(before), weights_of(LOTR.from_preset(trained, certainty_dim=None))
    )
    crops = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    np.testing.assert_array_equal(before.predict_points(crops), after.predict_points(crops))


def test_the_preset_says_what_was_done(trained):
    metadata = json.loads((trained / "metadata.json").read_text())
    assert metadata["title"] == "Tiny."
    assert set(metadata["certainty"]["factors"]) == {"contour", "brows", "nose", "eyes", "mouth"}
    assert (trained / "model.onnx").is_file()


def test_calibration_makes_nine_tenths_true(trained, data):
    model = LOTR.from_preset(trained)
    calibrating, _ = halves(read_samples(data, "val", "ibug68"))
    calibrate(model, [calibrating])
    d = judge(model, calibrating).distances
    for region in (slice(0, 17), slice(36, 48)):
        assert np.mean(d[:, region] <= radius(0.9) * 1.0001) == pytest.approx(0.9, abs=0.03)


def test_a_head_learns_errors_and_visibility():
    """Of a face whose tokens say that its errors are large and that nothing is seen."""
    rng = np.random.default_rng(0)
    model = tiny_lotr(5, certainty_dim=16)
    difficult = np.arange(256) % 2
    landmarks = np.zeros((256, 5, 16), np.float16)
    memory = np.tile(difficult[:, None, None], (1, 16, 16)) * np.linspace(-1, 1, 16)
    scale = np.where(difficult, 8.0, 1.0)[:, None, None] * (1, 0.25)
    errors = (rng.normal(size=(256, 5, 2)) * scale).astype(np.float32)
    seen = np.tile(1.0 - difficult[:, None], (1, 5)).astype(np.float32)
    errors[::7, 0], seen[::5, 1] = np.nan, np.nan
    points = rng.uniform(0, 64, (256, 5, 2)).astype(np.float32)
    names = np.array([""] * 256)
    crops = SeenCrops(landmarks, memory.astype(np.float16), points, errors, seen, names)
    fit_head(model, crops, epochs=20, batch_size=32, learning_rate=5e-3)
    tables = [
        np.asarray(model.get_layer(n).table)[None] for n in ("landmark_places", "token_positions")
    ]

    found = ops.convert_to_numpy(
        model.certainty(
            landmarks[:2].astype("f4"), tables[0], memory[:2].astype("f4"), tables[1], points[:2]
        )
    ).mean(1)
    easy, hard = found
    assert 3 < hard[0] / easy[0] < 16
    assert easy[2] < easy[0] / 2
    assert easy[3] > 0.8
    assert hard[3] < 0.2


def test_ratios_make_errors_those_of_held_out_faces(preset, data):
    model = LOTR.from_preset(preset)
    train, held_out = (read_samples(data, split, "ibug68") for split in ("train", "val"))
    ratios = held_out_ratios(model, train, held_out)
    assert set(ratios) == {"a", "b"}
    assert all(1 <= ratio <= 3 for ratio in ratios.values())
    crops = SeenCrops(None, None, None, np.ones((2, 5, 2), np.float32), None, np.array(["a", ""]))
    np.testing.assert_array_equal(as_held_out(crops, {"a": 2.0}).errors[:, 0, 0], [2, 1])


def test_crops_hide_what_is_covered_or_outside(data):
    sample = read_samples(data, "train", "ibug68")[0]
    preprocessor = tiny_lotr(68).preprocessor
    rng = np.random.default_rng(0)
    for _ in range(30):
        crop, points, seen, name = random_crop_of(sample, preprocessor, rng)
        outside = ((points < -0.5) | (points > 63.5)).any(-1)
        assert (seen[outside] == 0).all()
        assert (crop.shape, name) == ((64, 64, 3), "a")
    assert np.isnan(random_crop_of(sample, preprocessor, rng, with_points=False)[1]).all()


def test_landmarks_that_weigh_nothing_teach_no_errors(data):
    """Their labels still say whether they are seen, beyond the crop never."""
    sample = read_samples(data, "train", "ibug68")[0]
    weights = np.array([1.0] * 67 + [0.0])
    sample = replace(sample, weights=weights, visibility=np.ones(68), scheme="plain68")  # no flip
    rng = np.random.default_rng(0)
    for _ in range(10):
        _, points, seen, _ = random_crop_of(sample, tiny_lotr(68).preprocessor, rng)
        assert np.flatnonzero(np.isnan(points[:, 0])).tolist() == [67]
        assert seen[67] in (0, 1)


def test_false_boxes_touch_no_face(data):
    photos = photos_with_boxes(data / "images")
    held_out = photos_with_boxes(data / "images", held_out=True)
    assert not {path for path, _ in photos} & {path for path, _ in held_out}
    rng, face = np.random.default_rng(0), np.array([[20, 20, 80, 80]], np.float32)
    for _ in range(20):
        assert overlaps(false_box((120, 160, 3), face, rng), face)[0] < 0.1


def test_visible_samples_are_converted(data):
    samples = visible_samples(data, "train", "wflw98")
    assert samples[1].visibility[60] == 1  # the outer corner of an eye
    assert samples[1].visibility[0] == -1
    assert np.isnan(samples[1].visibility[1])


def test_what_is_seen_is_checked(data):
    sample = read_samples(data, "train", "ibug68")[0]
    for wrong in ([1] * 5, [2] * 68):
        with pytest.raises(ValueError, match="whether it is seen"):
            replace(sample, visibility=wrong)


def with_angles(folder):
    """The rendered faces of the examples with all their angles, of which only the yaw is known."""
    shutil.copytree("examples/rendered_faces/shard-00019", folder / "shard-00019")
    arrays = dict(np.load(folder / "shard-00019" / "labels.npz"))
    arrays |= {name: np.zeros_like(arrays["yaw"]) for name in ("pitch", "roll")}
    np.savez(folder / "shard-00019" / "labels.npz", **arrays)
    return folder


def test_angles_are_looked_at_before_anything_is_measured(trained, data, monkeypatch):
    monkeypatch.setattr(evaluation, "judge", None)
    with pytest.raises(ValueError, match="Expected arrays index, yaw, pitch, roll in "):
        evaluation.measure_certainty(trained, [data], "examples/rendered_faces")


def test_report_and_its_figures(trained, data, tmp_path):
    output = tmp_path / "certainty.json"
    command = ["report", "certainty", trained, "--data", data, "--photos", data / "images"]
    command += ["--rendered", with_angles(tmp_path / "rendered")]
    command += ["--output", output, "--figures", tmp_path]
    result = CliRunner().invoke(main, [*map(str, command)])
    assert result.exit_code == 0, result.output
    results = json.loads(output.read_text())
    assert set(results["sets"]) == {"a", "b", "rendered"}
    assert results["pose"]["rendered"].keys() > {"faces", "yaw", "pitch", "roll"}
    assert results["sets"]["b"]["visibility"]["profiles"].keys() == {
        "hidden_below_half",
        "seen_above_half",
    }
    assert results["ranking"]["false_boxes"] == 500
    for name in ("reliability", "sparsification"):
        assert (tmp_path / f"{name}.png").stat().st_size > 1000
    assert "in 90 %" in result.output


def test_ranking_by_hand():
    found = ranking(np.linspace(0.5, 1, 11), np.array([0.1, 0.2, 0.9]))
    assert found["false_below_worst_faces"] == pytest.approx(66.667)
    assert found["false_among_as_many_worst"] == pytest.approx(66.667)


def test_sparsification_by_hand():
    errors = np.arange(10) / 100
    left = left_of(errors, errors)
    assert left[0] == 4.5
    assert left[5] == 2.0
    assert left == sorted(left, reverse=True)


def test_review_shows_the_wrong_label_first(trained, data, tmp_path):
    wrong = shutil.copytree(data, tmp_path / "wrong")
    labels = json.loads((wrong / "labels.json").read_text())
    labels[2]["points68"] = np.add(labels[2]["points68"][::-1], 0).tolist()
    (wrong / "labels.json").write_text(json.dumps(labels))
    page = tmp_path / "page.html"
    command = ["review", trained, "--data", wrong, "--count", 3, "--output", page]
    result = CliRunner().invoke(main, [*map(str, command)])
    assert result.exit_code == 0, result.output
    text = page.read_text()
    assert len(re.findall("<figure>", text)) == 3
    assert "2.png" in text.split("</figure>")[0]


def test_without_certainty_one_sentence(preset, data, tmp_path):
    for command in (["review", preset], ["report", "certainty", preset]):
        result = CliRunner().invoke(main, [*map(str, command), "--data", str(data)])
        assert result.exit_code == 2
        assert "train-certainty" in result.output
    command = ["predict", "examples/astronaut.jpg", "--preset", preset, "--min-quality", 0.5]
    result = CliRunner().invoke(main, [*map(str, command)])
    assert result.exit_code == 2
    assert "train-certainty" in result.output


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_is_none(seed, preset, data, tmp_path):
    out = tmp_path / "out"
    command = ["train-certainty", preset, "--data", data, "--output", out, "--seed", seed]
    result = CliRunner().invoke(main, [*map(str, command)])
    assert result.exit_code == 2
    assert f"from 0 to 4294967295. Received: {seed}" in result.output
    assert not out.exists()


@pytest.mark.parametrize("name", ["crops", "epochs", "hidden_dim"])
def test_numbers_that_cannot_be(name, preset, data, tmp_path):
    with pytest.raises(ValueError, match=f"Expected {name} as a whole number from 1. Received: 0"):
        train_certainty(preset, [data], tmp_path / "out", **{name: 0})
    assert not (tmp_path / "out").exists()


def test_no_faces_to_calibrate_on(preset, data, tmp_path):
    command = ["train-certainty", preset, "--data", data, "--output", tmp_path / "x"]
    result = CliRunner().invoke(main, [*map(str, command), "--calibrate-on", "nobody"])
    assert result.exit_code == 2
    expected = f"Expected faces with a tag of nobody in the split val of {data}, which calibrate"
    assert expected in result.output


def test_no_val_faces(preset, tmp_path):
    data = write_faces(tmp_path / "faces", ["train"] * 2)
    with pytest.raises(ValueError, match="Expected faces in the split val of .*faces, which"):
        train_certainty(preset, [data], tmp_path / "x")


def test_another_preset_is_not_replaced(preset, data, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "model.safetensors").write_text("trained for days")
    for output in (other, other / "model.safetensors"):
        command = ["train-certainty", preset, "--data", data, "--output", output, "--crops", 64]
        result = CliRunner().invoke(main, [*map(str, command)])
        assert result.exit_code == 2 and "Expected a new or empty folder" in result.output
    assert (other / "model.safetensors").read_text() == "trained for days"
    assert len(list(other.iterdir())) == 1


def test_a_preset_with_a_head_is_written_whole_or_not_at_all(preset, tmp_path, monkeypatch):
    installed = shutil.copytree(preset, tmp_path / "installed")
    for path in installed.iterdir():
        path.chmod(0o444)
    installed.chmod(0o555)
    model, told = certainty_preset.with_head(installed, 16), {"factors": {}}
    with monkeypatch.context() as patch:
        patch.setattr(certainty_preset, "write_json", full_disk)
        with pytest.raises(OSError, match="No space"):
            certainty_preset.save_beside(model, installed, tmp_path / "new", told)
    assert list((tmp_path / "new").iterdir()) == []
    certainty_preset.save_beside(model, installed, tmp_path / "new", told)
    assert LOTR.from_preset(tmp_path / "new").certainty is not None
    written = [tmp_path / "new", *(tmp_path / "new").iterdir()]
    assert all(path.stat().st_mode & 0o200 for path in written)


def full_disk(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_nothing_to_report_on(trained, tmp_path):
    """One val face calibrates, and none is left to measure; of three photos none is held out."""
    one = write_faces(tmp_path / "one", ["train", "val"])
    result = CliRunner().invoke(main, ["report", "certainty", str(trained), "--data", str(one)])
    assert result.exit_code == 2 and "at least two faces in the split val" in result.output
    with pytest.raises(ValueError, match="at least 4 photos in .*every 4th .*Received: 2"):
        photos_with_boxes(one / "images", held_out=True)


def test_other_faces_calibrate_and_the_detector_decides(preset, data, tmp_path):
    other = write_faces(tmp_path / "other", ["val"] * 6)
    command = ["train-certainty", preset, "--data", data, "--output", tmp_path / "out"]
    command += ["--crops", 64, "--epochs", 1, "--calibrate-with", other, "--detector-decides"]
    command = [*map(str, command)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    told = json.loads((tmp_path / "out" / "metadata.json").read_text())["certainty"]
    assert told["calibrated_on"].startswith("3 faces")
    assert OnnxModel(tmp_path / "out" / "model.onnx").preprocessor.detector_decides
    model = LOTR.from_preset(tmp_path / "out")
    assert model.preprocessor.detector_decides
    calibrating = halves(read_samples(other, "val", "ibug68"))[0]
    assert calibrate(model, [calibrating]) == pytest.approx(told["factors"], abs=1e-3)
    assert calibrate(model, [halves(read_samples(data, "val", "ibug68"))[0]]) != told["factors"]


def test_predict_marks_or_drops(trained, tmp_path):
    command = ["predict", "examples/astronaut.jpg", "--preset", trained, "--min-quality", 1]
    command = [*map(str, command), "--engine", "onnxruntime", "--threshold", "0.6"]
    for more, count in (([], 1), (["--drop-low-quality"], 0)):
        output = tmp_path / f"{count}.json"
        result = CliRunner().invoke(main, [*command, *more, "--output", str(output)])
        assert result.exit_code == 0, result.output
        faces = json.loads(output.read_text())[0]["faces"]
        assert [face["low_quality"] for face in faces] == [True] * count
        dropped = "1 face in examples/astronaut.jpg is below --min-quality and was left out."
        assert (dropped in result.stderr) == (count == 0)
        assert "No face" not in result.stderr


def test_weighted_quantile_counts_weights():
    values = np.array([1.0, 2.0, 3.0])
    assert weighted_quantile(values, np.array([8.0, 1.0, 1.0]), 0.9) == 2.0


def test_figures_of_sets(tmp_path):
    part = {"coverage": {"0.5": 50.0}, "error_left": [2.0, 1.0], "error_left_if_known": [2.0, 0.5]}
    for draw, axis in ((draw_reliability, "promised, %"), (draw_sparsification, "dropped, %")):
        draw({"sets": {"wild": part}}, tmp_path / "a.svg")
        drawn = (tmp_path / "a.svg").read_text()
        assert "<!-- wild -->" in drawn and f"<!-- {axis}" in drawn
