"""`train`: what it writes, exact resume after a kill, and that a recipe takes effect."""

import csv
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from keras import ops
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from tiny import (
    SETTINGS,
    SHALLOW,
    assert_same_weights,
    randomize,
    tiny_backbone,
    tiny_lotr,
    weights_of,
    write_faces,
)

from keras_lotr import LOTR
from keras_lotr.cli import main
from keras_lotr.datasets import read_samples
from keras_lotr.datasets.batches import LandmarkBatches, load_crops
from keras_lotr.layers.mean_shape import TABLES, UNTRAINED_ZERO
from keras_lotr.metrics import normalized_mean_error
from keras_lotr.presets import weights
from keras_lotr.presets.preset import RECIPE, WEIGHTS, Preprocessor
from keras_lotr.presets.weights import save_arrays
from keras_lotr.training import memory, training, validation
from keras_lotr.training.checkpoint import CHECKPOINT, HISTORY, only_run
from keras_lotr.training.recipe import Recipe
from keras_lotr.training.starting_model import mean_shape_of
from keras_lotr.training.training import build, train

RUN = Recipe(batch_size=2, epochs=3, warmup_steps=1, learning_rate=3e-3, ema=0.5)

pytestmark = pytest.mark.usefixtures("tiny_variant")


def history_of(out):
    with open(out / HISTORY, newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def start(recipe, data, out, **settings):
    return train(recipe, [data], out, verbose=0, **settings)


@pytest.fixture(scope="module")
def whole(rendered_faces, tmp_path_factory, tiny_variant):
    """A run of three epochs that nothing interrupted."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    before = random.getstate(), np.random.get_state()[1].tolist()
    start(RUN, rendered_faces, out)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before
    return out


# === A whole run ===
def test_files(whole):
    assert sorted(p.name for p in whole.iterdir()) == [CHECKPOINT, HISTORY, "preset", RECIPE]
    assert json.loads((whole / RECIPE).read_text()) == asdict(RUN)
    assert Recipe.load(whole / "preset" / RECIPE) == RUN


def test_history(whole):
    with open(whole / HISTORY, newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["epoch", "loss", "val_nme", "learning_rate", "seconds"]
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert all(0 < float(row["loss"]) < 1000 and 0 < float(row["val_nme"]) < 1000 for row in rows)
    rates = [row["learning_rate"] for row in rows]
    assert all(rate == str(float(f"{float(rate):.4g}")) for rate in rates)
    assert 0 < float(rates[-1]) < float(rates[0]) <= RUN.learning_rate


def test_preset_has_the_best_weights(whole, rendered_faces):
    model = LOTR.from_preset(whole / "preset")
    assert model.preprocessor == Preprocessor("ibug68", 64, 1.3)
    crops, points = load_crops(read_samples(rendered_faces, "val", "ibug68"), 64, 1.3)
    nme = normalized_mean_error(points, model.predict_points(crops), "ibug68")
    best = min(float(row["val_nme"]) for row in history_of(whole))
    np.testing.assert_allclose(np.mean(ops.convert_to_numpy(nme)), best, rtol=1e-4)


def test_log_is_a_header_and_a_line_an_epoch(rendered_faces, tmp_path, capsys):
    train(replace(RUN, epochs=2), rendered_faces, tmp_path / "run")  # a single folder
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Training faces: {rendered_faces} 8"
    assert lines[1] == "Validation faces: all 4"
    assert re.match(r"Model: [\d,]+ parameters, [\d,]+ trainable; starts from random", lines[2])
    assert lines[3].startswith("Schedule: 2 epochs of 4 batches of 2 crops (64 pixels), adamw, lea")
    number = r"[\d.e+-]+"
    for epoch, line in enumerate(lines[5:], 1):
        numbers = f"loss {number}, val_nme {number}, learning_rate {number}, seconds {number}"
        assert re.fullmatch(f"Epoch {epoch} of 2: {numbers}", line), line
    assert len(lines) == 7


class Look(keras.callbacks.Callback):
    """Stops after an epoch, and keeps what it saw."""

    def on_epoch_end(self, epoch, logs=None):
        self.logs = dict(logs)
        self.model.stop_training = True


def test_callbacks_see_the_nme_and_may_stop(rendered_faces, tmp_path):
    look = Look()
    start(RUN, rendered_faces, tmp_path / "run", callbacks=[look])
    (row,) = history_of(tmp_path / "run")
    assert look.logs["val_nme"] == float(row["val_nme"])
    assert {"loss", "nme", "val_loss"} <= look.logs.keys()


def test_only_the_command_changes_the_memory_of_the_process(rendered_faces, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(memory, "keep_memory", lambda: calls.append("kept"))
    recipe = write_recipe(tmp_path, asdict(replace(RUN, epochs=1)))
    start(Recipe.load(recipe), rendered_faces, tmp_path / "library")
    assert calls == []
    arguments = ["train", recipe, "--data", rendered_faces, "--out", tmp_path / "command"]
    done = CliRunner().invoke(main, [str(a) for a in arguments])
    assert done.exit_code == 0, done.output
    assert calls == ["kept"]


def test_a_training_that_diverges(rendered_faces, tmp_path):
    recipe = replace(RUN, epochs=3, learning_rate=1e30, clipnorm=1e30, warmup_steps=0)
    with pytest.raises(ValueError, match="NaN.*: lower the learning rate, or .* not finite"):
        start(recipe, rendered_faces, tmp_path / "run")
    assert len(history_of(tmp_path / "run")) == 1


def test_refuses_to_overwrite(whole, rendered_faces):
    before = (whole / CHECKPOINT).stat().st_mtime_ns
    with pytest.raises(ValueError, match=r"already holds a training.*--resume"):
        start(RUN, rendered_faces, whole)
    assert (whole / CHECKPOINT).stat().st_mtime_ns == before


@pytest.mark.parametrize("name", [RECIPE, "preset/config.json", "presets/mine/config.json"])
def test_what_is_not_of_the_training_is_not_replaced(name, rendered_faces, tmp_path):
    file = tmp_path / "own" / name
    file.parent.mkdir(parents=True)
    file.write_text('{"epochs": 3}')
    with pytest.raises(ValueError, match=rf"own/{name.split('/')[0]} is not of this training"):
        start(RUN, rendered_faces, tmp_path / "own")
    assert list(tmp_path.rglob("*.*")) == [file]
    assert file.read_text() == '{"epochs": 3}'


def test_a_history_without_its_checkpoint_is_not_overwritten(rendered_faces, tmp_path):
    (tmp_path / HISTORY).write_text("epoch,loss\n1,2\n")
    for resume in (False, True):
        with pytest.raises(ValueError, match=rf"holds the {HISTORY} .* no {CHECKPOINT} to go on"):
            start(RUN, rendered_faces, tmp_path, resume=resume)


def test_a_second_training_into_the_folder_is_refused(rendered_faces, tmp_path):
    class Second(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            for resume in (False, True):
                other = replace(RUN, epochs=7)
                with pytest.raises(ValueError, match="training|nothing to resume"):
                    start(other, rendered_faces, tmp_path / "run", resume=resume)
            refused.append(epoch)

    refused = []
    start(RUN, rendered_faces, tmp_path / "run", callbacks=[Second()])
    assert refused == [0, 1, 2]
    assert Recipe.load(tmp_path / "run" / RECIPE) == RUN
    with (
        only_run(tmp_path / "run", True),  # the lock is free again
        pytest.raises(ValueError, match="Another training is running in .*run. Wait"),
        only_run(tmp_path / "run", True),
    ):
        pass


@pytest.mark.parametrize("name", [CHECKPOINT, WEIGHTS])
def test_a_full_disk_is_a_sentence_and_loses_nothing(
    name, whole, rendered_faces, tmp_path, monkeypatch
):
    def full(arrays, path, metadata=None):
        # The second checkpoint; of the weights, those of the first epoch.
        if (out / CHECKPOINT).exists() if "history" in metadata else name == WEIGHTS:
            Path(path).write_bytes(bytes(100))
            raise SafetensorError("I/O error: No space left on device (os error 28)")
        save_file(arrays, path, metadata)

    out = tmp_path / "run"
    monkeypatch.setattr(weights, "save_file", full)
    with pytest.raises(OSError, match=rf"{name} cannot be written: .*No space left"):
        start(RUN, rendered_faces, out)
    assert not list(out.rglob(".*"))
    monkeypatch.undo()
    start(RUN, rendered_faces, out, resume=name == CHECKPOINT)
    assert_same_run(out, whole)


def test_a_folder_that_cannot_be_written(rendered_faces, tmp_path):
    tmp_path.chmod(0o500)
    try:
        if os.access(tmp_path, os.W_OK):
            pytest.skip("may write everywhere, as root may")
        with pytest.raises(OSError, match="Permission denied"):
            start(RUN, rendered_faces, tmp_path / "run")
    finally:
        tmp_path.chmod(0o700)


def test_nothing_to_resume(rendered_faces, tmp_path):
    with pytest.raises(ValueError, match=rf"nothing to resume in .*no {CHECKPOINT}"):
        start(RUN, rendered_faces, tmp_path / "new", resume=True)


def test_a_run_that_is_done_is_told(whole, rendered_faces, tmp_path, capsys):
    done = shutil.copytree(whole, tmp_path / "done")
    train(replace(RUN, epochs=2), [rendered_faces], done, resume=True, verbose=2)
    assert "This run has 3 epochs already, and 2 are asked for" in capsys.readouterr().out
    assert history_of(done) == history_of(whole)


# === Exact resume ===
def assert_same_run(out, whole):
    assert history_of(out) == history_of(whole)
    for name in (CHECKPOINT, f"preset/{WEIGHTS}"):
        assert_same_weights(load_file(out / name), load_file(whole / name))


def test_resume_after_an_error(whole, rendered_faces, tmp_path, monkeypatch):
    good = LandmarkBatches.__getitem__

    def stop(batches, index):
        if (out / CHECKPOINT).exists() and index == 1:
            raise RuntimeError("stop here")
        return good(batches, index)

    out = tmp_path / "stopped"
    monkeypatch.setattr(LandmarkBatches, "__getitem__", stop)
    with pytest.raises(Exception, match="stop here"):
        start(RUN, rendered_faces, out)
    assert history_of(out) == history_of(whole)[:1]
    monkeypatch.undo()
    start(RUN, rendered_faces, out, resume=True)
    assert_same_run(out, whole)


def test_workers_and_a_resume_change_nothing(whole, rendered_faces, tmp_path):
    """Batches that were prepared ahead are of no other epoch."""
    out = tmp_path / "run"
    start(RUN, rendered_faces, out, workers=3, callbacks=[Look()])
    assert history_of(out) == history_of(whole)[:1]
    start(RUN, rendered_faces, out, workers=2, resume=True)
    assert_same_run(out, whole)


@pytest.fixture(scope="module")
def begun(rendered_faces, tmp_path_factory, tiny_variant):
    """A run that stopped after an epoch; it started from a preset of other landmarks."""
    folder = tmp_path_factory.mktemp("begun")
    tiny_lotr(5, **SHALLOW).save_to_preset(folder / "init")
    start(RUN, rendered_faces, folder / "run", init=folder / "init", callbacks=[Look()])
    return folder / "run"


def test_a_resumed_run_has_the_start_and_the_recipe_of_its_own(begun, rendered_faces, tmp_path):
    out = shutil.copytree(begun, tmp_path / "run")
    for recipe in (replace(RUN, init="lotr_m_68"), Recipe.load(begun / RECIPE)):
        start(replace(recipe, epochs=2), rendered_faces, out, resume=True)
    init = str(begun.parent / "init")
    assert Recipe.load(out / RECIPE) == replace(Recipe.load(begun / RECIPE), epochs=2)
    assert Recipe.load(out / "preset" / RECIPE).init == init
    assert len(history_of(out)) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"init": "lotr_m_68"}, r"begun with init '.*init'. Received: 'lotr_m_68'. Resume it as"),
        ({"batch_size": 4}, "begun with batch_size 2. Received: 4"),
        ({"model": {"num_heads": 2}}, r"begun with model \{\}. Received: \{'num_heads': 2\}"),
        ({"data": ["train"] * 7 + ["val"] * 4}, r"begun with faces to train on \[8\]. Rec.*\[7\]"),
        ({"data": ["train"] * 8 + ["val"] * 3}, r"faces to validate with \[4\]. Received: \[3\]"),
    ],
)
def test_a_run_is_not_resumed_as_another(begun, rendered_faces, change, message, tmp_path):
    others = {name: value for name, value in change.items() if name not in ("data", "init")}
    data = rendered_faces
    if "data" in change:
        data = write_faces(tmp_path / "faces", change["data"])
    before = {path: path.read_bytes() for path in begun.rglob("*.*")}
    with pytest.raises(ValueError, match=message):
        start(replace(RUN, **others), data, begun, init=change.get("init"), resume=True)
    assert {path: path.read_bytes() for path in begun.rglob("*.*")} == before


KILLED = """
import os, signal, sys
import tiny
tiny.use_tiny_variant()
from keras_lotr import writing
from keras_lotr.training.recipe import Recipe
from keras_lotr.training.training import train

class Kill:
    def __getattr__(self, name):
        return getattr(os, name)
    def replace(self, source, target):
        if target.name == sys.argv[4]:
            if os.path.exists(target) or sys.argv[5] == "first":
                os.kill(os.getpid(), signal.SIGKILL)  # it is written, and not named
        os.replace(source, target)

writing.os = Kill()
train(Recipe.load(sys.argv[1]), [sys.argv[2]], sys.argv[3], verbose=0)
"""


@pytest.mark.once
@pytest.mark.parametrize(
    ("name", "time"), [(CHECKPOINT, "second"), (HISTORY, "second"), (HISTORY, "first")]
)
def test_resume_after_a_kill(name, time, whole, rendered_faces, tmp_path):
    out = tmp_path / "killed"
    command = [sys.executable, "-c", KILLED, whole / RECIPE, rendered_faces, out, name, time]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    killed = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert [path.name for path in out.iterdir() if path.name.startswith(".")]
    start(RUN, rendered_faces, out, resume=True)
    assert_same_run(out, whole)
    assert not list(out.rglob(".*"))  # nothing that is half written


# === What of a recipe takes effect ===
def test_frozen_layers_and_batch_norm_do_not_move(rendered_faces, tmp_path):
    tiny_lotr(68, **SHALLOW).save_to_preset(tmp_path / "init")
    recipe = replace(RUN, epochs=1, frozen_layers=["conv1"], ema=0.0)
    start(recipe, rendered_faces, tmp_path / "run", init=tmp_path / "init")
    before, after = (load_file(tmp_path / p / WEIGHTS) for p in ("init", "run/preset"))
    moved = {key for key in before if (before[key] != after[key]).any()}
    still = {key for key in before if key not in moved}
    assert {k for k in before if k.startswith(("backbone/conv1", "backbone/bn1"))} <= still
    assert {"backbone/conv2/kernel", "reduce/kernel", "head/hidden1/kernel"} <= moved


@pytest.fixture(scope="module")
def groups(rendered_faces):
    return [read_samples(rendered_faces, "train", "ibug68")]


@pytest.mark.parametrize("rate", [0.0, 0.1])
def test_backbone_rate_of_zero_freezes(groups, rate, tmp_path):
    tiny_lotr(68, **SHALLOW).save_to_preset(tmp_path)
    model = build(replace(RUN, backbone_rate=rate, freeze_batch_norm=False), groups, tmp_path)
    assert bool(model.backbone.trainable_variables) == (rate > 0)
    assert model.get_layer("bn1").trainable == (rate > 0)
    assert model.get_layer("head").trainable


@pytest.mark.parametrize("freeze", [False, True])
def test_batch_norm_is_averaged_as_slowly_as_the_weights(groups, freeze, tmp_path):
    """Statistics of the last weights do not fit averaged ones."""
    settings = {"deconv_filters": (8,), "num_heads": 2}
    tiny_lotr(68, **SHALLOW, **settings).save_to_preset(tmp_path)
    start = {"init": tmp_path}
    recipe = replace(RUN, ema=0.75, freeze_batch_norm=freeze)
    model = build(recipe, groups, **start)
    assert model.get_layer("deconv1_bn").momentum == 0.75
    assert (model.backbone.get_layer("bn1").momentum == 0.75) == (not freeze)
    without = build(replace(recipe, ema=0.0), groups, **start)
    assert without.get_layer("deconv1_bn").momentum == 0.9


def test_start_from_a_preset_of_other_landmarks(groups, tmp_path):
    init = randomize(tiny_lotr(5, **SHALLOW))
    init.save_to_preset(tmp_path)
    model = build(RUN, groups, tmp_path)
    assert model.output_shape == (None, 68, 2)
    assert model.preprocessor == Preprocessor("ibug68", 64, 1.3)
    old, new = weights_of(init), weights_of(model)
    for key in old:
        if key not in (*TABLES, UNTRAINED_ZERO):
            np.testing.assert_array_equal(new[key], old[key], err_msg=key)


def test_landmarks_without_a_label_stay_where_the_preset_has_them(groups, tmp_path):
    init = tiny_lotr(68, **SHALLOW)
    init.preprocessor = Preprocessor("ibug68", 64, 1.3)
    init.save_to_preset(tmp_path)
    inner = [np.where(np.arange(68)[:, None] < 17, np.nan, s.points_image) for s in groups[0]]
    faces = [replace(s, points_image=p) for s, p in zip(groups[0], inner, strict=True)]
    model = build(RUN, [faces], tmp_path)
    np.testing.assert_array_equal(model.mean_shape, init.mean_shape)
    with pytest.raises(ValueError, match="Expected each landmark to have a label on some face"):
        build(RUN, [faces], tmp_path / WEIGHTS)


def test_start_from_a_file_of_weights(groups, tmp_path):
    init = randomize(tiny_lotr(68, **SHALLOW))
    init.save_to_preset(tmp_path)
    assert_same_weights(weights_of(build(RUN, groups, tmp_path / WEIGHTS)), weights_of(init))


def test_start_from_the_weights_of_a_relative(groups, tmp_path, capsys):
    init = randomize(tiny_lotr(68, **SHALLOW))
    init.save_to_preset(tmp_path)
    deeper = replace(RUN, model={"num_decoder_layers": 2})
    model = build(deeper, groups, tmp_path / WEIGHTS)
    assert capsys.readouterr().out.startswith("Start anew: decoder2. All else is that of ")
    old, new = weights_of(init), weights_of(model)
    for key in new:
        if key in old:
            np.testing.assert_array_equal(new[key], old[key], err_msg=key)
        else:
            assert key.startswith("decoder2/")


# === What a recipe starts from ===
@pytest.mark.parametrize(
    "change", [{"frozen_layers": ["conv1"]}, {"backbone_rate": 0}, {"backbone_weights": "none"}]
)
def test_layers_that_nobody_has_trained_are_not_frozen(groups, change, tmp_path):
    recipe = replace(RUN, **{"frozen_layers": ["conv1"], **change})
    with pytest.raises(ValueError, match="freezes layers that nobody has trained .*Give what"):
        build(recipe, groups, None)
    assert build(RUN, groups, None).get_layer("bn1").trainable
    tiny_lotr(68, **SHALLOW).save_to_preset(tmp_path)
    assert not build(recipe, groups, tmp_path).get_layer("bn1").trainable


def test_frozen_layers_that_are_not_there(groups, tmp_path):
    tiny_lotr(68, **SHALLOW).save_to_preset(tmp_path)
    with pytest.raises(ValueError, match=r"Expected frozen_layers as .*Received: \['block1_'\]"):
        build(replace(RUN, frozen_layers=["conv", "block1_"]), groups, tmp_path)


def test_a_preset_of_another_size(groups, tmp_path):
    tiny_lotr(68, tiny_backbone(32), **SHALLOW).save_to_preset(tmp_path)
    with pytest.raises(ValueError, match="Expected a recipe with image_size 32, .*Received: 64"):
        build(RUN, groups, tmp_path)


def test_a_recipe_without_a_size_takes_that_of_the_preset(rendered_faces, tmp_path):
    small = tiny_lotr(68, tiny_backbone(32), **SHALLOW)
    small.preprocessor = Preprocessor("ibug68", 32)
    small.save_to_preset(tmp_path / "small")
    start(replace(RUN, epochs=1), rendered_faces, tmp_path / "run", init=tmp_path / "small")
    assert Recipe.load(tmp_path / "run/preset/recipe.json").image_size == 32
    assert LOTR.from_preset(tmp_path / "run/preset").image_size == 32


def test_a_recipe_names_what_it_starts_from(groups, tmp_path):
    init = randomize(tiny_lotr(68, **SHALLOW))
    init.save_to_preset(tmp_path)
    model = build(replace(RUN, init=str(tmp_path)), groups, None)
    assert_same_weights(weights_of(model), weights_of(init))
    lost = replace(RUN, init="the sixth stage of lotr_m_68")
    with pytest.raises(ValueError, match="goes on from the sixth stage of lotr_m_68, which"):
        build(lost, groups, None)
    assert_same_weights(weights_of(build(lost, groups, tmp_path)), weights_of(init))
    build(replace(lost, backbone_weights="none"), groups, None)


@pytest.mark.parametrize(
    "model",
    [{"num_heads": 5}, {"projection_dim": "wide"}, {"channels": -4}, {"deconv_filters": 8}],
)
def test_a_model_that_cannot_be_built(groups, model):
    with pytest.raises(ValueError, match="Expected a model .* of 64 pixels that can be built: ."):
        build(replace(RUN, model=model), groups, None)


def test_start_from_a_stranger(groups, tmp_path):
    save_arrays({"backbone/conv1/kernel": np.zeros((5, 5, 3, 8), np.float32)}, tmp_path / WEIGHTS)
    with pytest.raises(ValueError, match=r"weights only 1 fit: \d+ missing"):
        build(RUN, groups, tmp_path / WEIGHTS)


@pytest.mark.parametrize("splits", [[None] * 12, ["train"] * 12])
def test_without_validation_split_every_tenth_is_held_out(splits, tmp_path, monkeypatch):
    data = write_faces(tmp_path / "kit", splits)
    seen = {}

    def look(model, batches, *settings, **more):
        seen["train"] = len(batches.groups[0])

    def count(samples, *contract):
        seen["val"] = len(samples)
        return load_crops(samples, *contract)

    monkeypatch.setattr(validation, "load_crops", count)
    monkeypatch.setattr(keras.Model, "fit", look)
    with pytest.raises(ValueError, match="No epoch of the training had a finite NME"):
        start(RUN, data, tmp_path / "run")
    assert seen == {"train": 10, "val": 2}


def test_mean_shape_comes_from_the_training_faces(whole, rendered_faces):
    points = load_crops(read_samples(rendered_faces, "train", "ibug68"), 64, 1.3)[1]
    model = LOTR.from_preset(whole / "preset")
    np.testing.assert_allclose(model.mean_shape, ((points + 0.5) / 64).mean(0), atol=1e-4)
    assert model.ffn_dim == SETTINGS["ffn_dim"]


# === Recipes ===
def write_recipe(folder, entries):
    path = folder / "recipe.json"
    path.write_text(entries if isinstance(entries, str) else json.dumps(entries))
    return path


def test_a_recipe_weighs_the_openings_of_its_landmarks(rendered_faces, whole, tmp_path):
    assert Recipe().loss_for("ibug68").openings == []
    loss = Recipe(opening_weight=0.5).loss_for("ibug68")
    assert (len(loss.openings), loss.opening_weight) == (7, 0.5)
    start(replace(RUN, opening_weight=0.5), rendered_faces, tmp_path, callbacks=[Look()])
    assert float(history_of(tmp_path)[0]["loss"]) > float(history_of(whole)[0]["loss"])


def test_recipe_file(tmp_path):
    recipe = Recipe.load(write_recipe(tmp_path, {"epochs": 7, "notes": "why"}))
    assert recipe == Recipe(epochs=7, notes="why")
    assert recipe.size == 64  # that of the variant


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"epoch": 7, "lr": 1}, r"unknown keys \['epoch', 'lr'\]; known are \['variant'"),
        ({"variant": "lotr_x"}, "Expected variant of .*Received: 'lotr_x'"),
        ({"optimizer": "sgd"}, "Expected optimizer of"),
        ({"schedule": "linear"}, "Expected schedule of"),
        ({"scheme": "ibug69"}, "Expected a landmark scheme"),
        ({"augmentation": {"turn": 3}}, r"augmentation has unknown keys \['turn'\]; known are"),
        ({"model": {"num_haeds": 4}}, r"model has unknown keys \['num_haeds'\]; known are"),
        ({"model": [1]}, r"Expected model as an object. Received: \[1\]"),
        ({"epochs": "many"}, "Expected epochs as a whole number of at least 1. Received: 'many'"),
        ({"batch_size": 0}, "Expected batch_size as a whole number of at least 1"),
        ({"learning_rate": float("nan")}, "Expected learning_rate as a number of at least"),
        ({"opening_weight": -1}, "Expected opening_weight as a number of at least 0"),
        ({"ema": 1}, "Expected ema as a number of at least 0 and below 1. Received: 1"),
        ({"seed": 2**32}, "Expected seed as .* of at least 0 and below 4294967296. Received: 4294"),
        ({"init": 5}, "Expected init as a text or null. Received: 5"),
        ({"backbone_weights": 5}, "Expected backbone_weights as a text or null. Received: 5"),
        ({"frozen_layers": None}, "Expected frozen_layers as a list of texts. Received: None"),
        ({"frozen_layers": "conv1"}, "Expected frozen_layers as a list of texts. Rec.*'conv1'"),
        ({"frozen_layers": [1]}, r"Expected frozen_layers as a list of texts. Received: \[1\]"),
        ({"freeze_batch_norm": "no"}, "Expected freeze_batch_norm as true or false. Rec.*'no'"),
        ({"mixture": None}, "Expected mixture as a list of groups. Received: None"),
        ({"mixture": {}}, r"Expected mixture as a list of groups. Received: \{\}"),
        ({"augmentation": {"rotation": "a"}}, "rotation of an augm.* from 0 to 180. Received: 'a'"),
        ({"augmentation": {"rotation": None}}, "Expected rotation of an augm.* Received: None"),
        ('{"augmentation": {"rotation": 1e400}}', "Expected rotation of an augm.* Received: inf"),
        ({"augmentation": {"scale": -1.5}}, "Expected scale of an augm.* Received: -1.5"),
        ({"augmentation": {"shift": -0.1}}, "Expected shift of an augm.* Received: -0.1"),
        ({"augmentation": {"color": -1}}, "Expected color of an augmentation.* Received: -1"),
        ({"augmentation": {"flip": 7}}, "Expected flip of an augm.* from 0 to 1. Received: 7"),
        ({"samples_per_epoch": 2.5}, "Expected samples_per_epoch as a whole number"),
        ({"model": {"unknown": 1}}, r"unknown keys \['unknown'\]; known are \['deconv(?!.*unkn)"),
        ("{", "Expected JSON in"),
        ("[]", r"Expected a recipe as an object in .*json. Received: \[\]"),
    ],
)
def test_bad_recipe(tmp_path, entries, message):
    with pytest.raises(ValueError, match=message):
        Recipe.load(write_recipe(tmp_path, entries))


def test_numbers_of_numpy_in_a_recipe():
    recipe = Recipe(
        batch_size=np.int64(8), seed=np.int64(3), learning_rate=np.float32(0.5), margin=2,
        model={"num_heads": np.int64(4)}, augmentation={"flip": np.float32(0.5)},
    )  # fmt: skip
    written = json.loads(json.dumps(asdict(recipe)))
    assert [written[name] for name in ("batch_size", "seed", "learning_rate")] == [8, 3, 0.5]
    assert (written["model"], written["augmentation"]) == ({"num_heads": 4}, {"flip": 0.5})
    assert type(recipe.margin) is int  # as it was given


def test_steps_of_the_learning_rate():
    """x 0.1 after 50 % and 75 %: of 8 steps 4 at the peak, 2 and 2."""
    expected = np.array([1] * 4 + [0.1] * 2 + [0.01] * 2)
    for warmup, rise in ((0, 1), (4, np.minimum(np.arange(8) / 4, 1))):
        recipe = Recipe(schedule="steps", learning_rate=1.0, warmup_steps=warmup)
        rates = [float(ops.convert_to_numpy(recipe.schedule_of(8)(step))) for step in range(8)]
        np.testing.assert_allclose(rates, expected * rise, rtol=1e-6)


@pytest.mark.parametrize("init", [None, "mine/preset"])
def test_recipes_of_strangers_read_nothing_of_this_computer(init, tmp_path, monkeypatch):
    """What a recipe of the Hub names may be words, a preset's name, or on the Hub itself."""
    monkeypatch.chdir(tmp_path)
    tiny_lotr(5).save_to_preset(tmp_path / "mine" / "preset")
    recipe = Recipe(init=init)
    if init is None:
        recipe._check_stranger("hf://me/x")
    else:
        with pytest.raises(ValueError, match="Expected init hf://.*not to read files of this"):
            recipe._check_stranger("hf://me/x")


def test_missing_recipe(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no .*none.json"):
        Recipe.load(tmp_path / "none.json")


def test_mean_shape_with_gaps(rendered_faces):
    samples = read_samples(rendered_faces, "train", "ibug68")
    points = samples[0].points_image.copy()
    points[30] = np.nan
    changed = [replace(samples[0], points_image=points, box=samples[0].box), *samples[1:]]
    shape, expected = (mean_shape_of([s], 1.3) for s in (changed, samples))
    others = np.arange(68) != 30
    np.testing.assert_allclose(shape[others], expected[others], atol=1e-6)
    np.testing.assert_allclose(shape[30], mean_shape_of([samples[1:]], 1.3)[30], atol=1e-6)
    with pytest.raises(ValueError, match="some face. 1 of 68 have none on any of the 1 training"):
        mean_shape_of([changed[:1]], 1.3)


def write_partly_labelled(folder, gaps_of_val):
    """Drawn faces, every third landmark of the training faces without label."""
    write_faces(folder, ["train"] * 6 + ["val"] * 2)
    entries = json.loads((folder / "labels.json").read_text())
    for number, entry in enumerate(entries):
        gaps = range(number % 3, 68, 3) if entry["split"] == "train" else gaps_of_val
        for i in gaps:
            entry["points68"][i] = None
    (folder / "labels.json").write_text(json.dumps(entries))
    return folder


def test_train_with_gaps(tmp_path):
    data = write_partly_labelled(tmp_path / "data", [3])
    start(replace(RUN, epochs=2), data, tmp_path / "run")
    rows = history_of(tmp_path / "run")
    assert all(0 < float(row["loss"]) < 1e4 and 0 < float(row["val_nme"]) < 1e4 for row in rows)


def test_train_without_a_face_to_measure(tmp_path):
    data = write_partly_labelled(tmp_path / "data", [36])
    with pytest.raises(ValueError, match="validation face whose NME.*Received: 2 faces"):
        start(RUN, data, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_train_on_some_sets(tmp_path):
    data = write_faces(tmp_path / "data", ["train"] * 4 + ["val"] * 2)
    entries = json.loads((data / "labels.json").read_text())
    for number, entry in enumerate(entries):
        entry["set"] = "ab"[number % 2]
    (data / "labels.json").write_text(json.dumps(entries))
    (group,), validation = training._read([data], "ibug68", None, ["a"])
    assert [Path(s.path).name for s in [*group, *validation]] == ["0.png", "2.png", "4.png"]
    with pytest.raises(ValueError, match=r"tag of \['c'\] in .*have \['a', 'b'\]"):
        start(RUN, data, tmp_path / "run", only=["c"])
