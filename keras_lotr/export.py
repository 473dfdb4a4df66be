"""`keras-lotr export`: a model as a file that runs without Keras, checked against the model."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
from keras import ops

from keras_lotr.lotr import LOTR
from keras_lotr.onnx_lotr import lotr_graph
from keras_lotr.preset_files import WEIGHTS, resolve

FACTS = "keras_lotr"  # the key of the crop contract in the file's metadata
LARGEST_DIFFERENCE = 1e-3  # pixels of the crop


def export_preset(preset, path):
    """Write the LOTR of a preset as ONNX.

    Args:
        preset: short name, folder or hf:// handle; one without weights is written untrained.
        path: the .onnx file.

    Returns:
        True if the preset has trained weights.
    """
    trained = resolve(preset).path(WEIGHTS) is not None
    export(LOTR.from_preset(preset, load_weights=trained), path)
    return trained


def export(model, path):
    """Write a LOTR as ONNX, run the file, and compare it with the model.

    The file takes "images" (B, 3, S, S) float32 RGB 0..255 for any B, and gives "points_crop"
    (B, N, 2), crop pixels. Its metadata hold the crop contract, so that it is all that
    `FaceLandmarker` needs. It is the same from every backend.

    Args:
        model: `LOTR`.
        path: the .onnx file; left as it was if the comparison fails.

    Raises:
        ValueError: the backbone has layers that cannot be written.
        ImportError: onnx or onnxruntime is missing.
        RuntimeError: the file gives other points than the model.

    Example:

    >>> import tempfile, pathlib
    >>> from keras_lotr.backbones.mobilenet_v2 import MobileNetV2
    >>> model = LOTR(MobileNetV2(image_size=64), num_landmarks=5)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.onnx"
    >>> export(model, path)
    >>> path.stat().st_size > 1e6
    True
    """
    path = Path(path)
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"Exporting needs the package {error.name}: pip install 'keras-lotr[export]'"
        ) from None
    graph, inputs, outputs = lotr_graph(model)
    facts = {FACTS: json.dumps({**asdict(model.crop_contract), "channels": "RGB"})}
    path.parent.mkdir(parents=True, exist_ok=True)
    unchecked = path.with_name(f".{path.name}.unchecked.{os.getpid()}")
    try:
        graph.save(unchecked, inputs, outputs, facts)
        _compare(model, unchecked)
        os.replace(unchecked, path)
    finally:
        unchecked.unlink(missing_ok=True)


def _compare(model, path):
    import onnxruntime

    size = model.image_size
    crops = np.random.default_rng(0).uniform(0, 255, (3, size, size, 3)).astype(np.float32)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    channels_first = np.ascontiguousarray(crops.transpose(0, 3, 1, 2))
    written = session.run(None, {session.get_inputs()[0].name: channels_first})[0]
    expected = ops.convert_to_numpy(model(crops, training=False))
    difference = float(np.abs(written - expected).max())
    if not difference <= LARGEST_DIFFERENCE:
        raise RuntimeError(
            f"Expected the exported file to give the points of the model, within "
            f"{LARGEST_DIFFERENCE} pixel. They differ by {difference:.3g}; nothing was written."
        )
