"""What all backbones share: input scaling, convolution + batch norm, and their random start."""

import math
import random

import keras
import numpy as np
from keras import layers

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def imagenet_scaling(images):
    """RGB 0..255 -> zero mean and unit variance over ImageNet, as timm's weights expect."""
    # (1, 1, 3): numbers without these axes Keras lays along the axis that keras.json says.
    scale = [[[1 / (255 * std) for std in IMAGENET_STD]]]
    offset = [[[-mean / std for mean, std in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)]]]
    return layers.Rescaling(scale, offset, name="imagenet_scaling")(images)


def conv_bn(x, filters, kernel_size, *, conv, bn, stride=1, use_bias=False, activation=None):
    """Convolution, batch norm, activation, with PyTorch's symmetric padding.

    Args:
        x: (B, h, w, C) features.
        filters: output channels, or None to filter each channel by itself (depthwise).
        conv, bn: names of the two layers.
        activation: None, "relu" or "relu6".
    """
    if kernel_size > 1 and stride == 1:
        padding = "same"  # SAME is symmetric at stride 1, and saves a layer
    else:
        padding = "valid"
        if kernel_size > 1:
            x = zero_padding(x, kernel_size // 2, f"{conv}_pad")
    settings = {"strides": stride, "padding": padding, "use_bias": use_bias, "name": conv}
    settings["data_format"] = "channels_last"  # whatever the user's keras.json says
    if filters is None:
        x = layers.DepthwiseConv2D(kernel_size, depthwise_initializer=he_normal, **settings)(x)
    else:
        x = layers.Conv2D(filters, kernel_size, kernel_initializer=he_normal, **settings)(x)
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=bn)(x)
    if activation:
        x = layers.Activation(activation, name=f"{conv}_{activation}")(x)
    return x


def inverted_residual(inputs, expansion, channels, stride, name, kernel_size=3):
    """Widen (1x1), filter each channel, narrow (1x1); add the input where shapes agree.

    Args:
        inputs: (B, h, w, C) features.
        expansion: how much wider it becomes in between; 1: it is not widened.
        channels: output channels.
        stride: of the filters.
        name: of the block in timm, with "_" for ".".
        kernel_size: side of the filters.
    """
    x = inputs
    if expansion > 1:
        depthwise, narrow = ("conv_dw", "bn2"), ("conv_pwl", "bn3")
        width, conv, bn = inputs.shape[-1] * expansion, f"{name}_conv_pw", f"{name}_bn1"
        x = conv_bn(x, width, 1, conv=conv, bn=bn, activation="relu6")
    else:
        depthwise, narrow = ("conv_dw", "bn1"), ("conv_pw", "bn2")
    conv, bn = (f"{name}_{part}" for part in depthwise)
    x = conv_bn(x, None, kernel_size, stride=stride, conv=conv, bn=bn, activation="relu6")
    conv, bn = (f"{name}_{part}" for part in narrow)
    x = conv_bn(x, channels, 1, conv=conv, bn=bn)
    if stride == 1 and inputs.shape[-1] == channels:
        x = layers.Add(name=f"{name}_add")([x, inputs])
    return x


def zero_padding(x, pixels, name):
    """A border of zeros of so many pixels on each side."""
    return layers.ZeroPadding2D(pixels, data_format="channels_last", name=name)(x)


@keras.saving.register_keras_serializable(package="keras_lotr")
def he_normal(shape, dtype=None):
    """Normal with variance 2 / fan-in (He et al., ICCV 2015), drawn by NumPy.

    JAX compiles its own sampler anew for every kernel shape: building MobileNetV2 took 20 s.
    """
    # Python's generator is where Keras takes the seeds of its own initialisers from.
    rng = np.random.default_rng(random.randrange(2**31))
    depthwise = shape[-1] == 1  # (h, w, C, 1): each channel has its own filter
    fan_in = math.prod(shape[:2] if depthwise else shape[:-1])
    values = rng.standard_normal(shape, dtype="float32") * math.sqrt(2 / fan_in)
    return keras.ops.convert_to_tensor(values, dtype=dtype)
