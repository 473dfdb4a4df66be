"""In which precision onnxruntime runs a preset: float32, or int8 where that is the faster."""

import functools
import time
import warnings

import cv2
import numpy as np

from keras_lotr.inference.onnx_model import FILES, OnnxModel
from keras_lotr.presets.files import ONNX_INT8, resolve

PRECISIONS = (*FILES, "auto")

# Numbers of OpenCV's CV_CPU_AVX_512VNNI and CV_CPU_NEON_DOTPROD, which Python has no names for.
# Without such instructions int8 saves less time, and on x86 its sums overflow.
_INT8_INSTRUCTIONS = 23, 101
_RUNS = 5


def precision_for(preset, precision, threads=None, providers=None, token=None):
    """The precision that is meant: "float32", "int8", or what is faster here for "auto".

    "auto" is int8 where the preset has a file for it, the processor has instructions for it, and
    one crop took less time than in float32; it is measured once in a process.

    Args:
        preset: short name, folder or "hf://org/name[@revision]".
        precision: of `PRECISIONS`.
        threads, providers, token: see `OnnxModel.from_preset`.

    Raises:
        ValueError: there is no such precision.
    """
    if precision not in PRECISIONS:
        known = ", ".join(PRECISIONS)
        raise ValueError(f"Expected a precision, one of {known}. Received: {precision!r}")
    has_instructions = any(map(cv2.checkHardwareSupport, _INT8_INSTRUCTIONS))
    if precision == "int8" and not has_instructions:
        warnings.warn(
            "This processor has no instructions for int8 (VNNI or dot products), so int8 is less "
            "exact than on others and saves less time. Take precision='float32' to be exact.",
            stacklevel=2,
        )
    if precision != "auto":
        return precision
    on_cpu = providers is None or list(providers) == ["CPUExecutionProvider"]
    files = resolve(preset, token)
    if not on_cpu or not has_instructions or files.path(ONNX_INT8) is None:
        return "float32"
    return _faster(preset, threads, token)


@functools.cache
def _faster(preset, threads, token):
    models = {name: OnnxModel.from_preset(preset, threads, None, token, name) for name in FILES}
    size = models["float32"].image_size
    crop = np.zeros((1, size, size, 3), np.uint8)
    seconds = {name: [] for name in models}
    for _ in range(1 + _RUNS):  # the first run of each is slower
        for name, model in models.items():
            start = time.perf_counter()
            model.predict_points(crop)
            seconds[name].append(time.perf_counter() - start)
    return min(seconds, key=lambda name: min(seconds[name]))
