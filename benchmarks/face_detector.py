"""The face detector beside its teacher: recall, false faces, five points, time, landmark error.

    python benchmarks/face_detector.py --photos held_out.txt --teacher yunet.onnx \
        --faces FOLDER --threshold 0.5 --threshold 0.6 --output presets/face_detector/results.json

Nobody has marked the faces of the photos. A face counts as real if the teacher sees it (score 0.3)
in the mirrored photo or in the photo at 1.5 times the size; both detectors are judged by that.
Points are compared with the teacher's; beside that stands how far the teacher's own in the mirrored
photo are from them.
"""

import json
import platform
import time
from pathlib import Path

import click
import cv2
import numpy as np

from keras_lotr.geometry import boxes_of, overlaps
from keras_lotr.images.folders import expand
from keras_lotr.images.reading import read_image
from keras_lotr.inference.face_detector import Face, FaceDetector

CONFIDENT, NARROWEST = 0.8, 24


@click.command()
@click.option("--detector", default="face_detector", show_default=True, help="Preset.")
@click.option("--photos", multiple=True, required=True, help="Folder, or text file of paths.")
@click.option("--teacher", type=Path, required=True, help="face_detection_yunet_2023mar.onnx")
@click.option("--faces", help="Kit of annotated faces, for the landmarks' error.")
@click.option("--threshold", "thresholds", type=float, multiple=True, help="Try this one, too.")
@click.option("--output", type=Path)
def main(detector, photos, teacher, faces, thresholds, output):
    photos = [read_image(path) for path in expand(photos)]
    results = {
        "detector": detector,
        **compare(photos, detector, teacher, thresholds),
        "milliseconds": times(photos[0], detector, teacher),
    }
    if faces:
        results["landmarks"] = landmark_error(faces, {"embedded": detector, "yunet": teacher})
    text = json.dumps(results, indent=1)
    print(text)
    if output:
        output.write_text(text + "\n")


def load(detector, **settings):
    if str(detector).endswith(".onnx"):
        return FaceDetector(detector, **settings)
    return FaceDetector.from_preset(detector, **settings)


def compare(photos, detector, teacher, thresholds=()):
    """Recall, false faces and points of the detector, with its own threshold and with others."""
    students = {"embedded": load(detector)}
    students |= {str(t): load(detector, threshold=t) for t in thresholds}
    teachers = load(teacher), load(teacher, threshold=0.3)
    larger = load(teacher, threshold=0.3, max_side=960)
    wanted = 0
    names = [*students, "yunet", "yunet mirrored"]
    false, distances = dict.fromkeys(names, 0), {name: [] for name in names}
    for photo in photos:
        sure = teachers[0](photo)
        zoomed = cv2.resize(photo, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_CUBIC)
        reflected = mirrored(teachers[1], photo)
        real = np.concatenate([boxes_of(reflected), boxes_of(larger(zoomed)) / 1.5])
        seen = {name: student(photo) for name, student in students.items()}
        for name, faces in {**seen, "yunet": sure}.items():
            false[name] += sum(overlaps(face.box, real).max(initial=0) < 0.3 for face in faces)
        sure = [f for f in sure if f.score >= CONFIDENT and f.box[2] - f.box[0] >= NARROWEST]
        wanted += len(sure)
        for name, faces in {**seen, "yunet mirrored": reflected}.items():
            distances[name] += matched_distances(sure, faces)

    def summary(name):
        return {
            "recall": round(100 * len(distances[name]) / wanted, 2),
            "false_faces_per_photo": round(false[name] / len(photos), 3),
            "median_point_distance": round(100 * float(np.median(distances[name])), 2),
        }

    own, teachers_own = summary("embedded"), summary("yunet mirrored")
    return {
        "photos": len(photos),
        "confident_faces": wanted,
        "recall": own["recall"],
        "false_faces_per_photo": {
            "embedded": own["false_faces_per_photo"],
            "yunet": round(false["yunet"] / len(photos), 3),
        },
        "median_point_distance": {
            "embedded": own["median_point_distance"],
            "yunet mirrored": teachers_own["median_point_distance"],
        },
        "score_thresholds": {str(t): summary(str(t)) for t in thresholds},
    }


