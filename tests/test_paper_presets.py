"""The paper's four presets, end to end, on data sets laid out as WFLW and JD-landmark."""

import csv
import functools
import json
import os
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import tiny
from click.testing import CliRunner
from safetensors.numpy import load_file

from keras_lotr import LOTR
from keras_lotr.backbones import hrnet
from keras_lotr.cli import main
from keras_lotr.datasets import read_samples
from keras_lotr.presets.preset import WEIGHTS
from keras_lotr.training.recipe import Recipe
from keras_lotr.variants import VARIANTS

RENDERED = Path(__file__).parents[1] / "examples" / "rendered_faces"
PAPERS = ("lotr_m_jd", "lotr_m_plus_jd", "lotr_r_plus_jd", "lotr_hr_plus_wflw")


def write_wflw(folder, train=5, test=3):
    """Rendered faces as WFLW's authors hand theirs out."""
    lists = folder / "WFLW_annotations" / "list_98pt_rect_attr_train_test"
    lists.mkdir(parents=True)
    samples = read_samples(RENDERED, "train", "wflw98")
    for split, part in (("train", samples[:train]), ("test", samples[train:][:test])):
        lines = []
        for i, sample in enumerate(part):
            name = f"0--Parade/{Path(sample.path).name}"
            (folder / "WFLW_images" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(sample.path, folder / "WFLW_images" / name)
            flags = f"{int('pose' in sample.tags)} 0 0 {i % 2} 0 0"
            points = " ".join(f"{value:.6f}" for value in sample.points_image.ravel())
            lines.append(f"{points} 5 5 150 150 {flags} {name}\n")
        (lists / f"list_98pt_rect_attr_{split}.txt").write_text("".join(lines))
    return folder


def write_jd(folder, train=6, test=3):
    """Rendered faces as JD-landmark has them: an image and a text file for each."""
    samples = read_samples(RENDERED, "train", "jd106")
    parts = (("Training_data/AFW", samples[:train]), ("Test_data", samples[train:][:test]))
    for place, part in parts:
        for kind in ("picture", "landmark"):
            (folder / place / kind).mkdir(parents=True)
        for sample in part:
            name = Path(sample.path).name
            shutil.copy(sample.path, folder / place / "picture" / name)
            lines = ["106", *(f"{x:.6f} {y:.6f}" for x, y in sample.points_image)]
            (folder / place / "landmark" / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def small_networks(monkeypatch):
    """HR+ on 32 pixels with two narrow branches and no neck; LOTR-M tiny."""
    monkeypatch.setattr(hrnet, "WIDTHS", (4,))
    monkeypatch.setattr(hrnet, "ROUNDS", {2: 1})
    monkeypatch.setattr(hrnet, "_join", lambda branches: branches[-1])
    numbers = {**tiny.SETTINGS, **tiny.SHALLOW, "projection_dim": 16, "deconv_filters": (16, 16)}
    narrow = functools.partial(hrnet.HRNet, 4)
    monkeypatch.setitem(VARIANTS, "lotr_hr_plus", (narrow, 32, numbers))
    monkeypatch.setitem(VARIANTS, "lotr_m", tiny.tiny_variant())


@pytest.fixture
def smaller_batches(monkeypatch):
    """The recipes as they are but for the batch: there are six faces."""
    load = Recipe.load.__func__

    def small(cls, preset):
        entries = vars(load(cls, preset)) | {"batch_size": 2}
        return cls(**entries)

    monkeypatch.setattr(Recipe, "load", classmethod(small))


def run(*arguments):
    done = CliRunner().invoke(main, [str(a) for a in arguments])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize(
    ("name", "write", "threshold"),
    [
        pytest.param("lotr_hr_plus_wflw", write_wflw, "10", marks=pytest.mark.once),
        ("lotr_m_jd", write_jd, "8"),
    ],
)
def test_train_evaluate_and_save(
    name, write, threshold, small_networks, smaller_batches, tmp_path, monkeypatch
):
    data, out = write(tmp_path / "data"), tmp_path / "run"
    run("train", name, "--data", data, "--out", out, "--epochs", 2, "--backbone-weights", "none")
    with open(out / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[1]["learning_rate"]) == pytest.approx(1e-5)  # x 0.1 after 50 % and 75 %

    output = tmp_path / "results" / "results.json"
    run("evaluate", out / "preset", "--data", data, "--flip", "--output", output)
    results = json.loads(output.read_text())
    assert results["faces"] == 3 and np.isfinite(results["nme"])
    assert results["failure_rate"].keys() == {"8", "10"}
    text = run("report", "table", output, "--output", tmp_path / "table.md")
    assert f"FR and AUC at {threshold} %" in text and "| run (flip) |" in text

    LOTR.from_preset(out / "preset").save_to_preset(tmp_path / "again")
    saved, again = (load_file(tmp_path / p / WEIGHTS) for p in ("run/preset", "again"))
    tiny.assert_same_weights(saved, again)


def test_recipes_have_the_schedule_of_the_paper():
    for name in PAPERS:
        recipe = Recipe.load(name)
        assert (recipe.optimizer, recipe.schedule, recipe.learning_rate) == ("lamb", "steps", 1e-3)
        assert (recipe.epochs, recipe.batch_size, recipe.ema) == (100, 32, 0.0)
        assert recipe.backbone_weights.startswith("hf://timm/")
        assert "paper" in recipe.notes and "ours" in recipe.notes


def shorten(lines):
    return [lines[0], *(line.rpartition(" ")[0] for line in lines[1:])]


def move(lines):
    return [lines[0], " ".join(["900 900 950 950 " * 49, *lines[1].split()[196:]])]


def shrink(lines):
    return [lines[0], " ".join(["50 " * 196, *lines[1].split()[196:]])]


def rename(lines):
    return [lines[0], lines[1].replace(".jpg", ".gif")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (shorten, "attr_train.txt, line 2. Received: 206"),
        (move, "attr_train.txt, line 2). Received: landmarks in x 900.0 .. 950.0"),
        (shrink, "Expected a box x0, y0, x1, y1"),
        (rename, "lacks 1 of its image files"),
        (lambda lines: lines[:1], "Expected at least two faces"),
        (lambda lines: [], "No face of split 'train'"),
    ],
)
def test_bad_lists_leave_nothing_behind(change, message, tmp_path):
    data, out = write_wflw(tmp_path / "data"), tmp_path / "run"
    (path,) = data.rglob("list_98pt_rect_attr_train.txt")
    path.write_text("\n".join(change(path.read_text().splitlines())))
    arguments = ["train", "lotr_hr_plus_wflw", "--data", str(data), "--out", str(out)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2 and message in done.output
    assert len(done.output.splitlines()) == 1 and not out.exists()


def test_mixed_schemes_leave_nothing_behind(tmp_path):
    """Three points of one's own cannot be read as WFLW's 98."""
    own = tmp_path / "own.csv"
    image = os.path.relpath(RENDERED.parent / "rendered1.jpg", tmp_path)
    own.write_text(f"image,x0,y0,x1,y1,x2,y2\n{image},80,90,150,90,110,180\n")
    data = ["--data", str(write_wflw(tmp_path / "wflw")), "--data", str(own)]
    arguments = ["train", "lotr_hr_plus_wflw", *data, "--out", str(tmp_path / "run")]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2 and "Received: plain3" in done.output
    assert "own.csv" in done.output
    assert not (tmp_path / "run").exists()


def test_mixed_precision(small_networks, smaller_batches, tmp_path):
    data, out = write_jd(tmp_path / "data"), tmp_path / "run"
    start = ["train", "lotr_m_jd", "--data", data, "--out", out, "--backbone-weights", "none"]
    run(*start, "--epochs", 1, "--mixed-precision")
    assert keras.config.dtype_policy().name == "float32"
    assert json.loads((out / "recipe.json").read_text())["dtype"] == "mixed_bfloat16"
    model = LOTR.from_preset(out / "preset")
    assert model.get_layer("reduce").compute_dtype == "float32"
    assert model.predict(tiny.random_crops(), verbose=0).dtype == np.float32
