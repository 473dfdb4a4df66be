"""Seconds and memory of one real optimisation step of a preset's recipe at full size.

    python benchmarks/full_size_step.py [--recipe lotr_hr_plus_wflw] [--batch-size 2] [--steps 2]

The faces are the rendered ones of examples/, the network and the optimizer are the recipe's. The
first step also compiles, where the backend does. ImageNet weights are not loaded: they change
neither time nor memory.
"""

import argparse
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path

import keras
from timing import machine

from keras_lotr.datasets import read_samples
from keras_lotr.datasets.augmentation import Augmentation
from keras_lotr.datasets.batches import LandmarkBatches
from keras_lotr.losses import SmoothWing
from keras_lotr.training.recipe import Recipe
from keras_lotr.training.training import build

FACES = Path(__file__).parents[1] / "examples" / "rendered_faces"


def peak_memory():
    """The process' largest memory so far, in GB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e9


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="lotr_hr_plus_wflw")
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument("--steps", type=int, default=2)
    arguments = parser.parse_args()
    batch_size = arguments.batch_size
    recipe = replace(Recipe.load(arguments.recipe), backbone_weights="none", batch_size=batch_size)
    samples = read_samples(FACES, "train", recipe.scheme)
    augmentation = Augmentation(**recipe.augmentation)
    batches = LandmarkBatches([samples], recipe.size, recipe.margin, augmentation, batch_size)
    where = machine()
    print(f"{where['processor']}, {where['cores']} cores, {keras.backend.backend()}")
    start = time.monotonic()
    model = build(recipe, [samples], init=None)
    model.compile(recipe.optimizer_for(model, steps=1000), SmoothWing())
    print(f"{arguments.recipe}: {model.count_params():,} parameters, {recipe.size} pixels")
    print(f"built    {time.monotonic() - start:7.1f} s, peak memory {peak_memory():5.2f} GB")
    crops, points = batches[0]
    for step in range(arguments.steps):
        start = time.monotonic()
        loss = model.train_on_batch(crops, points)
        seconds = time.monotonic() - start
        print(
            f"step {step + 1}   {seconds:7.1f} s, peak memory {peak_memory():5.2f} GB, "
            f"batch {batch_size}, loss {float(loss):.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