def matched_distances(sure, faces):
    """Point distances of those faces of the teacher's that are among the others (IoU 0.5)."""
    boxes, distances = boxes_of(faces), []
    for face in sure:
        same = overlaps(face.box, boxes)
        if same.max(initial=0) >= 0.5:
            distances.append(point_distance(face, faces[int(same.argmax())]))
    return distances


def point_distance(face, other):
    """Mean distance of the five points in sides of the box."""
    side = np.sqrt(np.prod(face.box[2:] - face.box[:2]))
    return np.linalg.norm(face.five_points - other.five_points, axis=1).mean() / side


def mirrored(detector, photo):
    """Faces found in the mirrored photo, in pixels of the photo."""
    last = photo.shape[1] - 1
    faces = []
    for face in detector(np.ascontiguousarray(photo[:, ::-1])):
        x0, y0, x1, y1 = face.box
        points = face.five_points[[1, 0, 2, 4, 3]] * [-1, 1] + [last, 0]
        faces.append(Face(np.array([last - x1, y0, last - x0, y1]), points, face.score))
    return faces


def times(photo, detector, teacher):
    """Median milliseconds of both on one thread, taking turns."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    networks = {"embedded": load(detector), "yunet": load(teacher)}
    results = {}
    for width, height in ((640, 480), (320, 240)):
        picture = cv2.resize(photo, (width, height))
        spent = {name: [] for name in networks}
        for _ in range(60):
            for name, network in networks.items():
                began = time.perf_counter()
                network(picture)
                spent[name].append(1000 * (time.perf_counter() - began))
        medians = {name: round(float(np.median(times[10:])), 1) for name, times in spent.items()}
        results[f"{width}x{height}"] = medians
    cv2.setNumThreads(threads)
    return {**results, "threads": 1, "machine": platform.machine()}


def landmark_error(data, detectors):
    """What it costs that a detector finds the boxes: NME of lotr_m_68 in per cent.

    The crops of the kit show the face and its surroundings. Both errors are over the faces that
    were found (IoU 0.3 with the true box).
    """
    from keras import ops

    from keras_lotr import FaceLandmarker
    from keras_lotr.datasets import read_samples
    from keras_lotr.metrics import normalized_mean_error

    landmarker = FaceLandmarker.from_preset("lotr_m_68", flip=True)
    samples = read_samples(data, "val", "ibug68")
    photos = [sample.image() for sample in samples]
    truth = np.array([sample.points_image for sample in samples])

    def errors(boxes):
        points = [faces[0].points for faces in landmarker(photos, boxes=[[b] for b in boxes])]
        nme = normalized_mean_error(truth, np.array(points), "ibug68")
        return ops.convert_to_numpy(nme)

    true_boxes = np.array([sample.box for sample in samples])
    with_true_boxes, results = errors(true_boxes), {}
    for name, detector in detectors.items():
        network, boxes, found = load(detector), true_boxes.copy(), []
        for i, photo in enumerate(photos):
            seen = boxes_of(network(photo))
            same = overlaps(true_boxes[i], seen)
            found.append(same.max(initial=0) >= 0.3)
            if found[-1]:
                boxes[i] = seen[same.argmax()]
        nme, nme_true = (float(e[found].mean()) for e in (errors(boxes), with_true_boxes))
        results[name] = {
            "found": round(100 * float(np.mean(found)), 1),
            "nme": round(nme, 3),
            "nme_true_boxes": round(nme_true, 3),
            "loss": round(nme - nme_true, 3),
        }
    return {"data": Path(data).name, "split": "val", "faces": len(samples), **results}


if __name__ == "__main__":
    main()
