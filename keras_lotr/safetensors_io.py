"""Keras weights <-> safetensors: readable keys, strict loading, nothing half done.

Keys are variable paths; those of a model's `backbone` attribute begin with "backbone/". Saved are
trainable weights and batch norm statistics, never seeds, metrics or optimizer state.
"""

import difflib
import math
import os

import keras
import numpy as np
from keras import ops
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from keras_lotr.writing import replaced


def named_weights(model):
    """{key: variable} of all weights of the model.

    Raises:
        ValueError: if two variables have the same key.
    """
    named, seen = {}, set()

    def add(layer, prefix):
        for variable in layer.weights:
            if id(variable) in seen:
                continue
            seen.add(id(variable))
            key = prefix + variable.path.removeprefix(f"{layer.name}/")
            if key in named:
                raise ValueError(
                    f"Two weights have the key {key!r}: give their layers other names."
                )
            named[key] = variable

    if getattr(model, "backbone", None) is not None:
        add(model.backbone, "backbone/")
    add(model, "")
    return named


def save_arrays(arrays, path, metadata=None):
    """Write {key: NumPy array} so that a reader sees the old file or the new one, never half.

    safetensors 0.8 writes arrays that are not C-contiguous in memory order, that is wrongly.
    """
    arrays = {k: np.ascontiguousarray(a).reshape(np.shape(a)) for k, a in arrays.items()}
    with replaced(path) as unfinished:
        save_file(arrays, unfinished, metadata=metadata)
        os.chmod(unfinished, 0o644)  # safetensors makes files that only their owner can read


def save_weights(model, path, dtype=None):
    """Write all weights of a model.

    Args:
        model: a built Keras model.
        path: the file to write.
        dtype: "float16" halves the file; batch norm statistics stay float32. None keeps dtypes.
    """
    arrays = {}
    for key, variable in named_weights(model).items():
        array = ops.convert_to_numpy(variable.value)
        statistic = key.endswith(("moving_mean", "moving_variance"))
        arrays[key] = array.astype(np.float32 if statistic else dtype) if dtype else array
    metadata = {"format": "keras", "keras": keras.__version__, "class": type(model).__name__}
    save_arrays(arrays, path, metadata)


def load_weights(model, path, skip=()):
    """Fill a model, strictly: every weight is in the file with its shape, and nothing else is.

    Args:
        model: a built Keras model.
        path: safetensors file.
        skip: beginnings of keys that are left as they are, whatever the file has.

    Raises:
        ValueError: one message with all that is missing, unexpected or of another shape, or that
            the file is no safetensors file; the model is then unchanged.
    """
    wanted = {k: v for k, v in named_weights(model).items() if not k.startswith(tuple(skip))}
    with open_safetensors(path) as file:
        shapes = {k: s for k, s in _shapes(file).items() if not k.startswith(tuple(skip))}
        problems = _problems(wanted, shapes)
        if problems:
            raise ValueError(f"{path} does not fit {model.name}: {'; '.join(problems)}.")
        for key, variable in wanted.items():
            variable.assign(file.get_tensor(key).astype(np.float32))


def load_fitting_weights(model, path):
    """Fill a model with what a file has under the same keys in the same shapes.

    It starts a network from a relative's weights, such as LOTR-M+ from those of LOTR-M.

    Args:
        model: a built Keras model.
        path: safetensors file.

    Returns:
        Keys of the weights that are left as they were.

    Raises:
        ValueError: less than half of the model's weights fit, or it is no safetensors file; the
            model is then unchanged.
    """
    named = named_weights(model)
    with open_safetensors(path) as file:
        shapes = _shapes(file)
        fitting = [k for k, v in named.items() if shapes.get(k) == tuple(v.shape)]
        if 2 * len(fitting) < len(named):
            raise ValueError(
                f"Expected weights of a network like {model.name} in {path}. Of its {len(named)} "
                f"weights only {len(fitting)} fit: {'; '.join(_problems(named, shapes))}."
            )
        for key in fitting:
            named[key].assign(file.get_tensor(key).astype(np.float32))
    return [key for key in named if key not in fitting]


def load_arrays(path, keys):
    """{key: NumPy array} of some of the weights in a safetensors file.

    Raises:
        ValueError: the file has no such weights, or is no safetensors file.
    """
    with open_safetensors(path) as file:
        missing = [key for key in keys if key not in file.keys()]  # noqa: SIM118
        if missing:
            raise ValueError(f"Expected {', '.join(missing)} in {path}. It has no such weights.")
        return {key: file.get_tensor(key) for key in keys}


def count_numbers(path):
    """How many numbers a safetensors file holds; its header is checked, its data is not read.

    safetensors refuses a header whose tensors do not fill the file exactly, so it cannot lie.
    """
    with open_safetensors(path) as file:
        return sum(math.prod(shape) for shape in _shapes(file).values())


def open_safetensors(path):
    """An open safetensors file; a cut or foreign one is a ValueError that says so."""
    try:
        return safe_open(os.fspath(path), framework="numpy")
    except SafetensorError as error:
        raise ValueError(
            f"Expected a safetensors file in {path}; it is cut or of another kind ({error}). "
            "Fetch or train it again."
        ) from None


def _shapes(file):
    return {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118


def _problems(wanted, shapes):
    missing = [key for key in wanted if key not in shapes]
    unexpected = [key for key in shapes if key not in wanted]
    mismatched = [
        f"{key} is {shapes[key]} in the file, {tuple(v.shape)} in the model"
        for key, v in wanted.items()
        if key in shapes and shapes[key] != tuple(v.shape)
    ]
    problems = []
    if missing:
        close = difflib.get_close_matches(missing[0], unexpected, 1)
        hint = f" (nearest in the file: {close[0]})" if close else ""
        problems.append(f"{len(missing)} missing: {', '.join(missing[:3])}{hint}")
    if unexpected:
        problems.append(f"{len(unexpected)} unexpected: {', '.join(unexpected[:3])}")
    if mismatched:
        problems.append(f"{len(mismatched)} of another shape: {'; '.join(mismatched[:3])}")
    return problems
