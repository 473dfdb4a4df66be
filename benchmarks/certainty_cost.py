"""What the head that says how sure landmarks are costs: one crop with it and without it.

    python benchmarks/certainty_cost.py [--seconds 10] [--output results/head_cost.json]

One thread, onnxruntime, both networks of a preset side by side in one run. The files are those of
`keras-lotr export`, whose landmarks are the same.
"""

import json
import tempfile
from functools import partial
from pathlib import Path

import click
import numpy as np
from certainty_table import cost_table
from landmark_stage import PRESET, SMALL_PRESET, ort_session
from timing import machine, side_by_side

from keras_lotr import LOTR
from keras_lotr.export.exporter import export


@click.command()
@click.option("--seconds", default=10.0, show_default=True, help="Of each comparison.")
@click.option("--output", type=Path, help="JSON.")
def main(seconds, output):
    with tempfile.TemporaryDirectory() as folder:
        runs = {preset: with_and_without(preset, Path(folder)) for preset in (PRESET, SMALL_PRESET)}
        times = {preset: side_by_side(run, seconds) for preset, run in runs.items()}
    results = {"machine": machine(), "ms": times}
    print("\n".join(cost_table(results)))
    if output:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def with_and_without(preset, folder):
    """{"with", "without"}: functions that run one crop."""
    runs = {}
    for name, settings in (("with", {}), ("without", {"certainty_dim": None})):
        model, path = LOTR.from_preset(preset, **settings), folder / f"{preset} {name}.onnx"
        export(model, path)
        crop = np.random.default_rng(0).uniform(0, 255, (1, 3, model.image_size, model.image_size))
        runs[name] = partial(ort_session(path).run, None, {"images": crop.astype(np.float32)})
    return runs


if __name__ == "__main__":
    main()
