"""What files of each format are called; needs no Keras."""

from pathlib import Path

ENDINGS = {
    "onnx": ".onnx",
    "litert": ".tflite",
    "openvino": ".xml",
    "saved_model": "_saved_model",
}
_FORMATS = {ending: name for name, ending in ENDINGS.items() if ending.startswith(".")}


def format_of(path):
    """The format that the ending of a path stands for; None: it stands for none.

    Example:

    >>> format_of("face.tflite"), format_of("face")
    ('litert', None)
    """
    return _FORMATS.get(Path(path).suffix.lower())


def check_ending(path, format):
    """Refuse another ending than that of the format; a SavedModel is a folder of any name.

    Example:

    >>> check_ending("face.tflite", "onnx")
    Traceback (most recent call last):
    ValueError: Expected a path that ends with .onnx for the format onnx. .tflite stands for litert.
    Received: face.tflite
    """
    meant, ending = format_of(path), Path(path).suffix
    if meant == (None if format == "saved_model" else format):
        return
    stands = f"{ending} stands for {meant or 'none'}. " if ending else ""
    raise ValueError(
        f"Expected a path that ends with {ENDINGS[format]} for the format {format}. {stands}"
        f"Received: {path}"
    )
