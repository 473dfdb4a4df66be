"""What is written is read by the readers of data sets, and means the same."""

import json

import cv2
import numpy as np
import pytest

from keras_lotr.datasets import coco, csv_points, ibug
from keras_lotr.inference import formats
from keras_lotr.inference.pose import HeadPose, project
from keras_lotr.inference.results import FaceLandmarks
from keras_lotr.inference.saved_results import read_entries
from keras_lotr.schemes import get_scheme

pytestmark = pytest.mark.once


def make_face(scheme="ibug68", seed=0, score=0.9):
    count = get_scheme(scheme).num_landmarks
    points = np.random.default_rng(seed).integers(0, 300, (count, 2)) + 0.125
    box = [*points.min(0), *points.max(0)]
    return {"points": points.tolist(), "box": box, "score": score, "scheme": scheme}


@pytest.fixture
def entries(tmp_path):
    """Two photos, three faces, one of them of a given box."""
    photos = tmp_path / "photos, new"
    photos.mkdir()
    found = [[make_face(), make_face(seed=1, score=None)], [make_face(seed=2)]]
    for i, faces in enumerate(found):
        path = photos / f"{i}.jpg"
        cv2.imwrite(str(path), np.zeros((300, 310, 3), np.uint8))
        found[i] = {"source": str(path), "width": 310, "height": 300, "faces": faces}
    return found


def check(samples, entries):
    faces = [(entry["source"], face) for entry in entries for face in entry["faces"]]
    assert len(samples) == len(faces)
    for sample, (source, face) in zip(samples, faces, strict=True):
        assert cv2.imread(sample.path).shape == cv2.imread(source).shape
        assert sample.scheme == face["scheme"]
        np.testing.assert_allclose(sample.points_image, face["points"], atol=1e-3)


def test_json(entries):
    text = formats.to_json(entries)
    assert json.loads(text) == entries
    assert json.loads(formats.to_json([])) == []


def test_csv(entries, tmp_path):
    folder = tmp_path / "out"
    formats.write_text(folder / "a.csv", formats.to_csv(entries, folder))
    check(csv_points.read(folder), entries)


def test_csv_without_faces_and_of_two_schemes(entries):
    assert formats.to_csv([]).count("\n") == 1
    entries[0]["faces"].append(make_face("wflw98"))
    with pytest.raises(ValueError, match=r"one scheme.*\['ibug68', 'wflw98'\]"):
        formats.to_csv(entries)


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_csv_of_a_name_with_an_end_of_a_line(end, entries, tmp_path):
    entries[0]["source"] = str(tmp_path / f"a{end}b,c.jpg")
    formats.write_entries(tmp_path / "a.csv", "csv", entries[:1])
    found = read_entries(tmp_path / "a.csv")
    assert [entry["source"] for entry in found] == [entries[0]["source"]]
    assert (tmp_path / "a.csv").read_bytes().startswith(b"image,")


def test_csv_of_a_name_that_begins_with_a_space(entries, tmp_path):
    entries[0]["source"] = " a.jpg"
    formats.write_text(tmp_path / "a.csv", formats.to_csv(entries[:1], tmp_path))
    assert [sample.path for sample in csv_points.read(tmp_path)] == 2 * [str(tmp_path / " a.jpg")]


def test_pts_is_one_based(entries, tmp_path):
    face = entries[1]["faces"][0]
    text = formats.to_pts(face)
    x, y = face["points"][0]
    assert text.splitlines()[3] == f"{x + 1:.3f} {y + 1:.3f}"
    formats.write_text(tmp_path / "photos, new" / "1.pts", text)
    check(ibug.read(tmp_path), entries[1:])


@pytest.mark.parametrize("scheme", ["ibug68", "wflw98", "jd106", "plain5"])
def test_coco(entries, tmp_path, scheme):
    for entry in entries:
        entry["faces"] = [make_face(scheme, seed=i) for i, _ in enumerate(entry["faces"])]
    path = tmp_path / "out" / "coco.json"
    formats.write_text(path, formats.to_coco(entries, path.parent))
    check(coco.read(path), entries)
    (category,) = json.loads(path.read_text())["categories"]
    count = get_scheme(scheme).num_landmarks
    assert len(set(category["keypoints"])) == count
    assert all(1 <= i <= count for edge in category["skeleton"] for i in edge)


@pytest.mark.parametrize("place", ["annotations/faces.json", "train/_annotations.coco.json"])
def test_coco_in_the_folders_of_data_sets(entries, tmp_path, place):
    """Where other programs expect it, file_name still being the path from the file's folder."""
    path = tmp_path / "mine" / place
    formats.write_text(path, formats.to_coco(entries, path.parent))
    check(coco.read(path), entries)
    check(coco.read(tmp_path / "mine", "train"), entries)


def test_coco_fields(entries):
    content = json.loads(formats.to_coco(entries))
    first, second, _ = content["annotations"]
    x0, y0, x1, y1 = entries[0]["faces"][0]["box"]
    assert first["bbox"] == [x0, y0, x1 - x0, y1 - y0]
    assert first["keypoints"][2::3] == [2] * 68
    assert first["num_keypoints"] == 68
    assert first["score"] == 0.9
    assert "score" not in second
    assert content["images"][0]["width"] == 310


def test_edges_of_ibug68():
    edges = formats.scheme_edges(get_scheme("ibug68"))
    assert (0, 1) in edges
    assert (41, 36) in edges  # eyes are closed lines
    assert (16, 17) not in edges


def test_pose_and_openness_are_written():
    points = 100 + np.nan_to_num(project(HeadPose(25.0, -8.0, 4.0), "ibug68"))
    face = FaceLandmarks(points, [0, 0, 200, 200], 0.9, "ibug68").to_dict()
    assert 15 < face["pose"]["yaw"] < 35
    assert set(face["openness"]) == {"left_eye", "right_eye", "mouth"}
    blank = {**face, "pose": {}}  # of a face whose pose could not be told
    header, first, second = formats.to_csv([{"source": "a", "faces": [face, blank]}]).splitlines()
    names = header.split(",")[-7:]
    assert names[:3] == ["yaw", "pitch", "roll"]
    assert names[3:-1] == ["openness_left_eye", "openness_right_eye", "openness_mouth"]
    assert names[-1] == "degrees" and first.split(",")[-1] == "0.0"
    assert first.split(",")[-7:-4] == [str(angle) for angle in face["pose"].values()]
    assert second.split(",")[-7:-4] == [""] * 3
    entry = {"source": "a", "width": 200, "height": 200, "faces": [face]}
    (annotation,) = json.loads(formats.to_coco([entry]))["annotations"]
    assert (annotation["pose"], annotation["openness"]) == (face["pose"], face["openness"])


def test_a_scheme_without_a_head_has_no_angles():
    face = FaceLandmarks(np.arange(10.0).reshape(5, 2), [0, 0, 9, 9], None, "plain5")
    assert "pose" not in face.to_dict()
