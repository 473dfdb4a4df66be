"""Keras weights <-> safetensors: readable keys, strict loading, nothing half done.

Keys are variable paths; those of a model's `backbone` attribute begin with "backbone/". Saved are
trainable weights and batch norm statistics, never seeds, metrics or optimizer state.
"""

import difflib
import math
import os
import re

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from keras_lotr.writing import replaced


def named_weights(model):
    """{key: variable} of all weights of the model.

    Raises:
        ValueError: if two variables have the same key.
    """
    named, seen = {}, set()

    def add(part, prefix):
        numbers = _Numbers(part)
        for variable in part.weights:
            if id(variable) in seen:
                continue
            seen.add(id(variable))
            path = variable.path.removeprefix(f"{part.name}/")
            key = prefix + numbers.of(path).removeprefix(getattr(part, "layer_prefix", ""))
            if key in named:
                raise ValueError(
                    f"Two weights have the key {key!r}: give their layers other names."
                )
            named[key] = variable

    if getattr(model, "backbone", None) is not None:
        add(model.backbone, "backbone/")
    add(model, "")
    return named


class _Numbers:
    """Names that Keras counts over the whole process are counted within their layer instead.

    The convolution of a layer that gives it no name is "conv2d_6" in one process and "conv2d" in
    the next. Layers of a functional model are not renamed: its config says their names.
    """

    def __init__(self, model):
        self.counted, self.known = set(), {}
        for layer in model._flatten_layers(include_self=False):
            if re.fullmatch(rf"{_snake_case(type(layer).__name__)}(_\d+)?", layer.name):
                self.counted.add(layer.name)

    def of(self, path):
        """The path with such names counted from the layer's first on."""
        first, *names = path.split("/")
        for i, name in enumerate(names):
            kind = re.sub(r"_\d+$", "", name)
            if name in self.counted or kind == "variable":
                same = self.known.setdefault((first, *names[:i], kind), {})
                number = same.setdefault(name, len(same))
                names[i] = f"{kind}_{number}" if number else kind
        return "/".join([first, *names])


def _snake_case(name):
    """The name that Keras gives an object of this class: Conv2D -> conv2d."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def save_arrays(arrays, path, metadata=None):
    """Write {key: NumPy array} so that a reader sees the old file or the new one, never half.

    safetensors 0.8 writes arrays that are not C-contiguous in memory order, that is wrongly.

    Raises:
        OSError: it cannot be written there; the sentence says why.
    """
    arrays = {k: np.ascontiguousarray(a).reshape(np.shape(a)) for k, a in arrays.items()}
    with replaced(path) as unfinished:
        try:
            save_file(arrays, unfinished, metadata=metadata)
        except SafetensorError as error:  # such as a disk that is full
            raise OSError(f"{path} cannot be written: {error}.") from None
        os.chmod(unfinished, 0o644)  # safetensors makes files that only their owner can read


def load_weights(model, path, skip=()):
    """Fill a model, strictly: every weight is in the file with its shape, and nothing else is.

    Args:
        model: a built Keras model.
        path: safetensors file.
        skip: beginnings of keys that are left as they are, whatever the file has.

    Raises:
        ValueError: one message with all that is missing, unexpected or of another shape, or that
            the file is no safetensors file or has weights that are not finite; the model is then
            unchanged.
    """
    wanted = {k: v for k, v in named_weights(model).items() if not k.startswith(tuple(skip))}
    with open_safetensors(path) as file:
        shapes = {k: s for k, s in _shapes(file).items() if not k.startswith(tuple(skip))}
        problems = mismatches(wanted, shapes)
        if problems:
            raise ValueError(f"{path} does not fit {model.name}: {'; '.join(problems)}.")
        arrays = {key: finite(file.get_tensor(key), key, path) for key in wanted}
    for key, variable in wanted.items():
        variable.assign(arrays[key])


def load_fitting_weights(model, path):
    """Fill a model with what a file has under the same keys in the same shapes.

    It starts a network from a relative's weights, such as LOTR-M+ from those of LOTR-M.

    Args:
        model: a built Keras model.
        path: safetensors file.

    Returns:
        Keys of the weights that are left as they were.

    Raises:
        ValueError: less than half of the model's weights fit, some are not finite, or it is no
            safetensors file; the model is then unchanged.
    """
    named = named_weights(model)
    with open_safetensors(path) as file:
        shapes = _shapes(file)
        fitting = [k for k, v in named.items() if shapes.get(k) == tuple(v.shape)]
        if 2 * len(fitting) < len(named):
            raise ValueError(
                f"Expected weights of a network like {model.name} in {path}. Of its {len(named)} "
                f"weights only {len(fitting)} fit: {'; '.join(mismatches(named, shapes))}."
            )
        arrays = {key: finite(file.get_tensor(key), key, path) for key in fitting}
    for key, array in arrays.items():
        named[key].assign(array)
    return [key for key in named if key not in fitting]


def load_arrays(path, keys):
    """{key: NumPy array} of some of the weights in a safetensors file.

    Raises:
        ValueError: the file has no such weights, they are not finite, or it is no safetensors file.
    """
    with open_safetensors(path) as file:
        missing = [key for key in keys if key not in file.keys()]  # noqa: SIM118
        if missing:
            raise ValueError(f"Expected {', '.join(missing)} in {path}. It has no such weights.")
        return {key: finite(file.get_tensor(key), key, path) for key in keys}


def finite(array, key, path):
    """The weights as float32, none of which is NaN or infinite.

    Args:
        array: weights of a file.
        key, path: their key and the file, for the message.

    Raises:
        ValueError: one of them is NaN or infinite.

    Example:

    >>> finite(np.array([1, 2], np.float16), "bias", "model.safetensors").dtype
    dtype('float32')
    """
    array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise ValueError(
            f"Expected finite weights. {key} of {path} holds NaN or infinity: the file is damaged, "
            "or the training diverged. Fetch or train it again."
        )
    return array


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


def mismatches(wanted, shapes):
    """Why arrays are not those of a model's weights, key by key.

    Args:
        wanted: {key: variable} of the model.
        shapes: {key: shape tuple} of the arrays.

    Returns:
        A phrase for what is missing, one for what is unexpected, one for what has another shape;
        [] if the arrays fit.

    Example:

    >>> mismatches({"kernel": np.zeros((3, 8))}, {"kernel": (3, 4), "bias": (8,)})
    ['1 unexpected: bias', '1 of another shape: kernel is (3, 4) in the file, (3, 8) in the model']
    """
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
