"""Tiny data sets of every layout, written by the tests that read them."""

import json
from pathlib import Path

import cv2
import numpy as np


def make_points(num_landmarks, seed=0):
    return np.random.default_rng(seed).integers(2, 60, (num_landmarks, 2)) + 0.25


def make_image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((64, 64, 3), 90, np.uint8))


def write(path, text, newline="\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.replace("\n", newline).encode())
    return path


def names(samples):
    return [Path(sample.path).name for sample in samples]


def check_points(sample, points, scheme):
    assert sample.scheme == scheme
    assert sample.points_image.dtype == np.float32
    np.testing.assert_allclose(sample.points_image, points, atol=1e-4)
    np.testing.assert_allclose(sample.box, [*points.min(0), *points.max(0)], atol=1e-4)


def write_kit(folder):
    entries = [
        {"image": "a.jpg", "split": "train", "set": "helen", "points68": make_points(68).tolist()},
        {"image": "b.jpg", "split": "val", "points98": make_points(98).tolist()},
        {"image": "c.jpg", "points68": make_points(68, 1).tolist()},
    ]
    write_entries(folder, entries)


def write_entries(folder, entries):
    for entry in entries:
        make_image(folder / "images" / entry["image"])
    write(folder / "labels.json", json.dumps(entries))


def write_shards(folder, numbers=(0, 19)):
    for number in numbers:
        shard = folder / f"shard-{number:05d}"
        for index in (1000 * number, 1000 * number + 1):
            make_image(shard / f"{index:08d}.jpg")
        points = {f"points{n}": np.stack([make_points(n)] * 2) for n in (68, 98, 106)}
        np.savez(shard / "labels.npz", index=[1000 * number, 1000 * number + 1], **points)


WFLW_NAME = "0--Parade/0_Parade_marchingband_1_{}.jpg"


def wflw_fields(i):
    return " ".join(str(value) for value in make_points(98, i).ravel())


def write_wflw(folder, newline="\n"):
    lists = folder / "WFLW_annotations"
    flagged = lists / "list_98pt_rect_attr_train_test"
    for i in range(4):
        make_image(folder / "WFLW_images" / WFLW_NAME.format(i))
    rows = [f"{wflw_fields(i)} 1 2 50 60 {{}} {WFLW_NAME.format(i)}\n" for i in range(4)]
    train = rows[0].format("0 0 0 0 0 0") + rows[1].format("1 0 0 1 0 1")
    test = rows[2].format("0 1 1 0 1 0") + rows[3].format("0 0 0 0 0 0")
    write(flagged / "list_98pt_rect_attr_train.txt", train, newline)
    write(flagged / "list_98pt_rect_attr_test.txt", test, newline)
    plain = [f"{wflw_fields(i)} {WFLW_NAME.format(i)}\n" for i in (2, 3)]
    write(lists / "list_98pt_test" / "list_98pt_test.txt", "".join(plain), newline)
    for name in ("largepose", "expression", "illumination", "makeup", "occlusion", "blur"):
        members = plain[:1] if name in ("expression", "makeup") else []
        write(lists / "list_98pt_test" / f"list_98pt_test_{name}.txt", "".join(members), newline)
    return flagged


def landmark_text(points):
    return "\n".join([str(len(points)), *(f"{x} {y}" for x, y in points)]) + "\n"


def write_jd(folder):
    faces = [
        ("Training_data/AFW", "AFW_10_1.jpg"),
        ("Training_data/AFW", "AFW_9_1.jpg"),
        ("Training_data/LFPW", "LFPW_image_test_0001_1.jpg"),
        ("Test_data", "2.jpg"),
    ]
    for seed, (place, name) in enumerate(faces):
        make_image(folder / place / "picture" / name)
        text = landmark_text(make_points(106, seed))
        write(folder / place / "landmark" / f"{name}.txt", text, "\r\n")


def pts(points):
    lines = [f"{x} {y}" for x, y in np.asarray(points) + 1]
    return "\n".join(["version: 1", f"n_points:  {len(points)}", "{", *lines, "}", ""])


def write_pts(image, points, newline="\n"):
    make_image(image)
    write(image.with_suffix(".pts"), pts(points), newline)


def write_300w(folder):
    places = ["afw", "helen/trainset", "helen/testset", "lfpw/testset", "ibug", "300W/01_Indoor"]
    for seed, place in enumerate(places):
        write_pts(folder / place / "image_10_train.png", make_points(68, seed), "\r\n")
    write_pts(folder / "afw" / "image_9_mirror.jpg", make_points(68))


def coco_content(*faces):
    """One image per face, which is (file name, points, visibility of the first point)."""
    images, annotations = [], []
    for i, (name, points, visible) in enumerate(faces):
        keypoints = np.column_stack([points, np.full(len(points), 2.0)])
        keypoints[0, 2] = visible
        images.append({"id": i, "file_name": name})
        annotations.append({"id": i, "image_id": i, "keypoints": keypoints.ravel().tolist()})
    annotations.append({"id": 99, "image_id": 0, "bbox": [1, 2, 3, 4]})
    return {"images": images, "annotations": annotations}


def write_roboflow(folder):
    for part in ("train", "valid"):
        make_image(folder / part / f"{part}.jpg")
        content = coco_content((f"{part}.jpg", make_points(5), 2))
        write(folder / part / "_annotations.coco.json", "\ufeff" + json.dumps(content))


def write_csv(folder, newline="\n"):
    rows = ["image,x0,y0,x1,y1,split,note"]
    for i, split in enumerate(["train", "valid", "test"]):
        make_image(folder / "photos" / f"{i}.jpg")
        rows.append(f"photos/{i}.jpg,{i}.5,2,30,40.25,{split},")
    return write(folder / "faces.csv", "\ufeff" + "\n".join(rows) + "\n\n", newline)
