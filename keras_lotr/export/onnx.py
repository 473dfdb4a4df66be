"""A LOTR as an ONNX file that is all that `FaceLandmarker` needs, the same from every backend."""

import json
import warnings

import numpy as np
from keras import ops

from keras_lotr.export.check import (
    check_certainty,
    check_features,
    check_points,
    one_sentence,
    random_crops,
)
from keras_lotr.export.float32 import in_float32
from keras_lotr.export.onnx_external import with_external_weights
from keras_lotr.export.onnx_lotr import IMAGES, features, lotr_graph
from keras_lotr.inference.onnx_model import FACTS, OnnxModel
from keras_lotr.inference.onnx_session import open_session
from keras_lotr.presets.files import write_file
from keras_lotr.running.crop_batches import UNCALIBRATED


def export_onnx(model, path, batch=None, float16=False, weights=None):
    """Write a LOTR as ONNX, after the content was run and compared with the model.

    A model of another dtype policy is written, and compared, in float32.

    Args:
        model: `LOTR`.
        path: the .onnx file; left as it was if the comparison fails.
        batch: number of crops that the file takes; None: any.
        float16: keep weights in 16 bits, which halves the file; it computes in float32.
        weights: the safetensors file of the model's weights, in the folder of `path`: the ONNX file
            reads them from there and has none of its own, as a preset's model.onnx. None: the file
            is all that is needed.

    Raises:
        ValueError: the backbone has layers that cannot be written, or the model is quantized.
        ImportError: onnx or onnxruntime is missing.
        ExportDiffers: the file gives other points than the model.
    """
    write_file(path, onnx_content(model, batch, float16, weights))


def check_packages(extra):
    """Raise ImportError if a package for ONNX files is missing, with the extra that has it."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"Exporting needs the package {error.name}: pip install 'keras-lotr[{extra}]'"
        ) from None


def onnx_content(model, batch=None, float16=False, weights=None):
    """The checked content of the file, bytes; arguments and errors as of `export_onnx`."""
    check_packages("export")
    with one_sentence("onnx"):
        model = in_float32(model)
        has_certainty = model.has_certainty
        if model.certainty is not None and not has_certainty:
            warnings.warn(UNCALIBRATED, stacklevel=3)
        graph, inputs, outputs = lotr_graph(model, batch)
        content = graph.to_bytes(inputs, outputs, {FACTS: facts(model)})
        found = OnnxModel(content)
        check_points(model, found.predict_points, batch or 3)
        if has_certainty:
            check_certainty(model, found.predict_certainty, batch or 3)
        _check_features(model, graph, inputs, batch)
        if float16:
            content = graph.to_bytes(inputs, outputs, {FACTS: facts(model)}, float16)
            check_points(model, OnnxModel(content).predict_points, batch or 3, rounded=True)
        if weights is not None:
            content = with_external_weights(content, model, weights)
            found = OnnxModel(content, weights=weights)
            check_points(model, found.predict_points, batch or 3)
            if has_certainty:
                check_certainty(model, found.predict_certainty, batch or 3)
    return content


def _check_features(model, graph, inputs, batch):
    """The same for what the head makes points of."""
    network, outputs = features(model)
    crops = random_crops(model, batch or 3)
    session = open_session(graph.to_bytes(inputs, outputs), "bytes")
    images = np.ascontiguousarray(crops.transpose(0, 3, 1, 2))
    found = session.run(list(outputs), {IMAGES: images})
    for name, array, expected in zip(outputs, found, network(crops, training=False), strict=True):
        expected = ops.convert_to_numpy(expected)
        check_features(array, expected.reshape(-1, expected.shape[-1]), name)


def facts(model):
    """The preprocessor as JSON, which travels in exported files."""
    return json.dumps({**model.preprocessor.to_dict(), "channels": "RGB"})
