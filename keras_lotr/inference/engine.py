"""What runs a landmark model: Keras on its backend, or onnxruntime without Keras."""

import os
from importlib.util import find_spec

from keras_lotr.inference.onnx_model import OnnxModel
from keras_lotr.inference.precision import precision_for
from keras_lotr.presets.files import ONNX, resolve
from keras_lotr.quiet import backend_needed

ENGINES = ("auto", "keras", "onnxruntime")


def load_model(
    source,
    engine="auto",
    threads=None,
    providers=None,
    dtype=None,
    token=None,
    precision=None,
):
    """Load a landmark model for prediction.

    Args:
        source: short name, folder or "hf://org/name[@revision]" of a preset; or an .onnx file of
            `keras-lotr export` (its path or its bytes), which onnxruntime runs in any case.
        engine: "keras"; "onnxruntime", which runs the preset's model.onnx and imports neither Keras
            nor a backend; or "auto": onnxruntime where it is installed and the preset has a
            model.onnx, and Keras where not, or if a `dtype` is asked for.
        threads, providers: of onnxruntime, see `OnnxModel`.
        dtype: dtype policy of the Keras model, such as "mixed_bfloat16".
        token: access token of the Hub; None takes that of HF_TOKEN or `hf auth login`.
        precision: of onnxruntime: "float32" (None); "int8", the preset's model_int8.onnx; or
            "auto", int8 where the preset has it and it is faster on this processor.

    Returns:
        A `LOTR` or an `OnnxModel`; both have `predict_points(crops, flip, batch_size)`.

    Raises:
        ValueError: unknown preset or engine, one without weights or without model.onnx, or settings
            of the other engine.
        FileNotFoundError: there is no such .onnx file.
        ImportError: onnxruntime is missing.

    Example:

    >>> load_model("lotr_m_68", "onnxruntime", threads=1)
    OnnxModel('...lotr_m_68/model.onnx', 68 landmarks (ibug68), crops 192 x 192, run by
    onnxruntime on CPUExecutionProvider)
    """
    if engine not in ENGINES:
        raise ValueError(f"Expected an engine, one of {', '.join(ENGINES)}. Received: {engine!r}")
    of_runtime = any(setting is not None for setting in (threads, providers, precision))
    is_file = isinstance(source, bytes) or os.fspath(source).endswith(".onnx")
    if is_file or of_runtime and engine == "auto":
        engine = "onnxruntime"
    if engine == "auto":
        engine = best_engine(source, dtype, token)
    if engine == "onnxruntime" and dtype is not None:
        raise ValueError(
            f"Expected no dtype with onnxruntime: its files have their own. Received: {dtype!r}; "
            "take engine='keras'"
        )
    if engine == "keras" and of_runtime:
        raise ValueError(
            "Expected no threads, providers and precision with Keras: they are settings of "
            f"onnxruntime. Received: {threads=}, {providers=}, {precision=}"
        )
    if is_file:
        if precision is not None:
            raise ValueError(
                "Expected no precision with an .onnx file, which has its own. "
                f"Received: {precision!r}"
            )
        return OnnxModel(source, threads, providers)
    if engine == "onnxruntime":
        precision = precision_for(source, precision or "float32", threads, providers, token)
        return OnnxModel.from_preset(source, threads, providers, token, precision)
    with backend_needed():
        from keras_lotr.lotr import LOTR  # here, for who runs without Keras

    return LOTR.from_preset(source, dtype=dtype, token=token)


def best_engine(preset, dtype=None, token=None):
    """What "auto" stands for; arguments as of `load_model`."""
    if dtype is not None or find_spec("onnxruntime") is None:
        return "keras"
    return "keras" if resolve(preset, token).path(ONNX) is None else "onnxruntime"
