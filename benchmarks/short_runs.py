"""Short trainings side by side: what a change is worth before hours are spent on it.

    python benchmarks/short_runs.py --data FOLDER --rendered FOLDER \\
        --backbone-weights FILE --output results/short_runs.json [--only "dropout 0.1"]

A LOTR-M at 128 pixels sees 7,200 crops, from ImageNet weights on. Each row changes one thing. One
seed each: two seeds of the first row are as far apart as chance puts them, smaller differences say
nothing. Rows that come in two parts are to be compared with "two halves", not with the first.
"""

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import click
import keras
import numpy as np

from keras_lotr.backbones.pretrained import load_backbone_weights
from keras_lotr.datasets import read_samples
from keras_lotr.datasets.augmentation import Augmentation
from keras_lotr.datasets.batches import LandmarkBatches
from keras_lotr.losses import SmoothWing
from keras_lotr.presets.files import read_json, write_json
from keras_lotr.presets.weights import named_weights, save_arrays
from keras_lotr.training.recipe import Recipe
from keras_lotr.training.run_files import HISTORY, read_history
from keras_lotr.training.training import train
from keras_lotr.variants import VARIANTS

RECIPE = Recipe(image_size=128, warmup_steps=60, ema=0.995, epochs=4, samples_per_epoch=1808)
HALF = {"epochs": 2}

# Parts of each run: "photos" or "rendered" faces, or a "regressor" on rendered ones, and what of
# the recipe is another.
RUNS = {
    "as it is": [("photos", {})],
    "as it is, another seed": [("photos", {"seed": 1})],
    "dropout 0.1": [("photos", {"model": {"dropout": 0.1}})],
    "two halves": [("photos", HALF), ("photos", HALF)],
    "turned by at most 10 degrees, then 30": [
        ("photos", {**HALF, "augmentation": {"rotation": 10.0}}),
        ("photos", HALF),
    ],
    "Transformer alone, then all": [("photos", {**HALF, "backbone_rate": 0.0}), ("photos", HALF)],
    "rendered faces first": [("rendered", {}), ("photos", {})],
    "backbone first as a plain regressor on rendered faces": [("regressor", {}), ("photos", {})],
}


@click.command()
@click.option("--data", required=True, help="Photos of 68 landmarks with a val split.")
@click.option("--rendered", required=True, help="Rendered faces.")
@click.option("--backbone-weights", required=True, help="ImageNet start; none.")
@click.option("--output", type=Path, required=True)
@click.option("--only", multiple=True, type=click.Choice(list(RUNS)), help="These rows [all].")
def main(data, rendered, backbone_weights, output, only):
    recipe = replace(RECIPE, backbone_weights=backbone_weights)
    folders = {"photos": data, "rendered": rendered, "regressor": rendered}
    rows = read_json(output) if output.exists() else {}
    for name in only or RUNS:
        with tempfile.TemporaryDirectory() as runs:
            rows[name] = in_parts(recipe, RUNS[name], folders, Path(runs))
        print(f"{name:56}{rows[name]['crops']:7}{rows[name]['val_nme']:7.2f} %", flush=True)
        write_json(output, rows)


def in_parts(recipe, parts, folders, runs):
    """Train part after part, each from the one before; crops, seconds, and the last one's best."""
    init, crops, started = None, 0, time.time()
    for number, (kind, changes) in enumerate(parts):
        changed = replace(recipe, **changes)
        crops += changed.epochs * changed.samples_per_epoch
        out = runs / str(number)
        if kind == "regressor":
            init = plain_regressor(changed, folders[kind], out)
        else:
            init = train(changed, [folders[kind]], out, init, verbose=0)
    history = read_history(out / HISTORY)
    return {
        "crops": crops,
        "seconds": round(time.time() - started),
        "loss": round(history[-1]["loss"], 2),
        "val_nme": round(min(row["val_nme"] for row in history), 2),
    }


def plain_regressor(recipe, data, out):
    """Train the backbone with one linear layer on its pooled features; its weights as a file."""
    keras.utils.set_random_seed(recipe.seed)
    samples = read_samples(data, "train", recipe.scheme)
    batches = LandmarkBatches(
        [samples], recipe.size, recipe.margin, Augmentation(**recipe.augmentation),
        recipe.batch_size, recipe.samples_per_epoch, recipe.seed,
    )  # fmt: skip
    model = regressor(recipe, mean_points=batches[0][1].mean(0))
    optimizer = recipe.optimizer_for(model, steps=len(batches) * recipe.epochs)
    model.compile(optimizer, SmoothWing())
    model.fit(batches, epochs=recipe.epochs, shuffle=False, verbose=0)
    out.mkdir(parents=True)
    arrays = {
        key: keras.ops.convert_to_numpy(variable)
        for key, variable in named_weights(model).items()
        if key.startswith("backbone/")
    }
    save_arrays(arrays, out / "backbone.safetensors")
    return out / "backbone.safetensors"


def regressor(recipe, mean_points):
    """Backbone, mean of its feature map, one linear layer that starts at the mean landmarks."""
    backbone = VARIANTS[recipe.variant][0](image_size=recipe.size)
    if recipe.backbone_weights != "none":
        load_backbone_weights(backbone, recipe.backbone_weights)
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(backbone.outputs[0])
    dense = keras.layers.Dense(mean_points.size, name="coordinates")
    points = keras.layers.Reshape(mean_points.shape, name="points")(dense(pooled))
    dense.set_weights([np.zeros(dense.kernel.shape), mean_points.ravel()])
    model = keras.Model(backbone.inputs[0], points, name="regressor")
    model.backbone = backbone
    return model


if __name__ == "__main__":
    main()
