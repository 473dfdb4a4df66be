"""Standard streams that are closed or full: results are whole, and a sentence says what is not."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(sys.platform == "win32", reason="needs a shell that closes streams"),
]
FACE = "examples/astronaut.jpg"


def run(arguments, streams):
    """Of the command behind redirections of a shell."""
    pytest.importorskip("onnxruntime")
    words = [sys.executable, "-m", "keras_lotr", *map(str, arguments)]
    return subprocess.run(
        ["sh", "-c", f'exec "$0" "$@" {streams}', *words],
        capture_output=True,
        text=True,
        timeout=100,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([os.getcwd(), *sys.path])},
    )


@pytest.mark.parametrize("streams", ["2>&-", "<&- 2>&-"])
def test_without_standard_error_the_results_are_whole(streams, tmp_path):
    done = run(["predict", FACE, "examples/group.jpg"], streams)
    assert (done.returncode, len(json.loads(done.stdout))) == (0, 2)
    output = tmp_path / "faces.json"
    done = run(["predict", FACE, "--workers", "1", "--output", output], f"{streams} >&-")
    assert done.returncode == 0 and len(json.loads(output.read_text())) == 1


def test_a_video_without_standard_error(video, tmp_path):
    pytest.importorskip("av")
    done = run(["video", video, tmp_path / "out.mp4"], "2>&-")
    assert (done.returncode, done.stdout) == (0, "") and (tmp_path / "out.mp4").exists()


def test_without_standard_output():
    done = run(["predict", FACE], ">&-")
    said = "keras-lotr: Expected --output. Received: none, and standard output is closed\n"
    assert (done.returncode, done.stderr) == (2, said)
    done = run(["presets"], ">&-")
    assert (done.returncode, done.stderr) == (0, "")


def test_without_standard_input():
    done = run(["predict", "-"], "<&-")
    assert done.returncode == 2 and done.stderr.count("\n") == 2
    assert "standard input: Expected an image" in done.stderr and "is empty" in done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_standard_error_does_not_end_the_run(unbuffered, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    broken, output = tmp_path / "broken.jpg", tmp_path / "faces.csv"
    broken.write_text("text")
    done = run(["predict", broken, FACE, "--output", output], "2>/dev/full")
    assert done.returncode == 1
    rows = csv.DictReader(output.read_text().splitlines())
    assert [Path(row["image"]).name for row in rows] == ["astronaut.jpg"]
