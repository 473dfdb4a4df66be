"""A LOTR-M+ that starts where a trained LOTR-M of the same landmarks is: for `--initial-weights`.

    python tools/plus_from_m.py lotr_m_68 m_plus.safetensors --faces FOLDER

Its deconvolutions begin as nearest-neighbour enlargement: each of LOTR-M's tokens becomes sixteen
alike, and attention to these gives what attention to those gave. (Bilinear enlargement, for which
deconvolutions find nothing beyond the edges, starts 0.9 points worse.) Token positions are enlarged
smoothly. ReLU would cut off half of each token, so that all channels get one constant more; layer
norm, through which alone tokens are read, takes it out again.
"""

from pathlib import Path

import click
import cv2
import keras
import numpy as np

from keras_lotr import LOTR
from keras_lotr.datasets import read_samples
from keras_lotr.datasets.batches import load_crops
from keras_lotr.metrics import normalized_mean_error
from keras_lotr.presets.preset import WEIGHTS, resolve
from keras_lotr.presets.saving import save_weights
from keras_lotr.presets.weights import load_fitting_weights

NOISE = 0.1  # of the usual random start, on top of the enlargement: the sixteen are to differ


@click.command()
@click.argument("preset")
@click.argument("output", type=Path)
@click.option("--faces", required=True, help="Data set whose training faces give the statistics.")
def main(preset, output, faces):
    small = LOTR.from_preset(preset)
    preprocessor = small.preprocessor
    large = LOTR.from_variant(
        "lotr_m_plus", small.num_landmarks, small.image_size, mean_shape=small.mean_shape
    )
    samples = read_samples(faces, "train", preprocessor.scheme)[::8]
    crops, _ = load_crops(samples, small.image_size, preprocessor.margin)
    load_fitting_weights(large, resolve(preset).path(WEIGHTS))
    enlarge(small, large, crops)
    save_weights(large, output)
    crops, points = load_crops(
        read_samples(faces, "val", preprocessor.scheme), small.image_size, preprocessor.margin
    )
    for name, model in (("LOTR-M", small), ("LOTR-M+ at its start", large)):
        nme = normalized_mean_error(points, model.predict_points(crops), preprocessor.scheme)
        mean = float(np.mean(keras.ops.convert_to_numpy(nme)))
        print(f"{name}: {mean:.2f} % on val, no flip")


def enlarge(small, large, crops):
    """Tokens of the large model as those of the small one, seen between its cells too."""
    rng = np.random.default_rng(0)
    dim = small.projection_dim
    weights, bias = small.get_layer("reduce").get_weights()
    others = rng.normal(0, np.std(weights), (*weights.shape[:3], large.projection_dim - 2 * dim))
    large.get_layer("reduce").set_weights([
        np.concatenate([weights, -weights, others], axis=-1),
        np.concatenate([bias, -bias, np.zeros(others.shape[-1])]),
    ])  # fmt: skip
    both = np.eye(2 * dim)
    kernel = _noise(rng, large.get_layer("deconv1"))
    kernel[..., : 2 * dim] += _nearest(both[: kernel.shape[2]])
    large.get_layer("deconv1").set_weights([kernel])
    _keep_values(large, "deconv1", crops, 0.0)
    kernel = _noise(rng, large.get_layer("deconv2"))
    kernel += _nearest(np.concatenate([np.eye(dim), -np.eye(dim)]).T)
    large.get_layer("deconv2").set_weights([kernel])
    _keep_values(large, "deconv2", crops, 4.0)
    table = large.get_layer("token_positions").table
    positions = keras.ops.convert_to_numpy(small.get_layer("token_positions").table)
    positions = positions.reshape(*small.token_grid, dim)
    shape = large.token_grid[::-1]
    enlarged = np.concatenate(
        [cv2.resize(part, shape) for part in np.split(positions, dim // 4, axis=-1)], axis=-1
    )
    table.assign(enlarged.reshape(table.shape))


def _noise(rng, layer):
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    return NOISE * rng.normal(0, np.std(kernel), kernel.shape)


def _nearest(mix):
    """(out, in) -> kernel (4, 4, out, in) of a deconvolution with stride 2."""
    line = np.array([0, 1, 1, 0])
    return np.outer(line, line)[..., None, None] * mix


def _keep_values(model, name, crops, shift):
    """Batch norm gives what it gets, plus so many of its largest standard deviations."""
    before = keras.Model(model.input, model.get_layer(name).output)
    values = before.predict(crops, verbose=0)
    mean, variance = values.mean(axis=(0, 1, 2)), values.var(axis=(0, 1, 2))
    deviation = np.sqrt(variance + model.get_layer(f"{name}_bn").epsilon)
    beta = mean + shift * deviation.max()
    model.get_layer(f"{name}_bn").set_weights([deviation, beta, mean, variance])


if __name__ == "__main__":
    main()
