"""`keras-lotr export`: a model as a file that runs without Keras, checked against the model."""

from dataclasses import dataclass
from pathlib import Path

from keras_lotr.export.calibration import calibration_crops
from keras_lotr.export.endings import check_ending
from keras_lotr.export.int8 import export_int8
from keras_lotr.export.litert import export_litert
from keras_lotr.export.onnx import export_onnx
from keras_lotr.export.openvino import export_openvino
from keras_lotr.export.saved_model import MARK, export_saved_model
from keras_lotr.lotr import LOTR
from keras_lotr.presets.files import ONNX, ONNX_INT8, WEIGHTS, resolve
from keras_lotr.writing import check_file_target, check_folder_target

_WRITERS = {
    "onnx": export_onnx,
    "litert": export_litert,
    "openvino": export_openvino,
    "saved_model": export_saved_model,
}


def export(model, path, format="onnx", batch=None, float16=False):
    """Write a LOTR as a file for another runtime, run the file, and compare it with the model.

    A model in 16 bits, such as one under "mixed_bfloat16", is written in float32.

    Args:
        model: `LOTR`.
        path: the file, or a folder for "saved_model". What is there already is replaced as a whole,
            and left as it was if anything fails.
        format:
            - "onnx": "images" (B, 3, S, S) float32 RGB 0..255 -> "points_crop" (B, N, 2), crop
              pixels; the same from every backend. Its metadata hold the preprocessor, so that it
              is all that `FaceLandmarker.from_onnx` needs.
            - "openvino": the same network as .xml and .bin.
            - "litert": a .tflite file that takes (B, S, S, 3); it needs the TensorFlow backend.
            - "saved_model": a folder for TensorFlow; it needs the TensorFlow or JAX backend.
        batch: B; None allows any.
        float16: whether to keep the weights of an ONNX file in 16 bits, which halves it. It
            computes in float32.

    Raises:
        ValueError: the format is unknown, the backend cannot write it, the backbone has layers that
            cannot be written, the model is quantized, or the path leads to something else or has
            the ending of another format.
        ImportError: a package is missing; the sentence names the extra to install.
        ExportDiffers: the file gives other points than the model.

    Example:

    >>> import tempfile, pathlib
    >>> from keras_lotr.backbones.mobilenet_v2 import MobileNetV2
    >>> model = LOTR(MobileNetV2(image_size=64), num_landmarks=5)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.onnx"
    >>> export(model, path)
    >>> path.stat().st_size > 1e6
    True
    """
    _check(path, format, batch, float16)
    if float16:
        export_onnx(model, path, batch, float16)
    else:
        _WRITERS[format](model, path, batch)


def _check(path, format, batch, float16):
    """What can be said before there is a model."""
    if format not in _WRITERS:
        raise ValueError(f"Expected a format of {', '.join(_WRITERS)}. Received: {format!r}")
    if batch is not None and batch < 1:
        raise ValueError(f"Expected a batch of at least 1. Received: {batch}")
    if float16 and format != "onnx":
        raise ValueError(f"Expected the format onnx for float16. Received: {format}")
    if format == "saved_model":
        check_folder_target(path, MARK)
    else:
        check_file_target(path)
    check_ending(path, format)


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        trained: whether the preset has trained weights.
        int8_difference: mean distance in crop pixels between the landmarks of the int8 file and
            the model's on the calibration crops; None for float32.
        num_crops: of calibration.
    """

    trained: bool
    int8_difference: float | None = None
    num_crops: int = 0


def export_preset(preset, path, format="onnx", batch=None, calibration=None, float16=False):
    """Write the LOTR of a preset as a file for another runtime.

    The preset's own model.onnx and model_int8.onnx, written into its folder, read their float
    weights from the model.safetensors there; any other file is all that is needed.

    Args:
        preset: short name, folder or hf:// handle; one without weights is written untrained.
        path, format, batch: see `export`.
        calibration: images of faces, as `keras-lotr predict` takes them, for int8 weights and
            activations in an ONNX file, see `export_int8`; None: float32.
        float16: see `export`.

    Returns:
        `Exported`.
    """
    _check(path, format, batch, float16)
    if calibration is not None and format != "onnx":
        raise ValueError(f"Expected the format onnx for int8. Received: {format}")
    files = resolve(preset)
    trained = files.path(WEIGHTS) is not None
    model = LOTR.from_preset(preset, load_weights=trained)
    weights = None if float16 else _weights_beside(path, files)
    if calibration is not None:
        crops = calibration_crops(calibration, model.preprocessor)
        difference = export_int8(model, path, crops, batch, weights)
        return Exported(trained, difference, len(crops))
    if weights is not None and format == "onnx":
        export_onnx(model, path, batch, weights=weights)
    else:
        export(model, path, format, batch, float16)
    return Exported(trained)


def _weights_beside(path, files):
    """The weights that an ONNX file of a preset reads if it is written to a path; None: no file."""
    path = Path(path)
    if files.folder is None or path.name not in (ONNX, ONNX_INT8):
        return None
    weights = files.folder / WEIGHTS
    is_own = path.resolve().parent == files.folder.resolve() and weights.is_file()
    return weights if is_own else None
