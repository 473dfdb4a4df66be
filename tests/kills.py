"""Trainings that are killed at random moments: `python tests/kills.py --kills 100`.

A training of a tiny network is started, killed with SIGKILL, resumed and killed again, until one
gets to its end; then the next begins. Each must resume, and each result must be that of a training
that nothing disturbed, bit by bit. Set KERAS_BACKEND.
"""

import argparse
import csv
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import tiny
from safetensors.numpy import load_file

from keras_lotr.presets.files import RECIPE, WEIGHTS, write_json
from keras_lotr.training.recipe import Recipe
from keras_lotr.training.run_files import BEST, CHECKPOINT, HISTORY
from keras_lotr.training.training import train

# Imports are made once; no backend computes before a process is forked off. Keras looks for
# TensorFlow's tensors on all backends.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["kills", "tensorflow"])


def kill_trainings(kills, seed=0, most_runs=None):
    """Kill trainings that many times.

    Args:
        kills: how many processes are killed.
        seed: of the moments.
        most_runs: number of trainings after whose end no other begins.

    Returns:
        Number of kills, and of trainings that got to their end in spite of them.

    Raises:
        AssertionError: one did not resume, or came to another result.
    """
    rng, killed, ended = np.random.default_rng(seed), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        data = tiny.write_faces(folder / "faces", ["train"] * 8 + ["val"] * 4)
        recipe = Recipe(batch_size=2, epochs=3, warmup_steps=1, learning_rate=3e-3, ema=0.5)
        write_json(folder / RECIPE, asdict(recipe))
        done, seconds = _run(folder / RECIPE, data, folder / "whole", None)
        assert done == 0
        while killed < kills and (most_runs is None or ended < most_runs):
            done = None
            while done != 0:
                moment = rng.uniform(0, seconds) if killed < kills else None
                done, took = _run(folder / RECIPE, data, folder / "run", moment)
                assert done in (0, -signal.SIGKILL), f"it ended with {done} after {killed} kills"
                killed += done != 0
            seconds = max(took, 0.9 * seconds)  # of others' work on this machine, too
            _check_same(folder / "run", folder / "whole")
            shutil.rmtree(folder / "run")
            ended += 1
            print(f"{killed} kills, {ended} trainings", flush=True)
    return killed, ended


def _run(recipe, data, out, seconds):
    """Train in a process of its own, which is killed so many seconds after the training has begun.

    Returns:
        Its exit code, and how many seconds it had.
    """
    process, asked = _CONTEXT.Process(target=_train, args=(recipe, data, out)), time.time()
    process.start()
    while process.exitcode is None and not _has_begun(out, asked):
        time.sleep(0.01)
    start = time.monotonic()
    process.join(seconds)
    took = time.monotonic() - start
    if process.exitcode is None:
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    return process.exitcode, took


def _has_begun(out, since):
    """Whether the recipe, which comes before the first step, was written."""
    recipe = out / RECIPE
    return recipe.exists() and recipe.stat().st_mtime > since - 1


def _train(recipe, data, out):
    tiny.use_tiny_variant()
    resume = (out / CHECKPOINT).exists()
    train(Recipe.load(recipe), [data], out, resume=resume, verbose=0)


def _check_same(out, whole):
    assert _history(out) == _history(whole)
    for name in (CHECKPOINT, f"{BEST}/{WEIGHTS}"):
        tiny.assert_same_weights(load_file(out / name), load_file(whole / name))
    left = [path.name for path in out.rglob(".*")]
    assert not left, f"half written files stayed: {left}"


def _history(out):
    with open(out / HISTORY, newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    killed, ended = kill_trainings(options.kills, options.seed)
    print(f"{killed} kills: all resumed; {ended} trainings ended with the same result, bit by bit")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    from kills import main  # under a name that other processes import

    main()
