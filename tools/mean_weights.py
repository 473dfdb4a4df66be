"""The weighted mean of the weights of presets that were trained from one another.

    python tools/mean_weights.py RUN1/preset=0.5 RUN2/preset=0.5 --output FOLDER

What one stage of a training learned and another partly forgot, their mean mostly keeps (Wortsman et
al., Model soups, ICML 2022). FOLDER is a preset with the mean; its other files are those of the
first, without those for onnxruntime, which have weights. Presets whose trainings do not begin at
common weights have no good mean.
"""

import shutil
from pathlib import Path

import click
import numpy as np

from keras_lotr.presets.files import WEIGHTS, resolve
from keras_lotr.presets.layout import layout_of
from keras_lotr.presets.weights import load_arrays, save_arrays


@click.command()
@click.argument("shares", nargs=-1, required=True, metavar="PRESET=SHARE...")
@click.option("--output", type=Path, required=True, help="Folder of the preset to write.")
def main(shares, output):
    pairs = (pair.rpartition("=") for pair in shares)
    files = [(resolve(name).path(WEIGHTS), float(share)) for name, _, share in pairs]
    mean, without = mean_of(files), shutil.ignore_patterns("*.onnx", WEIGHTS)
    shutil.copytree(files[0][0].parent, output, ignore=without, dirs_exist_ok=True)
    save_arrays(mean, output / WEIGHTS)


def mean_of(files):
    """The weighted mean of files of weights.

    Args:
        files: list of (path, share); the shares are divided by their sum.

    Returns:
        {key: float32 array}.

    Raises:
        ValueError: the files have weights of different names or shapes, or no share is positive.
    """
    whole = sum(share for _, share in files)
    if not whole > 0 or min(share for _, share in files) < 0:
        raise ValueError(f"Expected shares of 0 and more. Received: {[s for _, s in files]}")
    loaded = [(load_arrays(path, layout_of(path).places), share / whole) for path, share in files]
    shapes = [{key: array.shape for key, array in arrays.items()} for arrays, _ in loaded]
    if any(other != shapes[0] for other in shapes):
        raise ValueError(
            "Expected presets of one network. Their weights have other names or shapes."
        )
    return {
        key: np.sum([share * arrays[key] for arrays, share in loaded], axis=0, dtype=np.float32)
        for key in shapes[0]
    }


if __name__ == "__main__":
    main()
