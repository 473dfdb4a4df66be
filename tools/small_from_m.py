"""A LOTR-S that starts with the most used channels of a trained LOTR-M: for `--initial-weights`.

    python tools/small_from_m.py lotr_m_68 small.safetensors --faces FOLDER

Each layer of LOTR-S's backbone takes those channels of LOTR-M's layer that count most: of what a
stage passes on, those with the largest batch norm scales in all its blocks; inside a block, those
whose filters and scales are largest. All else that fits (the last convolution, the projection, the
tables of the landmarks) is LOTR-M's own, the rest starts anew. Batch norm gets the statistics that
the narrow network has on training faces.
"""

from pathlib import Path

import click
import keras
import numpy as np

from keras_lotr import LOTR
from keras_lotr.backbones.mobilenet_v2 import STAGES
from keras_lotr.datasets import read_samples
from keras_lotr.datasets.batches import load_crops
from keras_lotr.presets.saving import save_weights
from keras_lotr.presets.weights import named_weights

BATCHES, BATCH = 16, 64  # of crops for the statistics


@click.command()
@click.argument("preset")
@click.argument("output", type=Path)
@click.option("--faces", required=True, help="Data set whose training faces give the statistics.")
def main(preset, output, faces):
    large = LOTR.from_preset(preset)
    small = LOTR.from_variant("lotr_s", large.num_landmarks, mean_shape=large.mean_shape)
    of_large = named_weights(large)
    for key, variable in named_weights(small).items():
        if key in of_large and of_large[key].shape == variable.shape:
            variable.assign(of_large[key].value)
    narrow(large.backbone, small.backbone)
    preprocessor = large.preprocessor
    samples = read_samples(faces, "train", preprocessor.scheme)
    chosen = np.random.default_rng(0).permutation(len(samples))[: BATCHES * BATCH]
    crops, _ = load_crops([samples[i] for i in chosen], small.image_size, preprocessor.margin)
    measure_statistics(small.backbone, np.split(crops, range(BATCH, len(crops), BATCH)))
    save_weights(small, output)
    print(f"{output}: {small.count_params():,} weights, LOTR-M has {large.count_params():,}")


def narrow(large, small):
    """Fill a narrower MobileNetV2 with channels of a wider one."""
    kept = _most_used([_scale(large, "bn1")], small.get_layer("conv_stem").filters)
    _take(large, small, "conv_stem", "bn1", np.arange(3), kept)
    for stage, (expansion, _, repeats, _) in enumerate(STAGES):
        blocks = [f"blocks_{stage}_{i}" for i in range(repeats)]
        last_conv, last_bn = ("conv_pwl", "bn3") if expansion > 1 else ("conv_pw", "bn2")
        scales = [_scale(large, f"{block}_{last_bn}") for block in blocks]
        passed_on = _most_used(scales, small.get_layer(f"{blocks[0]}_{last_conv}").filters)
        for block in blocks:
            inside = kept
            if expansion > 1:
                width = small.get_layer(f"{block}_conv_pw").filters
                kernel = _array(large.get_layer(f"{block}_{last_conv}").kernel)[0, 0]
                used = np.linalg.norm(kernel[:, passed_on], axis=-1)
                inside = _most_used([used * _scale(large, f"{block}_bn2")], width)
                _take(large, small, f"{block}_conv_pw", f"{block}_bn1", kept, inside)
            depthwise_bn = f"{block}_bn{2 if expansion > 1 else 1}"
            _take(large, small, f"{block}_conv_dw", depthwise_bn, inside, [0])
            _take(large, small, f"{block}_{last_conv}", f"{block}_{last_bn}", inside, passed_on)
            kept = passed_on
    _take(large, small, "conv_head", "bn2", kept, np.arange(1280))


def measure_statistics(backbone, batches):
    """Give batch norm the mean statistics of batches of crops."""
    norms = [x for x in backbone.layers if isinstance(x, keras.layers.BatchNormalization)]
    usual = norms[0].momentum
    for number, crops in enumerate(batches):
        for layer in norms:
            layer.momentum = number / (number + 1)
        backbone(crops.astype("float32"), training=True)
    for layer in norms:
        layer.momentum = usual


def _most_used(scales, count):
    """Numbers of the channels with the largest sums, in their order."""
    return np.sort(np.argsort(-np.sum(scales, axis=0))[:count])


def _scale(model, name):
    return np.abs(_array(model.get_layer(name).gamma))


def _take(large, small, conv, bn, inputs, outputs):
    """The convolution's kernel and its batch norm, of these input and output channels only."""
    kernel = _array(large.get_layer(conv).kernel)[:, :, inputs][..., outputs]
    small.get_layer(conv).set_weights([kernel])
    is_depthwise = isinstance(small.get_layer(conv), keras.layers.DepthwiseConv2D)
    channels = inputs if is_depthwise else outputs
    arrays = [array[channels] for array in large.get_layer(bn).get_weights()]
    small.get_layer(bn).set_weights(arrays)


def _array(variable):
    return keras.ops.convert_to_numpy(variable)


if __name__ == "__main__":
    main()
