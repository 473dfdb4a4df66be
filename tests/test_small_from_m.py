"""A LOTR-S can start with channels of a trained LOTR-M (tools/small_from_m.py)."""

import keras
import numpy as np
import pytest
import small_from_m
from tiny import randomize

from keras_lotr.backbones.mobilenet_v2 import MobileNetV2

pytestmark = pytest.mark.once


def test_channels_that_are_not_used_are_left_out():
    """Of a network whose further channels are dead, the narrow one computes the same."""
    small = randomize(MobileNetV2(image_size=32, width=0.5))
    large = randomize(MobileNetV2(image_size=32, name="large"), seed=1)
    for layer in large.layers:
        values = layer.get_weights()
        if not values:
            continue
        fitting = small.get_layer(layer.name).get_weights()
        if isinstance(layer, keras.layers.BatchNormalization):
            values[0][:] = values[1][:] = 0  # no scale and no offset: nothing passes
        elif not isinstance(layer, keras.layers.DepthwiseConv2D):
            values[0][:] = 0
        for value, part in zip(values, fitting, strict=True):
            value[tuple(slice(n) for n in part.shape)] = part
        layer.set_weights(values)
    images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3))
    expected = large.predict(images, verbose=0)
    other = MobileNetV2(image_size=32, width=0.5, name="other")
    assert np.abs(other.predict(images, verbose=0) - expected).max() > 0.1
    small_from_m.narrow(large, other)
    np.testing.assert_allclose(other.predict(images, verbose=0), expected, atol=1e-4)


def test_statistics_are_those_of_the_batches():
    backbone = randomize(MobileNetV2(image_size=32, width=0.5))
    images = np.random.default_rng(0).integers(0, 255, (8, 32, 32, 3)).astype(np.uint8)
    small_from_m.measure_statistics(backbone, [images[:4], images[4:]])
    stem = keras.Model(backbone.input, backbone.get_layer("conv_stem").output)
    values = keras.ops.convert_to_numpy(stem(images.astype("float32")))
    layer = backbone.get_layer("bn1")
    np.testing.assert_allclose(layer.moving_mean, values.mean((0, 1, 2)), atol=1e-3)
    parts = np.mean([part.var((0, 1, 2)) for part in np.split(values, 2)], axis=0)
    np.testing.assert_allclose(layer.moving_variance, parts, rtol=1e-3)
    assert layer.momentum == 0.9
