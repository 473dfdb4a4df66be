"""The landmarks of one crop: the bare backbone, the variants, int8 and other runtimes.

`inference.py` measures them.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from timing import SECONDS, side_by_side

EXAMPLES = Path(__file__).parents[1] / "examples"
PRESET, SIZE = "lotr_m_68", 192
SMALL_PRESET = "lotr_s_68"


def stage(folder):
    """One crop: the bare backbone, the variants, int8 and other runtimes."""
    write_networks(folder)
    crop = np.random.default_rng(0).integers(0, 255, (1, SIZE, SIZE, 3)).astype(np.float32)
    planes = np.ascontiguousarray(crop.transpose(0, 3, 1, 2))
    functions = {}
    for path in sorted(folder.glob("*.onnx")):
        session = ort_session(path)
        side = session.get_inputs()[0].shape[-1]
        inputs = {"images": np.ascontiguousarray(planes[..., :side, :side])}
        functions[f"{path.stem}, onnxruntime"] = lambda s=session, i=inputs: s.run(None, i)
    add_openvino(functions, folder, planes)
    add_litert(functions, folder, crop)
    return side_by_side(functions, seconds=SECONDS * 5)


def write_networks(folder):
    """The ONNX and .tflite files, by Keras in a process of its own."""
    code = f"""
import keras
from keras_lotr import LOTR
from keras_lotr.export.calibration import calibration_crops
from keras_lotr.export.exporter import export
from keras_lotr.export.onnx_graph import OnnxGraph
from keras_lotr.export.onnx_layers import write_model
from keras_lotr.export.int8 import export_int8
folder = {str(folder)!r}
model = LOTR.from_preset({PRESET!r})
graph = OnnxGraph()
name, = write_model(graph, model.backbone, ["images"])
graph.save(folder + "/bare.onnx", {{"images": ["batch", 3, {SIZE}, {SIZE}]}},
           {{name: ["batch", *model.backbone.output.shape[:0:-1]]}})
export(model, folder + "/LOTR-M.onnx")
crops = calibration_crops([{str(EXAMPLES / "rendered_faces/*/*.jpg")!r}], model.preprocessor)
export_int8(model, folder + "/LOTR-M int8.onnx", crops)
small = LOTR.from_preset({SMALL_PRESET!r})
export(small, folder + "/LOTR-S.onnx")
export_int8(small, folder + "/LOTR-S int8.onnx", crops[:, :small.image_size, :small.image_size])
export(LOTR.from_variant("lotr_m_plus", 68), folder + "/LOTR-M+.onnx")
export(LOTR.from_variant("lotr_r_plus", 68), folder + "/LOTR-R+.onnx")
try:
    export(model, folder + "/LOTR-M.tflite", "litert", batch=1)
except (ImportError, ValueError) as error:
    print(error)
"""
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def ort_session(path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def add_openvino(functions, folder, planes):
    try:
        from keras_lotr.export.openvino import import_openvino

        core = import_openvino().Core()
    except ImportError as error:
        return print(error)
    settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    for name in ("bare", "LOTR-M"):
        network = core.read_model(folder / f"{name}.onnx")
        network.reshape([1, 3, SIZE, SIZE])
        run = core.compile_model(network, "CPU", settings)
        functions[f"{name}, OpenVINO"] = lambda run=run: run(planes)


def add_litert(functions, folder, crop):
    path = folder / "LOTR-M.tflite"
    if not path.exists():
        return
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    index = interpreter.get_input_details()[0]["index"]

    def run():
        interpreter.set_tensor(index, crop)
        interpreter.invoke()

    functions["LOTR-M, LiteRT"] = run
