"""Crops per second of the input pipeline against those of a training step, in one run.

    python benchmarks/training.py --data FOLDER [--recipe lotr_m_68] [--seconds 20]

Both are counted per CPU second, so that other load on the machine changes little.
"""

import argparse
import time

import keras
from timing import machine

from keras_lotr.datasets import read_samples
from keras_lotr.datasets.augmentation import Augmentation
from keras_lotr.datasets.batches import LandmarkBatches
from keras_lotr.losses import SmoothWing
from keras_lotr.training.memory import keep_memory
from keras_lotr.training.recipe import Recipe
from keras_lotr.training.training import build


def rate(function, crops, seconds):
    """Crops per CPU second of calling `function`, which handles so many crops."""
    function()
    calls, began, cpu = 0, time.monotonic(), time.process_time()
    while time.monotonic() - began < seconds:
        function()
        calls += 1
    return calls * crops / (time.process_time() - cpu)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--recipe", default="lotr_m_68")
    parser.add_argument("--seconds", type=float, default=20)
    arguments = parser.parse_args()
    recipe = Recipe.load(arguments.recipe)
    samples = read_samples(arguments.data, "train", recipe.scheme)
    batches = LandmarkBatches(
        [samples],
        recipe.size,
        recipe.margin,
        Augmentation(**recipe.augmentation),
        recipe.batch_size,
    )
    model = build(recipe, [samples], init=None)
    model.compile(recipe.optimizer_for(model, steps=1000), SmoothWing())
    crops, points = batches[0]
    for _ in range(2):
        model.train_on_batch(crops, points)
    keep_memory()
    count = iter(range(10**9))
    pipeline = rate(
        lambda: batches[next(count) % len(batches)], recipe.batch_size, arguments.seconds
    )
    step = rate(lambda: model.train_on_batch(crops, points), recipe.batch_size, arguments.seconds)
    where = machine()
    print(f"{where['processor']}, {where['cores']} cores, {keras.backend.backend()}")
    print(f"input pipeline {pipeline:7.0f} crops per CPU second")
    print(f"training step  {step:7.0f} crops per CPU second")
    print(f"ratio          {pipeline / step:7.1f}")


if __name__ == "__main__":
    main()
