"""The faces of photos in one file, from Python."""

import json
import os

import numpy as np
import pytest

from keras_lotr import FaceLandmarks, read_results, write_results
from keras_lotr.csv_table import read_table
from keras_lotr.datasets import coco, csv_points
from keras_lotr.inference.photo_landmarks import PhotoLandmarks
from keras_lotr.inference.saved_results import read_entries

pytestmark = pytest.mark.once


def photos():
    rng = np.random.default_rng(0)
    known = {"sigma": np.tile(np.eye(2), (68, 1, 1)), "visible": np.full(68, 0.5)}
    points = rng.uniform(0, 99, (2, 68, 2)).round(2)
    sure = [
        FaceLandmarks(points[0], [0, 0, 99, 99], 0.5, "ibug68", **known),
        FaceLandmarks(points[1], [9, 9, 90, 90], None, "ibug68", degrees=90.0, **known),
    ]
    return [
        PhotoLandmarks("a.jpg", sure, 100, 110),
        PhotoLandmarks("lost.jpg", error=ValueError("no image")),
        PhotoLandmarks("b.jpg", sure[:1], 120, 100),
    ]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.csv", "a.parquet", "coco.json"])
def test_what_is_written_is_read(name, tmp_path, monkeypatch):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="writes Parquet")
    monkeypatch.chdir(tmp_path)
    written = photos()
    for _ in range(2):  # results are replaced
        write_results(iter(written), name, coco=name == "coco.json")
    found = read_results(name)
    assert [photo.source for photo in found] == ["a.jpg", "b.jpg"]
    if not name.endswith(("csv", "parquet")):
        assert [(photo.width, photo.height) for photo in found] == [(100, 110), (120, 100)]
    for photo, expected in zip(found, written[::2], strict=True):
        for face, same in zip(photo.faces, expected.faces, strict=True):
            np.testing.assert_allclose(face.points, same.points, atol=1e-3)
            assert (face.score, face.degrees) == (same.score, same.degrees)
            assert face.quality == pytest.approx(same.quality, abs=1e-3)
    assert os.listdir() == [name]


TABLES = ["a.csv", "a.parquet"]


def in_each_file(test):
    """With the name of a file of each kind."""
    kinds = ["a.json", "a.jsonl", *TABLES, "coco.json"]
    return pytest.mark.parametrize("name", kinds)(test)


def again(faces, name, tmp_path):
    """What is read of the faces that were written."""
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="writes Parquet")
    path = tmp_path / name
    for _ in range(2):  # and is known as results
        write_results([PhotoLandmarks("a.jpg", faces, 9, 9)], path, coco=name == "coco.json")
    (photo,) = read_results(path)
    return photo.faces


def face(**known):
    return FaceLandmarks([[1, 2], [3, 5]], [0, 0, 9, 9], 0.5, "plain2", **known)


@in_each_file
def test_numbers_of_a_tracker(name, tmp_path):
    for faces in ([face(track_id=7), face(track_id=0)], [face(), face(track_id=7)]):
        assert again(faces, name, tmp_path) == faces


@pytest.mark.parametrize("name", [*TABLES, "coco.json"])
def test_numbers_of_a_tracker_in_labels(name, tmp_path):
    again([face(track_id=7)], name, tmp_path)
    (sample,) = (coco if name == "coco.json" else csv_points).read(tmp_path / name)
    assert sample.points_image.tolist() == face().points.tolist()


SIGMA = {"sigma": np.tile(np.eye(2), (2, 1, 1))}
SEEN = {"visible": [0.25, 1]}


@in_each_file
@pytest.mark.parametrize(
    "known", [[SIGMA], [SEEN], [{}, SEEN, SIGMA]], ids=["sigma", "seen", "mixed"]
)
def test_either_part_of_how_sure_a_face_is(known, name, tmp_path):
    faces = [face(**one) for one in known]
    assert again(faces, name, tmp_path) == faces


