"""Time of landmarks, side by side in one run: runtimes, variants, the whole chain, batches, memory.

    python benchmarks/inference.py [--frames 10000] [--output results/benchmarks.json]
        [--mediapipe PYTHON]

One thread unless said otherwise. "bare" is the backbone of LOTR-M (MobileNetV2 at 192 pixels),
exported or run the same way. Untrained networks take as long as trained ones. MediaPipe runs in an
environment of its own, see `mediapipe_mesh.py`.
"""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click
import cv2
import numpy as np
from speed_table import speed_table
from timing import machine, side_by_side

from keras_lotr import FaceDetector, FaceLandmarker, read_image
from keras_lotr.inference.onnx_model import OnnxModel

EXAMPLES = Path(__file__).parents[1] / "examples"
PRESET, SIZE = "lotr_m_68", 192
SMALL_PRESET = "lotr_s_68"
SECONDS = 8.0  # of a comparison


@click.command()
@click.option("--frames", default=10_000, show_default=True, help="For the growth in memory.")
@click.option("--mediapipe", type=Path, help="Python of an environment with MediaPipe.")
@click.option("--output", type=Path, help="JSON.")
def main(frames, mediapipe, output):
    results = {"machine": machine()}
    with tempfile.TemporaryDirectory() as folder:
        results["stage"] = stage(Path(folder))
    results["batches"] = batches()
    results["chain"] = chain()
    results["min_face_size"] = smallest_face()
    results["large_photo"] = large_photo()
    if mediapipe:
        results["mediapipe"] = beside_mediapipe(mediapipe)
    results["keras"] = {name: keras_backend(name) for name in ("tensorflow", "jax", "torch")}
    results["memory"] = memory(frames)
    print(speed_table(results))
    if output:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


# === Landmark stage ===
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
small = LOTR.from_variant("lotr_s", 68)
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


# === Batches and the whole chain, onnxruntime ===
def batches():
    """Milliseconds for a crop, alone and among 64; with one thread and with all cores."""
    crops = np.random.default_rng(0).integers(0, 255, (64, SIZE, SIZE, 3), dtype=np.uint8)
    results = {}
    for threads in (1, os.cpu_count()):
        model = OnnxModel.from_preset(PRESET, threads=threads)
        functions = {
            "1": lambda m=model: m.predict_points(crops[:1]),
            "64": lambda m=model: m.predict_points(crops),
        }
        times = side_by_side(functions, seconds=SECONDS * 2)
        results[f"{threads} threads"] = {"1": times["1"], "64": round(times["64"] / 64, 3)}
    return results


def photo(faces):
    """640x480 with so many rendered faces, side by side."""
    side = 1 if faces == 1 else int(np.ceil(np.sqrt(faces)))
    size = 440 // side
    image = np.full((480, 640, 3), 90, np.uint8)
    face = cv2.resize(read_image(EXAMPLES / "rendered1.jpg"), (size, size))
    for i in range(faces):
        y, x = divmod(i, side)
        image[20 + y * size :, 20 + x * size :][:size, :size] = face
    return image


def chain():
    """A photo of 640x480: the whole chain beside detector and landmark model alone."""
    cv2.setNumThreads(1)
    model, detect = OnnxModel.from_preset(PRESET, threads=1), FaceDetector.from_preset()
    landmarker = FaceLandmarker(model, detect)
    results = {}
    for faces in (1, 4, 16):
        image = photo(faces)
        count = len(detect(image))
        crops = np.zeros((count, SIZE, SIZE, 3), np.uint8)
        functions = {
            "chain": lambda i=image: landmarker(i),
            "detector": lambda i=image: detect(i),
            "landmarks": lambda c=crops: model.predict_points(c),
        }
        results[f"{faces} faces"] = {"found": count, **side_by_side(functions, SECONDS)}
    return results


def smallest_face():
    """The detector on a photo of 640x480 with one face, by the smallest face that is asked for."""
    cv2.setNumThreads(1)
    image = photo(1)
    detectors = {str(s): FaceDetector.from_preset(min_face_size=s) for s in (None, 40, 80, 160)}
    functions = {s: lambda d=detect: d(image) for s, detect in detectors.items()}
    return side_by_side(functions, SECONDS)


