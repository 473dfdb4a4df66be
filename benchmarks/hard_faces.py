"""Measure the trained presets on hard faces: turned, covered, blurred and small ones.

    python benchmarks/hard_faces.py --data FOLDER

Writes results/hard_faces.json, {preset: [{"set", "normalizer", "boxes", "faces", "nme",
"nme_error", "fr10"}]}, which `tools/make_tables.py` reads. Each preset is measured on the sets that
have its own landmark order: the error on converted labels would measure the difference of two
definitions as well.
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
# {scheme: [(set, normalizer, boxes)]}. The profiles of cfp and many faces of aflw80 lack the label
# of an eye corner; only half of a profile has labels, so that its box is not the detector's.
MEASURED = {
    "wflw98": [
        ("wflw", "outer_eyes", "ground-truth"),
        ("wflw", "outer_eyes", "detector"),
        ("wider", "outer_eyes", "ground-truth"),
    ],
    "ibug68": [
        ("cfp", "box", "ground-truth"),
        ("cfp", "box", "detector"),
        ("aflw80", "box", "ground-truth"),
    ],
}


@click.command()
@click.option("--data", required=True, help="Folder with labels.json and these sets.")
@click.option("--split", default="val", show_default=True)
def main(data, split):
    measured = {}
    for name, folder in sorted(local_presets().items()):
        scheme = (resolve(folder).json(PREPROCESSOR) or {}).get("scheme")
        if scheme in MEASURED and (folder / WEIGHTS).exists():
            measured[name] = [row(name, data, split, *case) for case in MEASURED[scheme]]
    lines = (
        f" {json.dumps(name)}: [\n  " + ",\n  ".join(map(json.dumps, rows)) + "\n ]"
        for name, rows in measured.items()
    )
    write_file(OUTPUT, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def row(name, data, split, of, normalizer, boxes):
    """What a preset has on one set."""
    results, _ = evaluate(
        name, data, split, flip=True, only=(of,), normalizer=normalizer, boxes=boxes
    )
    found = {
        "set": of,
        "normalizer": normalizer,
        "boxes": boxes,
        "faces": results["faces"],
        "nme": results["nme"],
        "nme_error": results["nme_error"],
        "fr10": results["failure_rate"]["10"],
    }
    print(name, found)
    return found


if __name__ == "__main__":
    main()
