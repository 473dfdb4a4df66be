"""A model of another dtype policy, in float32: what files compute in, and are compared with."""

import tempfile
from pathlib import Path

from keras_lotr.export.onnx_layers import refuse_quantized
from keras_lotr.presets.preset import dtype_policy

_FLOATS = {"float16", "bfloat16", "float64"}


def in_float32(model):
    """The model itself if all of its layers compute in float32, else a copy with its weights.

    Args:
        model: `LOTR`.

    Raises:
        ValueError: a model in 16 bits that was quantized, too.
    """
    layers = model._flatten_layers()
    if not any({layer.compute_dtype, layer.variable_dtype} & _FLOATS for layer in layers):
        return model
    for layer in layers:
        refuse_quantized(layer)
    with dtype_policy("float32"):
        copy = type(model).from_config(_in_float32(model.get_config()))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.weights.h5")  # adapters (LoRA) are added to the weights in it
        model.save_weights(path)
        copy.load_weights(path)
    copy.preprocessor = model.preprocessor
    return copy


def _in_float32(config):
    """A config without the policies of its layers."""
    if isinstance(config, list | tuple):
        return [_in_float32(value) for value in config]
    if not isinstance(config, dict):
        return config
    return {
        key: "float32" if key == "dtype" and _is_policy(value) else _in_float32(value)
        for key, value in config.items()
    }


def _is_policy(value):
    return isinstance(value, dict) or str(value).endswith(tuple(_FLOATS))
