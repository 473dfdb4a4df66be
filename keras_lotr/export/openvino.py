"""A LOTR as OpenVINO's .xml and .bin, made from its ONNX graph, so from every backend."""

import os
import sys
from pathlib import Path

import numpy as np

from keras_lotr.export.check import check_points, one_sentence
from keras_lotr.export.float32 import in_float32
from keras_lotr.export.onnx import check_packages, facts, onnx_content
from keras_lotr.inference.onnx_model import FACTS
from keras_lotr.unfinished import unfinished_folder
from keras_lotr.writing import check_file_target

_MISSING = object()


def export_openvino(model, path, batch=None):
    """Write a LOTR for OpenVINO, after the written file was run and compared with the model.

    Input and output are those of the ONNX file. The preprocessor is in the `rt_info` of the .xml.

    Args:
        model: `LOTR`.
        path: the .xml file; the weights go into a .bin beside it. Both are left as they were if the
            comparison fails.
        batch: number of crops that the file takes; None: any.

    Raises:
        ValueError: not an .xml path; the backbone has layers that cannot be written.
        ImportError: openvino, onnx or onnxruntime is missing.
        ExportDiffers: the file gives other points than the model.
    """
    path = Path(path)
    if path.suffix != ".xml":
        raise ValueError(f"Expected a path that ends in .xml for openvino. Received: {path}")
    check_file_target(path.with_suffix(".bin"))
    openvino = import_openvino()
    check_packages("openvino")
    core, model = openvino.Core(), in_float32(model)
    content = onnx_content(model, batch)
    with (
        one_sentence("openvino"),
        unfinished_folder(path) as folder,
    ):
        network = core.read_model(content, b"")
        network.set_rt_info(facts(model), [FACTS])
        written = folder / path.name
        openvino.save_model(network, written, compress_to_fp16=False)
        # Some processors would compute in bfloat16 by themselves.
        run = core.compile_model(written, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

        def predict(crops):
            return run(np.ascontiguousarray(crops.transpose(0, 3, 1, 2)))[0]

        check_points(model, predict, batch or 3)
        for ending in (".bin", ".xml"):
            os.replace(written.with_suffix(ending), path.with_suffix(ending))


def import_openvino():
    """The package openvino, without a report to its makers.

    It reports each import through another package, unless that is missing.
    """
    telemetry = "openvino_telemetry"
    before = sys.modules.get(telemetry, _MISSING)
    sys.modules[telemetry] = None
    try:
        import openvino
    except ImportError:
        raise ImportError(
            "Exporting for OpenVINO needs openvino: pip install 'keras-lotr[openvino]'"
        ) from None
    finally:
        del sys.modules[telemetry]
        if before is not _MISSING:
            sys.modules[telemetry] = before
    return openvino