@pytest.mark.parametrize("name", TABLES)
def test_without_a_tracker_there_is_no_column(name, tmp_path):
    again([face()], name, tmp_path)
    assert "track_id" not in read_table(tmp_path / name).header


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.csv", "a.parquet", "coco.json"])
def test_a_landmark_without_a_place(name, tmp_path):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="writes Parquet")
    face = FaceLandmarks([[10, 20], [np.nan, np.nan]], [0, 0, 50, 50], 0.9, "plain2")
    path = tmp_path / name
    write_results([PhotoLandmarks("a.jpg", [face])], path, coco=name == "coco.json")
    if name == "coco.json":
        (annotation,) = json.loads(path.read_text())["annotations"]
        assert annotation["keypoints"] == [10, 20, 2, 0, 0, 0]
        assert annotation["num_keypoints"] == 1
    else:
        np.testing.assert_array_equal(read_results(path)[0].faces[0].points, face.points)
    face.save(tmp_path / "alone.json")
    assert json.loads((tmp_path / "alone.json").read_text())["points"][1] == [None, None]


def test_sizes_of_numpy_are_written(tmp_path):
    width, height = np.array([640, 480])
    write_results([PhotoLandmarks("a.jpg", [face()], width, height)], tmp_path / "a.json")
    (photo,) = read_results(tmp_path / "a.json")
    assert (photo.width, photo.height) == (640, 480)


def test_a_face_without_a_quality_is_never_low():
    photo = PhotoLandmarks("a.jpg", [face(), face(**SIGMA)], min_quality=1)
    assert ["low_quality" in found for found in photo.to_dict()["faces"]] == [False, True]


@in_each_file
def test_low_quality_is_marked_in_each_file(name, tmp_path):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="writes Parquet")
    faces = [face(**SIGMA), face(), face(sigma=1e-6 * SIGMA["sigma"])]
    path = tmp_path / name
    for least, marks in ((0.9, [True, None, None]), (0, [None] * 3)):
        photo = PhotoLandmarks("a.jpg", faces, 9, 9, min_quality=least)
        for _ in range(2):  # and is known as results
            write_results([photo], path, coco=name == "coco.json")
        (entry,) = read_entries(path)
        assert [found.get("low_quality") for found in entry["faces"]] == marks
        if name in TABLES:
            assert ("low_quality" in read_table(path).header) == any(marks)


def test_marks_are_truth_values_for_other_programs(tmp_path):
    photo = PhotoLandmarks("a.jpg", [face(**SIGMA), face()], 9, 9, min_quality=1)
    write_results([photo], tmp_path / "a.csv")
    header, *rows = (tmp_path / "a.csv").read_text().splitlines()
    column = header.split(",").index("low_quality")
    assert [row.split(",")[column] for row in rows] == ["true", "false"]
    parquet = pytest.importorskip("pyarrow.parquet", reason="reads Parquet")
    write_results([photo], tmp_path / "a.parquet")
    table = parquet.read_table(tmp_path / "a.parquet")
    assert table["low_quality"].to_pylist() == [True, False]


@pytest.mark.parametrize(
    ("photos", "received"),
    [
        ([[face()], []], "list of list"),
        ([face()], "list of FaceLandmarks"),
        (PhotoLandmarks("a.jpg"), "PhotoLandmarks"),
        ({"a.jpg": []}, "dict of str"),
    ],
)
def test_no_photos(photos, received, tmp_path):
    with pytest.raises(TypeError, match=rf"PhotoLandmarks, as .*stream.* Received: {received}$"):
        write_results(photos, tmp_path / "a.json")
    assert not [*tmp_path.iterdir()]


def test_bad_input(tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text("image,x0,y0,split\na.jpg,1,2,val\n")
    with pytest.raises(ValueError, match="labels.csv, which holds something else"):
        write_results(photos(), labels)
    assert labels.read_text().endswith("val\n")
    with pytest.raises(ValueError, match=r"Expected a file .json, .jsonl, .csv, .parquet. Rec"):
        write_results(photos(), tmp_path / "a.txt")
    with pytest.raises(ValueError, match="Expected a file .json for COCO. Received"):
        write_results(photos(), tmp_path / "a.csv", coco=True)
    with pytest.raises(ValueError, match="Expected results of `keras-lotr predict` in"):
        read_results(labels)
    with pytest.raises(FileNotFoundError):
        read_results(tmp_path / "none.json")