def large_photo():
    """A JPEG file of 4000x3000 with one face of 900 pixels: reading it, and the chain."""
    cv2.setNumThreads(1)
    noise = np.random.default_rng(0).normal(90, 3, (3000, 4000, 3)).clip(0, 255)
    image = noise.astype(np.uint8)
    image[600:1900, 1000:2300] = cv2.resize(read_image(EXAMPLES / "rendered1.jpg"), (1300, 1300))
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "photo.jpg"))
        cv2.imwrite(path, image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
        functions = {"reading it at full size": lambda: read_image(path)}
        for name, preset in (("LOTR-M", PRESET), ("LOTR-S", SMALL_PRESET)):
            landmarker = FaceLandmarker(preset, engine="onnxruntime", threads=1, min_face_size=0.2)
            functions[f"{name}, min_face_size=0.2"] = lambda run=landmarker: run(path)
        return side_by_side(functions, SECONDS)


# === Beside MediaPipe ===
def beside_mediapipe(python):
    """A photo of 640x480 with one face: the chain, and MediaPipe's detector and mesh."""
    cv2.setNumThreads(1)
    image = photo(1)
    settings = {
        "LOTR-M": {"model": PRESET},
        "LOTR-M, min_face_size=80": {"model": PRESET, "min_face_size": 80},
        "LOTR-S, min_face_size=80": {"model": SMALL_PRESET, "min_face_size": 80},
        "LOTR-S, min_face_size=80, fastest precision": {
            "model": SMALL_PRESET, "min_face_size": 80, "precision": "auto",
        },
    }  # fmt: skip
    functions = {}
    for name, arguments in settings.items():
        landmarker = FaceLandmarker(engine="onnxruntime", threads=1, **arguments)
        functions[name] = lambda run=landmarker: run(image)
    with ExitStack() as stack:
        for mode in ("static", "video"):
            mesh = stack.enter_context(mediapipe_mesh(python, image, mode))
            functions[f"MediaPipe, {mode} mode"] = mesh
        return side_by_side(functions, SECONDS * 3)


@contextmanager
def mediapipe_mesh(python, image, mode):
    """A function that runs MediaPipe's face mesh on the image, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "photo.npy")
        np.save(path, image)
        script = Path(__file__).with_name("mediapipe_mesh.py")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        command = [str(python), str(script), str(path), mode]
        with subprocess.Popen(command, **pipes, stderr=subprocess.DEVNULL) as process:

            def run():
                process.stdin.write("\n")
                process.stdin.flush()
                if int(process.stdout.readline()) != 1:
                    raise RuntimeError("Expected MediaPipe to find the face of the photo.")

            try:
                yield run
            finally:
                process.stdin.close()


# === Keras ===
def keras_backend(backend):
    """The compiled model called with one crop beside `predict_points`, one thread."""
    code = f"""
import json, keras, numpy as np
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from timing import side_by_side
from keras_lotr import LOTR
model = LOTR.from_preset({PRESET!r})
crop = np.random.default_rng(0).integers(0, 255, (1, {SIZE}, {SIZE}, 3), dtype=np.uint8)
if keras.backend.backend() == "torch":
    import torch
    def bare():
        with torch.inference_mode():
            return model(torch.from_numpy(crop)).numpy()
elif keras.backend.backend() == "jax":
    import jax
    compiled = jax.jit(lambda x: model(x, training=False))
    bare = lambda: np.asarray(compiled(crop))
else:
    import tensorflow
    compiled = tensorflow.function(lambda x: model(x, training=False))
    bare = lambda: compiled(tensorflow.constant(crop)).numpy()
functions = {{"model": bare, "predict_points": lambda: model.predict_points(crop)}}
print(json.dumps(side_by_side(functions)))
"""
    environment = {**os.environ, "KERAS_BACKEND": backend}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    if run.returncode:
        return {"error": run.stderr.strip().splitlines()[-1]}
    return json.loads(run.stdout.splitlines()[-1])


# === Memory ===
def memory(frames):
    """Megabytes that the process has grown by, over so many frames of a small video."""
    landmarker = FaceLandmarker.from_preset(PRESET, engine="onnxruntime")
    image = cv2.resize(photo(1), (160, 120))
    for _ in range(200):
        landmarker(image)
    before = resident()
    for _ in range(frames):
        landmarker(image)
    return {"frames": frames, "grown_mb": round(resident() - before, 2)}


def resident():
    with open("/proc/self/statm", encoding="utf-8") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
