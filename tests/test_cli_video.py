"""`keras-lotr video`, as a user runs it."""

import json

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from keras_lotr import FaceLandmarker
from keras_lotr.cli import main

pytestmark = pytest.mark.once

pytest.importorskip("onnxruntime")


def run(*arguments):
    return CliRunner().invoke(main, ["video", "--engine", "onnxruntime", *map(str, arguments)])


def test_video_and_points(video, tmp_path):
    out, points = tmp_path / "new" / "out.webm", tmp_path / "points.json"
    result = run(video, out, "--points", points)
    assert (result.exit_code, result.stdout) == (0, ""), result.stderr
    assert result.stderr == f"keras-lotr: 20 frames, 20 faces, written to {out}\n"
    frames = json.loads(points.read_text())
    assert [len(faces) for faces in frames] == [1] * 20
    reader = cv2.VideoCapture(str(video))
    first = cv2.cvtColor(reader.read()[1], cv2.COLOR_BGR2RGB)
    (face,) = FaceLandmarker.from_preset("lotr_m_68", engine="onnxruntime")(first)
    assert frames[0] == [face.to_dict()]
    drawn = cv2.VideoCapture(str(out))
    seen = [drawn.read() for _ in range(21)]
    assert [there for there, _ in seen] == [True] * 20 + [False]
    # Landmarks are drawn where they are.
    x, y = face.points[30].astype(int)
    difference = np.abs(seen[0][1].astype(int) - first[..., ::-1])
    assert difference[y - 2 : y + 3, x - 2 : x + 3].max() > 60


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["none.mp4", "out.webm"], "There is no video none.mp4"),
        (["text.mp4", "out.webm"], "Expected a video (MP4, WebM, AVI, MOV). Received: text.mp4"),
        (["text.mp4", "out.mp4"], "Expected a .webm file as output. Received: out.mp4"),
        (["text.mp4"], "Missing argument 'OUTPUT'"),
    ],
)
def test_bad_input(arguments, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.mp4").write_text("text")
    result = run(*arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["text.mp4"]


def test_unknown_preset(video, tmp_path):
    result = run(video, tmp_path / "out.webm", "--preset", "no_such")
    assert result.exit_code == 2 and "There is no preset 'no_such'" in result.stderr
    assert not list(tmp_path.iterdir())


def test_nothing_of_opencv_is_seen(video, tmp_path, capfd):
    assert run(video, tmp_path / "out.webm").exit_code == 0
    assert capfd.readouterr() == ("", "")
