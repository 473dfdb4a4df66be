"""Lists of photos for `train-detector`: of a folder with `photos/`, `faces/` and `faces_hard/`, and
rendered ones.

    python tools/detector_photos.py DATA --rendered FOLDER --out LISTS \\
        [--teacher yunet.onnx]

Held out are the photos of the validation faces, those whose entry says so, and each eighth of the
others without annotations; crops of a held-out photo are left out of training. Whole photos count
twice, crowds of small faces three times: crops are of one large face each. With a teacher, photos
count four times more in which `face_detector` sees something that the teacher does not, or misses
what the teacher is sure of.
"""

import json
from pathlib import Path

import click

from keras_lotr.geometry import boxes_of, overlaps
from keras_lotr.images.reading import read_image
from keras_lotr.inference.face_detector import FaceDetector

RENDERED, HARD, CROWDS = 400, 4, 3
CONFIDENT = 0.8  # score from which the teacher is sure, as in benchmarks/face_detector.py


@click.command()
@click.argument("data", type=Path)
@click.option("--rendered", type=Path, help="Folder of rendered faces.")
@click.option("--teacher", type=Path, help="face_detection_yunet_2023mar.onnx")
@click.option("--out", type=Path, required=True)
def main(data, rendered, teacher, out):
    photos = json.loads((data / "photos" / "photos.json").read_text())
    faces = json.loads((data / "faces" / "labels.json").read_text())
    wider = sorted(photo["image"] for photo in photos if photo["set"] == "wider")
    held_out = {Path(name).stem for name in wider[::8]}
    held_out |= {photo_of(face) for face in faces if face["split"] == "val"}
    images = data / "photos" / "images"
    groups = {True: [], False: []}
    for photo in photos:
        path = (images / photo["image"]).resolve()
        val = path.stem in held_out or photo.get("split") == "val"
        groups[val] += [str(path)] * (CROWDS if photo["set"] == "wider_val" and not val else 1)
    crops = [
        str((data / "faces" / "images" / face["image"]).resolve())
        for face in faces
        if face["split"] == "train" and photo_of(face) not in held_out
    ]
    turned = json.loads((data / "faces_hard" / "labels.json").read_text())
    turned = [
        str((data / "faces_hard" / "images" / face["image"]).resolve())
        for face in turned
        if face["split"] == "train" and Path(face["source"]).stem not in held_out
    ]
    pictures = sorted(rendered.rglob("*.jpg"))[:RENDERED] if rendered else []
    train = groups[False] * 2 + crops[::2] + turned[::2]
    train += [str(path.resolve()) for path in pictures]
    if teacher:
        hard = hard_photos(sorted({*groups[False], *crops[::2], *turned}), teacher)
        print(f"{len(hard)} of them are hard")
        train += hard * HARD
    out.mkdir(parents=True, exist_ok=True)
    (out / "train.txt").write_text("\n".join(train) + "\n")
    (out / "held_out.txt").write_text("\n".join(groups[True]) + "\n")
    print(f"{len(train)} images to learn from, {len(groups[True])} held out")


def hard_photos(paths, teacher):
    """Those in which the shipped detector and the teacher disagree."""
    student = FaceDetector.from_preset(threshold=0.45)
    teacher = FaceDetector(teacher, threshold=0.3)
    hard = []
    for path in paths:
        photo = read_image(path)
        seen, real = student(photo), teacher(photo)
        false = [f for f in seen if overlaps(f.box, boxes_of(real)).max(initial=0) < 0.3]
        sure = boxes_of([face for face in seen if face.score >= 0.65])
        missed = [
            face
            for face in real
            if face.score >= CONFIDENT and overlaps(face.box, sure).max(initial=0) < 0.5
        ]
        if false or missed:
            hard.append(path)
    return hard


def photo_of(face):
    """The stem of the photo that a face is from."""
    stem = Path(face["source"]).stem
    if face["set"] == "wider":
        return stem
    return f"{face['set']}_{stem if face['set'] == 'lfpw' else stem.rpartition('_')[0]}"


if __name__ == "__main__":
    main()
