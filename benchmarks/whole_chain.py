"""From a photo to landmarks: the whole chain, its detector, and MediaPipe beside it.

`inference.py` measures them.
"""

import subprocess
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path

import cv2
import numpy as np
from landmark_stage import EXAMPLES, PRESET, SIZE, SMALL_PRESET
from timing import SECONDS, side_by_side

from keras_lotr import FaceDetector, FaceLandmarker, read_image
from keras_lotr.inference.onnx_model import OnnxModel


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
        settings = {"engine": "onnxruntime", "threads": 1, "min_face_size": 0.2}
        for name, preset in (("LOTR-M", PRESET), ("LOTR-S", SMALL_PRESET)):
            for words, precision in (("", "float32"), (", fastest precision", "auto")):
                landmarker = FaceLandmarker(preset, precision=precision, **settings)
                name_ = f"{name}, min_face_size=0.2{words}"
                functions[name_] = lambda run=landmarker: run(path)
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
