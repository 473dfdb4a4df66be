"""How many hard faces are found: turned, covered, blurred, crowded and close-up ones.

    python benchmarks/hard_detection.py --landmarker lotr_m_68 --data HARD \\
        --photos PHOTOS --teacher face_detection_yunet_2023mar.onnx

Four parts, each beside YuNet:

- crops of single hard faces, where a face counts as found if the middle of its labelled landmarks
  lies in a found box;
- photos of crowds, where the faces that YuNet sees with a score of 0.6 and more and that are at
  least 16 pixels wide are to be found with an IoU above 0.3;
- pieces of photos in which YuNet suspects no face;
- rendered faces cut out with 0, 5 and 20 % of surroundings and enlarged to 300 to 2,000 pixels.
"""

import json
from pathlib import Path

import click
import cv2
import numpy as np

from keras_lotr import FaceLandmarker
from keras_lotr.datasets import read_samples
from keras_lotr.geometry import box_of, boxes_of, overlaps
from keras_lotr.images.reading import read_image
from keras_lotr.inference.face_detector import FaceDetector

SETS = {"wider": "wflw98", "wflw": "wflw98", "cfp": "ibug68", "aflw80": "ibug68"}
NARROWEST, YUNET_SCORE = 16, 0.6
PIECES = 500
SURROUNDINGS, SIDES = (0, 0.05, 0.2), (300, 640, 1000, 2000)
RENDERED = Path(__file__).parents[1] / "examples" / "rendered_faces"


@click.command()
@click.option("--detector", "detectors", multiple=True, default=["face_detector"])
@click.option("--landmarker", "landmarkers", multiple=True, help="A preset; it verifies faces.")
@click.option("--threshold", type=float, help="Least score; the detectors' own if not given.")
@click.option("--data", required=True, help="Kit of hard faces.")
@click.option("--photos", type=Path, required=True, help="Folder with photos.json and images/.")
@click.option("--teacher", required=True, help="face_detection_yunet_2023mar.onnx")
@click.option("--output", type=Path)
def main(detectors, landmarkers, threshold, data, photos, teacher, output):
    settings = {} if threshold is None else {"threshold": threshold}
    found = {name: FaceDetector.from_preset(name, **settings) for name in detectors}
    found |= {name: FaceLandmarker(name, engine="onnxruntime") for name in landmarkers}
    yunet = FaceDetector(teacher, threshold=YUNET_SCORE)
    results = {}
    for name, detect in {**found, "yunet": yunet}.items():
        results[name] = {
            **{f"{s} found %": share_found(detect, data, s) for s in SETS},
            "close-ups missed": close_ups_missed(detect),
            "faceless pieces with a face %": faceless(detect, teacher, photos),
            **(crowds(detect, yunet, photos) if name != "yunet" else {}),
        }
        print(name, json.dumps(results[name]), flush=True)
    if output:
        output.write_text(json.dumps(results, indent=1) + "\n")


def share_found(detect, data, name):
    """Per cent of the val faces of a set that are found in their crops."""
    samples = read_samples(data, "val", SETS[name], only=(name,))
    hits = 0
    for sample in samples:
        middle = box_of(sample.points_image[sample.labelled]).reshape(2, 2).mean(0)
        boxes = boxes_of(detect(sample.image()))
        hits += ((boxes[:, :2] <= middle) & (middle <= boxes[:, 2:])).all(1).any()
    return round(100 * hits / len(samples), 1)


def crowds(detect, yunet, photos):
    """Per cent of YuNet's faces that are found, and how many faces a photo it does not have."""
    entries = json.loads((photos / "photos.json").read_text())
    names = [entry["image"] for entry in entries if entry.get("split") == "val"]
    hits = wanted = extra = 0
    for name in names:
        image = read_image(photos / "images" / name)
        theirs, ours = boxes_of(yunet(image)), boxes_of(detect(image))
        large = theirs[(theirs[:, 2:] - theirs[:, :2]).min(1) >= NARROWEST]
        hits += sum(overlaps(box, ours).max(initial=0) > 0.3 for box in large)
        wanted += len(large)
        extra += sum(overlaps(box, theirs).max(initial=0) <= 0.3 for box in ours)
    return {
        "crowds found %": round(100 * hits / wanted, 1),
        "crowds faces": wanted,
        "crowds extra a photo": round(extra / len(names), 2),
    }


def faceless(detect, teacher, photos):
    """Per cent of 500 pieces of photos without a face (YuNet's score below 0.2) that get one."""
    doubtful = FaceDetector(teacher, threshold=0.2)
    entries = json.loads((photos / "photos.json").read_text())
    rng, pieces, hits = np.random.default_rng(0), 0, 0
    for name in rng.permutation([entry["image"] for entry in entries]):
        image = read_image(photos / "images" / name)
        for _ in range(2):
            side = int(rng.uniform(0.35, 0.9) * min(image.shape[:2]))
            y, x = (rng.integers(0, length - side + 1) for length in image.shape[:2])
            piece = np.ascontiguousarray(image[y : y + side, x : x + side])
            if not doubtful(piece):
                pieces += 1
                hits += bool(detect(piece))
        if pieces >= PIECES:
            break
    return round(100 * hits / pieces, 1)


def close_ups_missed(detect):
    """How many of 192 close-ups have no box with an IoU above 0.3."""
    missed = 0
    for sample in read_samples(RENDERED, "val", "ibug68"):
        image = sample.image()
        for surroundings in SURROUNDINGS:
            cut, box = cut_out(image, sample.box, surroundings)
            for side in SIDES:
                large = cv2.resize(cut, (side, side))
                scale = side / np.array(cut.shape[1::-1])
                boxes = boxes_of(detect(large))
                missed += overlaps(box * np.tile(scale, 2), boxes).max(initial=0) <= 0.3
    return int(missed)


def cut_out(image, box, surroundings):
    """The face with a part of its size around it, and its box in that."""
    size = np.array(image.shape[1::-1])
    around = surroundings * (box[2:] - box[:2])
    low = np.clip(np.round(box[:2] - around), 0, size).astype(int)
    high = np.clip(np.round(box[2:] + around), 0, size).astype(int)
    return image[low[1] : high[1], low[0] : high[0]], box - np.tile(low, 2)


if __name__ == "__main__":
    main()
