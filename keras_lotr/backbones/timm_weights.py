"""ImageNet weights as timm publishes them, put into the backbone of the same architecture.

Our layers have the names of timm's modules with "." as "_", so that only the names of the tensors
inside a layer and the order of the kernel axes remain to be translated.
"""

import numpy as np
from keras import layers
from safetensors.numpy import load_file

from keras_lotr.presets.weights import finite, mismatches

# Keras' name of a variable -> PyTorch's name.
TENSORS = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def load_timm_weights(backbone, path):
    """Fill a `MobileNetV2`, `EfficientNetLite`, `ResNet50` or `HRNet` from a timm checkpoint.

    Args:
        backbone: the model to fill.
        path: safetensors file with keys such as "layer1.0.bn1.running_mean". The classifier and
            PyTorch's batch counters in it are left out.

    Raises:
        ValueError: naming what is missing, unexpected, of another shape or not finite, before any
            assignment.
    """
    assign_torch(backbone, load_file(path), f"timm weights for {backbone.name}", path)


def assign_torch(backbone, file, expected, path):
    """Give every variable of a backbone its array of a PyTorch checkpoint, or none of them.

    Args:
        backbone: the model to fill.
        file: arrays by timm's keys, in PyTorch's order of axes. Those of the classifier and
            PyTorch's batch counters are left out.
        expected, path: what the error message says was expected, and in which file.

    Raises:
        ValueError: as of `load_timm_weights`.
    """
    variables, arrays = {}, {}
    file = {_flat(key): value for key, value in file.items() if not _left_out(key)}
    for layer in backbone.layers:
        for variable in layer.weights:
            key = f"{layer.name}.{TENSORS[variable.name]}"
            variables[key] = variable
            if key in file:
                arrays[key] = _to_keras(file.pop(key), layer)
    assign_all(variables, arrays | file, expected, path)


def assign_all(variables, arrays, expected, path):
    """Give every variable its array, or none of them.

    Args:
        variables, arrays: by the same keys.
        expected, path: what the error message says was expected, and in which file.

    Raises:
        ValueError: as of `load_timm_weights`.
    """
    problems = mismatches(variables, {key: array.shape for key, array in arrays.items()})
    if problems:
        raise ValueError(f"Expected {expected} in {path}. Received {'; '.join(problems)}.")
    arrays = {key: finite(arrays[key], key, path) for key in variables}
    for key, variable in variables.items():
        variable.assign(arrays[key])


def _left_out(key):
    return key.startswith(("classifier.", "fc.")) or key.endswith(".num_batches_tracked")


def _flat(key):
    """layer1.0.bn1.running_mean -> layer1_0_bn1.running_mean"""
    module, _, tensor = key.rpartition(".")
    return f"{module.replace('.', '_')}.{tensor}"


def _to_keras(array, layer):
    """Kernel axes (out, in, h, w) -> (h, w, in, out); depthwise (C, 1, h, w) -> (h, w, C, 1)."""
    if array.ndim != 4:
        return array
    axes = (2, 3, 0, 1) if isinstance(layer, layers.DepthwiseConv2D) else (2, 3, 1, 0)
    # safetensors 0.8 saves a strided array in the wrong order, so none may get into a variable.
    return np.ascontiguousarray(array.transpose(axes))
