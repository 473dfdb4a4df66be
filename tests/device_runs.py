"""Trainings that processes of their own run: on several devices, or on one for comparison."""

import csv
import json
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import keras
import tiny

from keras_lotr import LOTR
from keras_lotr.training.devices import spread_over_devices
from keras_lotr.training.recipe import Recipe
from keras_lotr.training.run_files import HISTORY
from keras_lotr.training.torch_processes import run_in_processes
from keras_lotr.training.training import train

# Batch norm is trained, weights are averaged; the validation faces are no multiple of the batch.
RUN = Recipe(batch_size=4, epochs=2, warmup_steps=1, learning_rate=3e-3, ema=0.5)
MIXED = replace(RUN, dtype="mixed_bfloat16", epochs=1)


def faces(folder):
    """A kit of 9 faces to train on and 5 to validate with, some of whose landmarks have gaps."""
    tiny.write_faces(folder, ["train"] * 9 + ["val"] * 5)
    labels = json.loads((folder / "labels.json").read_text())
    for entry, gaps in zip(labels, ([0, 5], [], range(17), [60]), strict=False):
        for landmark in gaps:
            entry["points68"][landmark] = None
    labels[10]["points68"][36] = None  # an eye corner: a face without a normaliser
    (folder / "labels.json").write_text(json.dumps(labels))
    return folder


def history_of(out):
    """The rows of a run without their times, as numbers."""
    with open(Path(out) / HISTORY, newline="") as file:
        rows = list(csv.DictReader(file))
    return [[float(value) for key, value in row.items() if key != "seconds"] for row in rows]


def train_tiny(recipe, data, out, **settings):
    """In place of `train`, in processes that a test starts."""
    tiny.use_tiny_variant()
    return train(recipe, data, out, **{"verbose": 0, **settings})


class Killed(keras.callbacks.Callback):
    """Kills the second process in the middle of the second epoch."""

    def on_train_batch_begin(self, batch, logs=None):
        from torch import distributed

        if distributed.get_rank() == 1 and self.params["epoch_begun"] == 1 and batch == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_epoch_begin(self, epoch, logs=None):
        self.params["epoch_begun"] = epoch


def train_killed(recipe, data, out, **settings):
    return train_tiny(recipe, data, out, callbacks=[Killed()])


def wait_for_ever(folder):
    """Says which process it is, and stays."""
    Path(folder, str(os.getpid())).touch()
    time.sleep(1000)


class Logs(keras.callbacks.Callback):
    """Keeps what callbacks are told at the end of the epochs."""

    def __init__(self):
        super().__init__()
        self.logs = []

    def on_epoch_end(self, epoch, logs=None):
        self.logs.append(dict(logs))


class Stop(keras.callbacks.Callback):
    """Ends a training after its first epoch, as a kill behind the checkpoint would."""

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = True


def both_runs(data, folder):
    """Plain and in mixed precision; returns the logs of the plain one."""
    folder, look = Path(folder), Logs()
    train_tiny(RUN, [data], folder / "plain", callbacks=[look])
    train_tiny(MIXED, [data], folder / "mixed")
    return look.logs


def jax_runs(data, folder):
    """On one, two and four devices; on two also in mixed precision and begun and resumed.

    One that was begun on two is resumed on four.
    """
    folder = Path(folder)
    for count in (1, 4, 2):
        keras.distribution.set_distribution(None)
        assert len(spread_over_devices(RUN.batch_size, count)) == count
        preset = train_tiny(RUN, [data], folder / str(count))
        if count < 4:
            train_tiny(MIXED, [data], folder / f"mixed {count}")
    model = LOTR.from_preset(preset)
    assert model.get_layer("reduce").kernel.value.sharding.num_devices == 2
    assert model.predict_points(tiny.random_crops(3)).shape == (3, 68, 2)
    train_tiny(RUN, [data], folder / "begun", callbacks=[Stop()])
    train_tiny(RUN, [data], folder / "begun", resume=True)
    train_tiny(RUN, [data], folder / "moved", callbacks=[Stop()])
    keras.distribution.set_distribution(None)
    spread_over_devices(RUN.batch_size, 4)
    train_tiny(RUN, [data], folder / "moved", resume=True)


def to_be_killed(folder):
    run_in_processes(["cpu:0", "cpu:1"], wait_for_ever, folder)


if __name__ == "__main__":
    {"jax_runs": jax_runs, "to_be_killed": to_be_killed}[sys.argv[1]](*sys.argv[2:])
