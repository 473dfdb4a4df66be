"""The faces of a video's frames in files."""

import csv
import json

import numpy as np
import pytest

from keras_lotr import FaceLandmarks
from keras_lotr.inference.formats import to_csv
from keras_lotr.inference.pose import HeadPose, project
from keras_lotr.video.points_file import PointsFile

pytestmark = pytest.mark.once


def face(number):
    points = np.arange(4).reshape(2, 2) + number
    return FaceLandmarks(points, [0, 1, 2, 3], 0.9, "plain2", track_id=number)


FRAMES = [(0.0, [face(0), face(1)]), (0.04, []), (0.1, [face(1)])]


def written(path):
    points = PointsFile(path)
    for time, faces in FRAMES:
        points.add(time, faces)
    assert not path.exists()
    points.close()
    return path


def test_json(tmp_path):
    found = json.loads(written(tmp_path / "points.json").read_text())
    assert found == [[f.to_dict() for f in faces] for _, faces in FRAMES]
    assert FaceLandmarks.from_dict(found[2][0]) == face(1)


def test_json_lines(tmp_path):
    lines = written(tmp_path / "new" / "points.jsonl").read_text().splitlines()
    assert [json.loads(line)["time"] for line in lines] == [0.0, 0.04, 0.1]
    assert json.loads(lines[1]) == {"frame": 1, "time": 0.04, "faces": []}


ROWS = [["0", "0.0", "0"], ["0", "0.0", "1"], ["2", "0.1", "1"]]


def test_csv(tmp_path):
    with open(written(tmp_path / "points.csv"), encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header[:4] == ["frame", "time", "track_id", "score"]
    assert header[-3:] == ["x1", "y1", "degrees"]
    assert [row[:3] for row in rows] == ROWS
    assert rows[2][-5:] == ["1.0", "2.0", "3.0", "4.0", "0.0"]


def known_face(sure):
    """A face whose pose can be told."""
    points = project(HeadPose(20.0, -10.0, 5.0), "ibug68")
    known = {"sigma": np.tile(np.eye(2), (68, 1, 1)), "visible": np.ones(68)} if sure else {}
    points = np.where(np.isnan(points), 0, points)
    return FaceLandmarks(points, [0, 1, 2, 3], 0.9, "ibug68", track_id=7, **known)


@pytest.mark.parametrize("sure", [False, True])
def test_columns_are_those_of_predict(sure, tmp_path):
    face = known_face(sure)
    points = PointsFile(tmp_path / "points.csv")
    points.add(0.04, [face])
    points.close()
    (row,) = csv.DictReader((tmp_path / "points.csv").read_text().splitlines())
    table = to_csv([{"source": "a.jpg", "faces": [face.to_dict()]}])
    (expected,) = csv.DictReader(table.splitlines())
    assert [row.pop(name) for name in ("frame", "time", "track_id")] == ["0", "0.04", "7"]
    assert [*row.items()] == [*expected.items()][2:]
    assert abs(float(row["yaw"])) > 1 and "openness_mouth" in row
    assert ("sigma_xx67" in row) == sure


def test_parquet(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(written(tmp_path / "points.parquet"))
    assert table.column("track_id").to_pylist() == [0, 1, 1]
    assert table.column("y1").to_pylist() == [3.0, 4.0, 4.0]


@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.jsonl"])
def test_no_faces_at_all(tmp_path, name):
    points = PointsFile(tmp_path / name)
    points.close()
    assert (tmp_path / name).is_file()


def test_another_ending(tmp_path):
    with pytest.raises(ValueError, match=r"Expected a file .json, .jsonl, .csv, .parquet"):
        PointsFile(tmp_path / "points.txt")
