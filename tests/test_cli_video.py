"""`keras-lotr video`, as a user runs it."""

import json
import os
import signal
from functools import wraps
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from keras_lotr import FaceLandmarker
from keras_lotr.cli import errors as cli_errors
from keras_lotr.cli import main
from keras_lotr.cli.options import VIDEO_PRESET
from keras_lotr.images.drawing import draw
from keras_lotr.video import annotate, live

pytestmark = pytest.mark.once

for needed in ("onnxruntime", "av", "scipy"):
    pytest.importorskip(needed)


AT_ONCE = "keras-lotr: stopped at once; what was not finished is not kept\n"


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
    (face,) = FaceLandmarker.from_preset(VIDEO_PRESET, engine="onnxruntime")(first)
    assert frames[0] == [{**face.to_dict(), "track_id": 0}]
    assert {here["track_id"] for faces in frames for here in faces} == {0}
    drawn = cv2.VideoCapture(str(out))
    seen = [drawn.read() for _ in range(21)]
    assert [there for there, _ in seen] == [True] * 20 + [False]
    # Landmarks are drawn where they are.
    x, y = face.points[30].astype(int)
    difference = np.abs(seen[0][1].astype(int) - first[..., ::-1])
    assert difference[y - 2 : y + 3, x - 2 : x + 3].max() > 60


