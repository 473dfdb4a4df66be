"""How a model becomes a preset: what is saved of its weights, and a folder that is replaced whole.

An error leaves the preset that was there as it was.
"""

from contextlib import ExitStack
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_lotr.presets.files import ONNX, ONNX_INT8, WEIGHTS, to_json
from keras_lotr.presets.weights import named_weights, save_arrays
from keras_lotr.writing import check_folder, replaced

# That weights can be saved in. Integers would cut them to whole numbers.
DTYPES = ("float16", "bfloat16", "float32")


def save_preset(model, folder, contents, dtype=None):
    """Write the weights of a model and the JSON files that belong to them.

    Args:
        model: a built Keras model.
        folder: created if missing; .onnx files of other weights are taken away.
        contents: {filename: content} of the JSON files.
        dtype: see `arrays_of`.

    Raises:
        ValueError: `folder` is a file.
        OSError: the files cannot be written; those that were there are unchanged.
    """
    folder = Path(folder)
    check_folder(folder)
    arrays = arrays_of(model, dtype)
    with ExitStack() as replacing:
        for name, content in contents.items():
            replacing.enter_context(replaced(folder / name)).write_bytes(to_json(content))
        # The largest is the likeliest to fail. The others take their places after it.
        save_arrays(arrays, folder / WEIGHTS, facts_of(model))
    for name in (ONNX, ONNX_INT8):
        (folder / name).unlink(missing_ok=True)


def save_weights(model, path, dtype=None):
    """Write all weights of a model, see `arrays_of`."""
    save_arrays(arrays_of(model, dtype), path, facts_of(model))


def facts_of(model):
    """What a file of weights says of itself."""
    return {"format": "keras", "keras": keras.__version__, "class": type(model).__name__}


def arrays_of(model, dtype=None):
    """{key: NumPy array} of all weights; low-rank adapters (LoRA) are added to their kernels.

    Args:
        model: a built Keras model.
        dtype: one of `DTYPES`, of which those of 16 bits halve the file; batch norm statistics stay
            float32. None keeps dtypes.

    Raises:
        ValueError: another dtype, or weights that are not finite in it.
    """
    _check_dtype(dtype)
    arrays, (merged, adapters) = {}, _adapted(model)
    for key, variable in named_weights(model).items():
        if id(variable) in adapters:
            continue
        array = ops.convert_to_numpy(merged.get(id(variable), variable.value))
        statistic = key.endswith(("moving_mean", "moving_variance"))
        if dtype is not None:
            with np.errstate(over="ignore"):  # it is told below
                array = array.astype(np.float32 if statistic else dtype)
        arrays[key] = _storable(array, key, model)
    return arrays


def _storable(array, key, model):
    """The weights, if they can be loaded again."""
    if not np.isfinite(array.astype(np.float32)).all():
        raise ValueError(
            f"Expected finite weights. {key} of {model.name} as {array.dtype} holds NaN or "
            "infinity: the training diverged, or the numbers are too large for that dtype. Nothing "
            "was written."
        )
    return array


def _check_dtype(dtype):
    try:
        known = dtype is None or keras.backend.standardize_dtype(dtype) in DTYPES
    except (TypeError, ValueError):  # no dtype at all
        known = False
    if not known:
        names = ", ".join(map(repr, DTYPES))
        raise ValueError(f"Expected dtype as None or one of {names}. Received: {dtype!r}")


def saved_shapes(model):
    """{key: shape} of what `save_weights` writes."""
    _, adapters = _adapted(model)
    named = named_weights(model).items()
    return {key: tuple(v.shape) for key, v in named if id(v) not in adapters}


def _adapted(model):
    """Of layers with low-rank adapters: {id of a weight: its sum with the adapter}, adapters' ids.

    Raises:
        ValueError: for an adapter of quantized weights, which have no such sum.
    """
    merged, adapters = {}, set()
    for layer in model._flatten_layers(include_self=False):
        if not getattr(layer, "lora_enabled", False):
            continue
        if layer.dtype_policy.quantization_mode is not None:
            raise ValueError(
                f"Expected low-rank adapters of float weights. {layer.path} is quantized: save the "
                "model before it is quantized."
            )
        name = "embeddings" if hasattr(layer, "lora_embeddings_a") else "kernel"
        merged[id(getattr(layer, f"_{name}"))] = getattr(layer, name)
        adapters |= {id(getattr(layer, f"lora_{name}_{part}")) for part in "ab"}
    return merged, adapters
