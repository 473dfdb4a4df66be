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
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click
import cv2
import numpy as np
from landmark_stage import PRESET, SIZE, stage
from process_tree import resident
from speed_table import speed_table
from timing import SECONDS, machine, side_by_side
from whole_chain import beside_mediapipe, chain, large_photo, photo, smallest_face

from keras_lotr import FaceLandmarker
from keras_lotr.inference.onnx_model import OnnxModel


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


# === Batches ===
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
    before = resident(os.getpid())[0]
    for _ in range(frames):
        landmarker(image)
    return {"frames": frames, "grown_mb": round(resident(os.getpid())[0] - before, 2)}


if __name__ == "__main__":
    main()
