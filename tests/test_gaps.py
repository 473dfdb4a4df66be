"""Landmarks that nobody labelled, in the files of every reader."""

import json
from pathlib import Path

import numpy as np
import pytest
from written_faces import make_image, make_points, write

from keras_lotr.datasets import NoFaces, read_samples
from keras_lotr.datasets.gaps import labelled_samples, points_of_json

pytestmark = pytest.mark.once

GAPS = [0, 5, 50]


def write_kit(folder, faces, missing):
    entries = []
    for i, points in enumerate(faces):
        make_image(folder / "images" / f"{i}.jpg")
        points = [missing if np.isnan(point).any() else list(point) for point in points]
        entries.append({"image": f"{i}.jpg", "points68": points})
    write(folder / "labels.json", json.dumps(entries))


def write_coco(folder, faces, missing):
    images, annotations = [], []
    for i, points in enumerate(faces):
        make_image(folder / "train" / f"{i}.jpg")
        images.append({"id": i, "file_name": f"{i}.jpg"})
        keypoints = [
            value for x, y in points for value in (missing if np.isnan(x) else [x, y, 1 + i % 2])
        ]
        annotations.append({"id": i, "image_id": i, "keypoints": keypoints})
    content = {"images": images, "annotations": annotations}
    write(folder / "train" / "_annotations.coco.json", json.dumps(content))


def write_csv(folder, faces, missing):
    rows = ["image," + ",".join(f"x{i},y{i}" for i in range(len(faces[0])))]
    for i, points in enumerate(faces):
        make_image(folder / f"{i}.jpg")
        fields = [missing if np.isnan(x) else f"{x},{y}" for x, y in points]
        rows.append(f"{i}.jpg," + ",".join(fields))
    write(folder / "faces.csv", "\n".join(rows))


def write_pts(folder, faces, missing):
    for i, points in enumerate(faces):
        make_image(folder / f"{i}.jpg")
        lines = [missing if np.isnan(x) else f"{x + 1} {y + 1}" for x, y in points]
        head = ["version: 1", f"n_points: {len(points)}", "{"]
        write(folder / f"{i}.pts", "\n".join([*head, *lines, "}"]))


def write_jd(folder, faces, missing):
    for i, points in enumerate(faces):
        make_image(folder / "picture" / f"{i}.jpg")
        lines = [missing if np.isnan(x) else f"{x} {y}" for x, y in points]
        write(folder / "landmark" / f"{i}.jpg.txt", "\n".join(["106", *lines]))


def write_wflw(folder, faces, missing):
    lines = []
    for i, points in enumerate(faces):
        make_image(folder / "WFLW_images" / f"{i}.jpg")
        fields = [missing if np.isnan(x) else f"{x} {y}" for x, y in points]
        lines.append(" ".join([*fields, "1 1 2 2", "0 0 0 0 0 0", f"{i}.jpg"]))
    write(folder / "WFLW_annotations" / "list_98pt_rect_attr_train.txt", "\n".join(lines))


def write_facesynth(folder, faces, missing):
    shard = folder / "shard-00000"
    for i in range(len(faces)):
        make_image(shard / f"{i:08d}.jpg")
    points = np.where(np.isnan(faces), missing, faces)
    np.savez(shard / "labels.npz", index=np.arange(len(faces)), points68=points)


# Who writes how many landmarks, and what stands there for a landmark without label.
WRITERS = [
    *((write_kit, 68, missing) for missing in (None, [None, None], [-1, -1])),
    *((write_coco, 68, missing) for missing in ([0, 0, 0], [7, 9, 0])),
    *((write_csv, 68, missing) for missing in (",", "nan,NaN", "NA,NA", "-1,-1", "-1.0, -1.0")),
    *((write_pts, 68, missing) for missing in ("-1 -1", "-1.000 -1.000", "nan nan")),
    (write_jd, 106, "-1 -1"),
    (write_wflw, 98, "-1 -1"),
    (write_facesynth, 68, np.nan),
]
every_writer = pytest.mark.parametrize(("writer", "count", "missing"), WRITERS)


@every_writer
def test_partly_labelled_face(tmp_path, writer, count, missing):
    faces = np.stack([make_points(count, seed) for seed in (0, 1)])
    faces[1, GAPS] = np.nan
    writer(tmp_path, faces, missing)
    complete, partly = read_samples(tmp_path)
    np.testing.assert_allclose(complete.points_image, faces[0])
    np.testing.assert_allclose(partly.points_image, faces[1])
    assert np.flatnonzero(~partly.labelled).tolist() == GAPS
    labelled = np.delete(faces[1], GAPS, axis=0)
    assert partly.box.tolist() == [*labelled.min(0), *labelled.max(0)]


@every_writer
def test_faces_without_labels_are_counted_once(tmp_path, writer, count, missing):
    faces = np.stack([make_points(count, seed) for seed in range(4)])
    faces[1] = faces[3, 1:] = np.nan  # a single label makes no box
    writer(tmp_path, faces, missing)
    with pytest.warns(UserWarning, match="2 of 4 faces of .* left out: fewer than two") as caught:
        samples = read_samples(tmp_path)
    assert len(caught) == 1
    assert [int(Path(sample.path).stem) for sample in samples] == [0, 2]


def test_no_face_with_labels(tmp_path):
    write(tmp_path / "faces.csv", "image,x0,y0,x1,y1\n0.jpg,,,,\n")
    with pytest.warns(UserWarning, match="1 of 1 faces"), pytest.raises(NoFaces):
        read_samples(tmp_path)


def test_gaps_do_not_lie_outside_of_the_picture(tmp_path):
    points = make_points(68)
    points[10:] = np.nan
    write_kit(tmp_path, [points], None)
    assert read_samples(tmp_path)[0].labelled.sum() == 10
    points[:6] = 1000
    write_kit(tmp_path, [points], None)
    with pytest.raises(ValueError, match=r"landmarks in x \d+.2 .. 1000.0"):
        read_samples(tmp_path)


def test_absent_landmarks_of_a_kit(tmp_path):
    write_kit(tmp_path, [make_points(68)], None)
    entries = json.loads((tmp_path / "labels.json").read_text())
    write(tmp_path / "labels.json", json.dumps([*entries, {"image": "1.jpg", "points68": None}]))
    assert len(read_samples(tmp_path)) == 1


@pytest.mark.parametrize("values", [5, [1, 2], [[1, 2], [3]], [["a", "b"]], [[1, 2, 3]], [{}]])
def test_malformed_json_landmarks(values):
    with pytest.raises(ValueError, match=r"list of \[x, y\], or null .* entry 3. Received: "):
        points_of_json(values, "entry 3")


def test_one_landmark_with_its_own_box():
    face = {"path": "a.jpg", "points_image": np.array([[3, 4]]), "scheme": "plain1"}
    assert len(labelled_samples([{**face, "box": (1, 1, 9, 9)}], "a file")) == 1
