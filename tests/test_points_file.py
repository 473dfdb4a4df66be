"""The faces of a video's frames in files."""

import csv
import errno
import json
import os
import sys
import tempfile

import numpy as np
import pytest
from tiny import largest_file

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


@pytest.mark.skipif(sys.platform == "win32", reason="limits are Unix's")
def test_a_full_disk_is_told_with_the_file(tmp_path):
    full = pytest.raises(OSError, match="points.csv cannot be written: File too large")
    with largest_file(100_000), full, PointsFile(tmp_path / "points.csv") as points:
        points.add(0.0, [face(0)] * 2000)


def test_a_folder_that_takes_no_files_is_told_before_the_first_frame(tmp_path, monkeypatch):
    def refuse(**place):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(OSError, match="points.csv cannot be written: Permission denied"):
        PointsFile(tmp_path / "points.csv")


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
    assert [expected.pop(name) for name in ("image", "face", "track_id")] == ["a.jpg", "0", "7"]
    assert [*row.items()] == [*expected.items()]
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


OF_OTHERS = {
    "labels.csv": "image,x0,y0\na.jpg,1,2\n",
    "notes.csv": "frame,time\n1,2\n",
    "coco.json": '{"images": []}',
    "numbers.json": "[\n[1, 2],\n[3, 4]\n]\n",
    "events.jsonl": '{"frame": 0, "time": 1.0}\n',
    "text.json": "text",
    "latin1.csv": b"caf\xe9,x\n",
    "broken.parquet": b"PAR1",
}


@pytest.mark.parametrize("name", OF_OTHERS)
def test_what_is_no_points_file_is_not_replaced(tmp_path, name):
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    path, content = tmp_path / name, OF_OTHERS[name]
    content = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"one of `keras-lotr video --points`.*{name}, which ho"):
        PointsFile(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.jsonl", "a.parquet"])
@pytest.mark.parametrize("frames", [FRAMES, FRAMES[1:2], []], ids=["faces", "no face", "nothing"])
def test_a_points_file_is_replaced(tmp_path, name, frames):
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    for _ in range(2):
        points = PointsFile(tmp_path / name)
        for time, faces in frames:
            points.add(time, faces)
        points.close()
    assert [path.name for path in tmp_path.iterdir()] == [name]
