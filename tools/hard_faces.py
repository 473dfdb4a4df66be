"""Measure the trained presets on hard faces that people have labelled (WFLW's order, 98 landmarks).

    python tools/hard_faces.py --data FOLDER

Writes results/hard_faces.json, {preset: {"wflw": NME in per cent, ...}}, which
`tools/make_tables.py` reads. Presets of another landmark order are left out: their error on
converted labels would measure the difference of the two definitions as well.
"""

import json
from pathlib import Path

import click

from keras_lotr.evaluation.evaluation import evaluate
from keras_lotr.presets.files import (
    PREPROCESSOR,
    WEIGHTS,
    local_presets,
    resolve,
    write_file,
)

OUTPUT = Path(__file__).parents[1] / "results" / "hard_faces.json"
SCHEME, SET = "wflw98", "wflw"


@click.command()
@click.option("--data", required=True, help="Folder with labels.json and a set wflw.")
@click.option("--split", default="val", show_default=True)
def main(data, split):
    measured = {}
    for name, folder in sorted(local_presets().items()):
        scheme = (resolve(folder).json(PREPROCESSOR) or {}).get("scheme")
        if scheme == SCHEME and (folder / WEIGHTS).exists():
            results, _ = evaluate(name, data, split, flip=True, only=(SET,))
            rate = results["failure_rate"]["10"]
            measured[name] = {SET: results["nme"], "fr10": rate, "faces": results["faces"]}
            print(name, measured[name])
    write_file(OUTPUT, (json.dumps(measured, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