def test_more_is_drawn(video, tmp_path, monkeypatch):
    asked = []

    @wraps(draw)
    def noted(image, faces, **overlays):
        asked.append(overlays)
        return draw(image, faces, **overlays)

    for module in (annotate, live):
        monkeypatch.setattr(module, "draw", noted)
    for name in ("namedWindow", "imshow", "destroyAllWindows"):
        monkeypatch.setattr(cv2, name, lambda *_: None)
    monkeypatch.setattr(cv2, "waitKey", lambda _: ord("q"))
    more = ["--ellipses", "--pose"]
    result = run(video, tmp_path / "out.webm", *more)
    assert result.exit_code == 0, result.stderr
    options = ["--virtual", str(video), "--engine", "onnxruntime"]
    result = CliRunner().invoke(main, ["webcam", *options, *more])
    assert result.exit_code == 0, result.stderr
    assert asked == [{"ellipses": 0.9, "pose": True}] * 21


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["none.mp4", "out.webm"], "There is no video none.mp4"),
        (["http://127.0.0.1:9/x.mp4", "out.webm"], "Received: http://127.0.0.1:9/x.mp4"),
        (["RTSP://camera/1", "out.webm"], "addresses are not read: download the video first"),
        (["text.mp4", "out.webm"], "Expected a video (MP4, WebM, AVI, MOV). Received: text.mp4"),
        (["text.mp4", "out.gif"], "Expected a .mp4, .m4v, .mov, .mkv, .webm file as output."),
        (["text.mp4", "out.mp4", "--points", "a.txt"], "Expected a file .json, .jsonl, .csv"),
        (["text.mp4", "out.mp4", "--every", "0"], "0 is not in the range x>=1"),
        (
            ["text.mp4", "--points", "a.csv", "--pose"],
            "Expected a video to write, OUTPUT, with --pose. Received: none",
        ),
        (["text.mp4"], "Expected a video to write, OUTPUT, or --points. Received: neither"),
    ],
)
def test_bad_input(arguments, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.mp4").write_text("text")
    result = run(*arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["text.mp4"]


def test_points_alone(video, tmp_path):
    result = run(video, "--points", tmp_path / "a.csv")
    assert result.stderr == f"keras-lotr: 20 frames, 20 faces, written to {tmp_path / 'a.csv'}\n"
    assert result.exit_code == 0 and [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_labels_are_not_replaced(video, tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text("image,x0,y0\na.jpg,1,2\n")
    result = run(video, tmp_path / "out.mp4", "--points", labels)
    assert result.exit_code == 2 and "labels.csv, which holds something else" in result.stderr
    assert [*tmp_path.iterdir()] == [labels] and labels.read_text().startswith("image,x0")


def test_unknown_preset(video, tmp_path):
    result = run(video, tmp_path / "out.webm", "--preset", "no_such")
    assert result.exit_code == 2 and "There is no preset 'no_such'" in result.stderr
    assert not list(tmp_path.iterdir())


def test_nothing_of_opencv_is_seen(video, tmp_path, capfd):
    assert run(video, tmp_path / "out.webm").exit_code == 0
    assert capfd.readouterr() == ("", "")


def test_a_video_that_breaks_off(video, tmp_path):
    data = video.read_bytes()
    (tmp_path / "cut.webm").write_bytes(data[: len(data) // 2])
    out, points = tmp_path / "out.mp4", tmp_path / "points.jsonl"
    result = run(tmp_path / "cut.webm", out, "--points", points)
    assert result.exit_code == 1
    said, done = result.stderr.splitlines()
    assert "cut.webm breaks off" in said and said.endswith(f"{out} has the frames before that.")
    count = len(points.read_text().splitlines())
    assert done.startswith(f"keras-lotr: {count} frames") and 3 < count < 20
    assert cv2.VideoCapture(str(out)).read()[0]


def interrupt(monkeypatch, *signals):
    """Send these signals to this process, the first one in the sixth frame."""
    from keras_lotr.tracking.tracker import FaceTracker

    seen, follow = [], FaceTracker.__call__

    def interrupted(self, frame, timestamp):
        seen.append(timestamp)
        if len(seen) == 6:
            for number in signals:
                os.kill(os.getpid(), number)
        return follow(self, frame, timestamp)

    monkeypatch.setattr(FaceTracker, "__call__", interrupted)


@pytest.fixture
def handlers_stay():
    """Those of a command in a terminal, whatever started the tests; nohup ignores SIGHUP."""
    found = [signal.getsignal(number) for number in SIGNALS]
    usual = [signal.default_int_handler, *[signal.SIG_DFL] * len(cli_errors._AS_CTRL_C)]
    for number, handler in zip(SIGNALS, usual, strict=True):
        signal.signal(number, handler)
    yield
    assert usual == [signal.getsignal(number) for number in SIGNALS]
    for number, handler in zip(SIGNALS, found, strict=True):
        signal.signal(number, handler)


SIGNALS = [signal.SIGINT, *cli_errors._AS_CTRL_C]
BY = pytest.mark.parametrize("number", SIGNALS)


@BY
def test_a_signal_leaves_a_video_that_plays(video, tmp_path, monkeypatch, handlers_stay, number):
    interrupt(monkeypatch, number)
    out, points = tmp_path / "out.mp4", tmp_path / "points.csv"
    result = run(video, out, "--points", points)
    assert result.exit_code == 130
    assert result.stderr == f"keras-lotr: stopped after 6 frames, 6 faces, written to {out}\n"
    reader = cv2.VideoCapture(str(out))
    assert [reader.read()[0] for _ in range(7)] == [True] * 6 + [False]
    assert len(points.read_text().splitlines()) == 7


@BY
def test_a_signal_while_it_loads(video, tmp_path, monkeypatch, handlers_stay, number):
    monkeypatch.setattr(
        "keras_lotr.cli.video.landmarker_of", lambda **_: os.kill(os.getpid(), number)
    )
    result = run(video, tmp_path / "out.mp4", "--points", tmp_path / "points.csv")
    assert result.exit_code == 130
    assert result.stderr == AT_ONCE
    assert not list(tmp_path.iterdir())


def test_a_second_signal_ends_at_once(video, tmp_path, monkeypatch, handlers_stay):
    interrupt(monkeypatch, signal.SIGINT, signal.SIGTERM)
    result = run(video, tmp_path / "out.mp4")
    assert result.exit_code == 130 and result.stderr.endswith(AT_ONCE)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="has other signals")
def test_a_closed_terminal_says_so_twice(video, tmp_path, monkeypatch, handlers_stay):
    """The shell and the kernel do; the second one is no second wish of the user."""
    interrupt(monkeypatch, signal.SIGHUP, signal.SIGHUP)
    result = run(video, tmp_path / "out.mp4")
    assert result.exit_code == 130 and "stopped after 6 frames" in result.stderr
    assert (tmp_path / "out.mp4").exists()


def test_webcam_does_not_read_addresses(monkeypatch):
    monkeypatch.setattr(cv2, "namedWindow", lambda *_: None)
    result = CliRunner().invoke(main, ["webcam", "--virtual", "https://127.0.0.1:9/x.mp4"])
    assert result.exit_code == 2
    assert result.stderr.endswith("Received: https://127.0.0.1:9/x.mp4\n")


def test_webcam_without_a_window(video, monkeypatch):
    def none(*_):
        raise cv2.error("The function is not implemented.")

    monkeypatch.setattr(cv2, "namedWindow", none)
    result = CliRunner().invoke(main, ["webcam", "--virtual", str(video)])
    assert result.exit_code == 2 and "pip install opencv-python" in result.stderr


def webcam(monkeypatch, *options, quit_after=10**9):
    """The command's result, and the images that a window would show."""
    shown = []
    monkeypatch.setattr(cv2, "namedWindow", lambda *_: None)
    monkeypatch.setattr(cv2, "imshow", lambda name, image: shown.append(image))
    monkeypatch.setattr(cv2, "waitKey", lambda _: ord("q") if len(shown) >= quit_after else -1)
    monkeypatch.setattr(cv2, "destroyAllWindows", lambda: None)
    command = ["webcam", "--engine", "onnxruntime", *map(str, options)]
    return CliRunner().invoke(main, command), shown


def test_webcam_with_a_file(video, monkeypatch):
    result, shown = webcam(monkeypatch, "--virtual", video, quit_after=4)
    assert result.exit_code == 0, result.stderr
    assert len(shown) == 4 and "keras-lotr: 4 frames, " in result.stderr


def test_webcam_with_a_file_that_breaks_off(video, tmp_path, monkeypatch):
    (tmp_path / "cut.webm").write_bytes(video.read_bytes()[:-2000])
    result, shown = webcam(monkeypatch, "--virtual", tmp_path / "cut.webm")
    assert result.exit_code == 1 and len(shown) > 1
    assert "cut.webm breaks off: it says that it lasts" in result.stderr


def test_webcam_with_a_camera_that_stops(monkeypatch):
    given = [np.zeros((48, 64, 3), np.uint8)] * 2

    def camera(number):
        read = lambda: (bool(given), given.pop() if given else None)  # noqa: E731
        return SimpleNamespace(isOpened=lambda: True, read=read, release=lambda: None)

    monkeypatch.setattr(cv2, "VideoCapture", camera)
    result, shown = webcam(monkeypatch)
    assert result.exit_code == 1 and len(shown) == 1
    stopped, counted = result.stderr.splitlines()
    assert stopped == "keras-lotr: Camera 0 stopped: it gives no more frames."
    assert counted.startswith("keras-lotr: 1 frame, ")
    result, _ = webcam(monkeypatch)
    assert result.exit_code == 2 and "Camera 0 gives no frame: " in result.stderr
