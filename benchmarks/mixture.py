"""One training of several landmark orders against one training after the other, at equal crops.

    python benchmarks/mixture.py RECIPE.json --data faces=FOLDER --data hard=FOLDER \\
        --init lotr_m_68 --output results/mixture.json

RECIPE.json has a mixture. Its groups are trained together, and then alone: each group sees as many
crops as its share of the mixture gives it, from the same start or from the group before.
"""

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import click

from keras_lotr.presets.files import read_json, write_json
from keras_lotr.training.recipe import Recipe
from keras_lotr.training.run_files import HISTORY, read_history
from keras_lotr.training.training import train

ROWS = ("together", "each alone", "one after the other")


@click.command()
@click.argument("recipe")
@click.option("--data", multiple=True, required=True, help="FOLDER or NAME=FOLDER of a data set.")
@click.option("--init", required=True, help="Preset that all trainings start from.")
@click.option("--output", type=Path, required=True)
@click.option("--only", multiple=True, type=click.Choice(ROWS), help="These rows [all].")
def main(recipe, data, init, output, only):
    recipe = Recipe.load(recipe)
    rows = read_json(output) if output.exists() else {}
    for name in only or ROWS:
        with tempfile.TemporaryDirectory() as runs:
            rows[name] = measured(recipe, name, data, init, Path(runs))
        print(f"{name:20}{rows[name]['crops']:8} crops  {rows[name]['val_nme']}", flush=True)
        write_json(output, rows)


def measured(recipe, row, data, init, runs):
    """Crops, seconds, and the best NME of each group in per cent."""
    started = time.time()
    parts = [(recipe, data)] if row == "together" else alone(recipe, data)
    nme, crops = {}, 0
    for number, (part, folders) in enumerate(parts):
        out = runs / str(number)
        presets = train(part, folders, out, init, verbose=0)
        crops += part.epochs * part.samples_per_epoch
        nme |= best_of(out, part.groups)
        if row == "one after the other":
            init = presets / part.groups[0].name
    return {"crops": crops, "seconds": round(time.time() - started), "val_nme": nme}


def alone(recipe, data):
    """For each group a recipe of that group alone, with its share of the crops, and its data."""
    total = sum(group.share for group in recipe.groups)
    for entry, group in zip(recipe.mixture, recipe.groups, strict=True):
        crops = round(recipe.samples_per_epoch * group.share / total)
        folders = [f for f in data if name_of(f) in group.data]
        mixture = [{**entry, "val_weight": 1.0}]
        yield replace(recipe, mixture=mixture, samples_per_epoch=crops), folders


def name_of(folder):
    """NAME of NAME=FOLDER, or the folder's own."""
    name, is_named, _ = folder.partition("=")
    return name if is_named else Path(folder).resolve().name


def best_of(out, groups):
    """Each group's NME at the epoch whose weights were kept."""
    best = min(read_history(out / HISTORY), key=lambda row: row["val_nme"])
    return {group.name: round(best[f"val_nme_{group.name}"], 2) for group in groups}


if __name__ == "__main__":
    main()
