"""Models in 16 bits are exported from a copy in float32."""

import keras
import numpy as np
import pytest
from keras import layers
from tiny import SHALLOW, assert_same_weights, random_crops, randomize, tiny_lotr, weights_of

from keras_lotr.export.exporter import export
from keras_lotr.export.float32 import in_float32
from keras_lotr.inference.onnx_model import OnnxModel
from keras_lotr.preprocessor import Preprocessor
from keras_lotr.presets.preset import dtype_policy


def model_of(policy):
    """A LOTR with a layer of each kind that keeps a policy of its own in its config."""
    with dtype_policy(policy):
        images = keras.Input((64, 64, 3), name="images")
        x = layers.Rescaling(1 / 64, name="scaling")(images)
        x = layers.Conv2D(8, 5, 16, activation="relu", name="conv")(x)
        backbone = keras.Model(images, layers.BatchNormalization(name="bn")(x))
        return randomize(tiny_lotr(68, backbone=backbone, **SHALLOW))


def test_float32_is_not_copied():
    model = model_of("float32")
    assert in_float32(model) is model


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16"])
def test_copy(policy):
    model = model_of(policy)
    model.preprocessor = Preprocessor("ibug68", 64, margin=1.5)
    copy = in_float32(model)
    assert {layer.compute_dtype for layer in copy._flatten_layers()} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"
    assert_same_weights(weights_of(copy), {k: np.float32(v) for k, v in weights_of(model).items()})
    assert copy.preprocessor == model.preprocessor


def test_file_is_that_of_float32(tmp_path):
    pytest.importorskip("onnxruntime")
    exact, mixed, path = model_of("float32"), model_of("mixed_bfloat16"), tmp_path / "a.onnx"
    crops = random_crops(2)
    expected = exact.predict_points(crops)
    assert np.abs(mixed.predict_points(crops) - expected).max() > 1e-3  # so that it could differ
    export(mixed, path)
    np.testing.assert_allclose(OnnxModel(path).predict_points(crops), expected, atol=1e-3)


def test_adapters_are_added():
    model = model_of("mixed_bfloat16")
    layer = model.get_layer("encoder1").ffn1
    layer.enable_lora(2)
    layer.lora_kernel_b.assign(np.full(layer.lora_kernel_b.shape, 0.5))
    copied = in_float32(model).get_layer("encoder1").ffn1
    expected = keras.ops.convert_to_numpy(layer.kernel)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(copied.kernel), expected, atol=1e-6)


def test_quantized():
    model = model_of("mixed_bfloat16")
    model.get_layer("encoder1").ffn1.quantize("int8")
    with pytest.raises(ValueError, match="not quantized. ffn1 is int8"):
        in_float32(model)
