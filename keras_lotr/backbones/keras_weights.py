"""ImageNet weights in the layout of `keras.applications.MobileNetV2`, put into our MobileNetV2.

keras.applications scales images to [-1, 1] and uses batch norm epsilon 1e-3; both are folded into
the weights here, exactly but for the border of the first layer. Its stride-2 layers pad right and
bottom only: the same filters then look one pixel further up and left here, as if the image were
shifted, which costs nothing once the network is fine-tuned.
"""

import numpy as np
from safetensors.numpy import load_file

from keras_lotr.backbones.blocks import IMAGENET_MEAN, IMAGENET_STD
from keras_lotr.backbones.mobilenet_v2 import STAGES
from keras_lotr.backbones.timm_weights import assign_all

# TensorFlow's batch norm adds more to the variance than ours does.
EPSILON = np.float32(1e-3 - 1e-5)


def load_keras_mobilenet_v2(backbone, path):
    """Fill a `MobileNetV2` from a safetensors file with keras.applications' variable paths.

    Args:
        backbone: `MobileNetV2`.
        path: file with keys such as "Conv1/kernel", "bn_Conv1/gamma", "block_1_expand/kernel".

    Raises:
        ValueError: naming what is missing, unexpected, of another shape or not finite, before any
            assignment.
    """
    variables = {
        f"{theirs}/{variable.name}": variable
        for ours, theirs in _names().items()
        for variable in backbone.get_layer(ours).weights
    }
    arrays = {
        key: value + EPSILON if key.endswith("/moving_variance") else value
        for key, value in load_file(path).items()
        if not key.startswith("predictions/")
    }
    assign_all(variables, arrays, "the weights of keras.applications.MobileNetV2", path)
    fold_scaling(backbone)


def fold_scaling(backbone):
    """x / 127.5 - 1 = 2 * std * x_imagenet + (2 * mean - 1), moved into the first layer.

    Args:
        backbone: whose first layers, conv_stem and bn1, have weights for images scaled to [-1, 1].
    """
    kernel = backbone.get_layer("conv_stem").kernel
    moving_mean = backbone.get_layer("bn1").moving_mean
    values = np.asarray(kernel)
    offset = np.einsum("hwio,i->o", values, 2 * np.float32(IMAGENET_MEAN) - 1)
    moving_mean.assign(np.asarray(moving_mean) - offset)
    kernel.assign(values * (2 * np.float32(IMAGENET_STD))[:, None])


def _names():
    """{our layer name: keras.applications' layer name}."""
    names = {"conv_stem": "Conv1", "bn1": "bn_Conv1", "conv_head": "Conv_1", "bn2": "Conv_1_bn"}
    number = 0
    for stage, (expansion, _, repeats, _) in enumerate(STAGES):
        for repeat in range(repeats):
            theirs = f"block_{number}" if number else "expanded_conv"
            parts, convs = ["depthwise", "project"], ["conv_dw", "conv_pw"]
            if expansion > 1:
                parts, convs = ["expand", *parts], ["conv_pw", "conv_dw", "conv_pwl"]
            for index, (part, conv) in enumerate(zip(parts, convs, strict=True), start=1):
                names[f"blocks_{stage}_{repeat}_{conv}"] = f"{theirs}_{part}"
                names[f"blocks_{stage}_{repeat}_bn{index}"] = f"{theirs}_{part}_BN"
            number += 1
    return names
