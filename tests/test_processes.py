"""Several processes share the photos: same faces, same order, nothing lost when one is killed."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from keras_lotr import FaceLandmarker
from keras_lotr.cli import main
from keras_lotr.inference import processes

pytestmark = pytest.mark.once
EXAMPLES = ["examples/astronaut.jpg", "examples/group.jpg", "missing.jpg", "examples/rendered1.jpg"]


@pytest.fixture
def landmarker():
    return FaceLandmarker("lotr_m_68", engine="onnxruntime", threads=1)


def faces_of(photos):
    return [
        (photo.source, photo.error and str(photo.error), [f.to_dict() for f in photo.faces or ()])
        for photo in photos
    ]


def assert_same(found, expected):
    """But for how many crops the network had at once, which changes its last bits."""
    for (*place, faces), (*other, others) in zip(found, expected, strict=True):
        assert place == other
        for face, same in zip(faces, others, strict=True):
            assert face.keys() == same.keys()
            np.testing.assert_allclose(face["points"], same["points"], rtol=0, atol=0.002)
            np.testing.assert_allclose(face["sigma"], same["sigma"], rtol=0.01)
            assert (face["box"], face["scheme"]) == (same["box"], same["scheme"])


def test_same_faces_in_the_same_order(landmarker, monkeypatch):
    monkeypatch.setattr(processes, "_PHOTOS_IN_TASK", 2)
    alone = faces_of(landmarker.stream(EXAMPLES * 2))
    assert_same(faces_of(landmarker.stream(EXAMPLES * 2, workers=2)), alone)
    boxes = [[[178, 89, 271, 175]]] * len(EXAMPLES)
    alone = faces_of(landmarker.stream(EXAMPLES, boxes))
    assert_same(faces_of(landmarker.stream(EXAMPLES, boxes, workers=2)), alone)


def test_boxes_of_some_photos_only(landmarker):
    """None where the detector is to look, in any place."""
    box = [[178, 89, 271, 175]]
    for boxes in ([None, box * 2, []], [box * 2, [], None]):
        alone = faces_of(landmarker.stream(EXAMPLES[:1] * 3, boxes))
        assert [len(faces) for *_, faces in alone] == [1 if b is None else len(b) for b in boxes]
        assert_same(faces_of(landmarker.stream(EXAMPLES[:1] * 3, boxes, workers=1)), alone)


def test_photos_are_taken_as_they_are_needed(landmarker, monkeypatch):
    monkeypatch.setattr(processes, "_PHOTOS_IN_TASK", 1)
    taken = []

    def photos():
        for number in range(1000):
            taken.append(number)
            yield np.zeros((64, 64, 3), np.uint8)

    found = landmarker.stream(photos(), workers=1)
    next(found)
    found.close()
    assert len(taken) < 10


@dataclass(frozen=True)
class Detector:
    """Kills its process at photos of 13 pixels; at the first one of 12 pixels, too."""

    folder: str

    def __call__(self, image):
        mark = Path(self.folder, "seen")
        if len(image) == 13 or len(image) == 12 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return [[1, 1, 9, 9]]


def test_a_photo_that_kills_its_process(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "_PHOTOS_IN_TASK", 3)
    model = FaceLandmarker("lotr_m_68", engine="onnxruntime", threads=1).model
    landmarker = FaceLandmarker(model, Detector(str(tmp_path)))
    heights = [20, 13, 21, 22, 12, 23, 24, 25]
    photos = [np.zeros((height, 20, 3), np.uint8) for height in heights]
    found = list(landmarker.stream(photos, workers=2))
    assert [len(photo.source) for photo in found] == heights
    failed = [len(photo.source) for photo in found if photo.error]
    assert failed == [13]
    assert "was killed, perhaps for want of memory" in str(found[1].error)
    assert all(len(photo.faces) == 1 for photo in found if not photo.error)


def test_a_landmarker_that_cannot_be_sent():
    landmarker = FaceLandmarker("lotr_m_68", lambda image: [], engine="onnxruntime")
    with pytest.raises(ValueError, match="Expected a landmarker that can be sent to other proc"):
        next(landmarker.stream(EXAMPLES, workers=2))
    with pytest.raises(ValueError, match="Expected workers as a number of processes. Received: 0"):
        next(landmarker.stream(EXAMPLES, workers=0))


def test_command(tmp_path):
    outputs = []
    for options in ([], ["--workers", "2"]):
        output = tmp_path / f"faces{len(outputs)}.json"
        arguments = ["predict", *EXAMPLES[:2], EXAMPLES[3], "--output", str(output), *options]
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
        outputs.append(json.loads(output.read_text()))
    assert outputs[0] == outputs[1]
    arguments = ["predict", EXAMPLES[0], "--workers", "2", "--engine", "keras"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "Expected --workers with --engine onnxruntime" in result.output


def test_a_script_without_a_main_guard_is_told(tmp_path):
    """Each process imports the script, which would start processes again."""
    script = tmp_path / "script.py"
    script.write_text(
        "import keras_lotr\n"
        "landmarker = keras_lotr.FaceLandmarker('lotr_s_68', threads=1)\n"
        f"images = [{str(Path(EXAMPLES[0]).resolve())!r}]\n"
        "for photo in landmarker.stream(images, workers=1):\n"
        "    print('found', photo.faces, photo.error)\n"
    )
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert run.returncode == 1 and "found" not in run.stdout
    last = run.stderr.strip().splitlines()[-1]
    assert last.startswith("RuntimeError: The processes that look at images could not start.")
    assert 'if __name__ == "__main__":' in last


SLOW = """
import signal
import time
import keras_lotr

def slow(image):
    print("looking", flush=True)
    time.sleep(100)

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever started the tests
    landmarker = keras_lotr.FaceLandmarker("lotr_s_68", slow, engine="onnxruntime", threads=1)
    try:
        list(landmarker.stream(["examples/astronaut.jpg"] * 20, workers=2))
    except KeyboardInterrupt:
        print("stopped", flush=True)
else:
    print("importing", flush=True)
    time.sleep(WAIT)
"""
linux_or_mac = pytest.mark.skipif(sys.platform == "win32", reason="has other signals")


@pytest.fixture
def program(tmp_path):
    """Starts one whose processes take long, and waits until one has printed that line.

    Its output ends when all processes that it has started are gone.
    """
    started = []

    def start(until, wait=0):
        script = tmp_path / "slow.py"
        script.write_text(SLOW.replace("WAIT", str(wait)))
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([os.getcwd(), *sys.path])}
        process = subprocess.Popen(
            [sys.executable, script],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        while process.stdout.readline().strip() != until:
            assert process.poll() is None, process.stderr.read()
        return process

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@linux_or_mac
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_no_process_outlives_the_one_that_is_killed(program, name):
    process = program("looking")
    process.send_signal(signal.Signals[name])
    process.communicate(timeout=20)


@linux_or_mac
def test_ctrl_c_ends_all_processes_at_once(program):
    process = program("looking")
    for _ in range(3):
        process.send_signal(signal.SIGINT)
    said, complaints = process.communicate(timeout=20)
    assert (said.split()[-1], complaints, process.returncode) == ("stopped", "", 0)


@linux_or_mac
def test_ctrl_c_while_processes_start(program):
    process = program("importing", wait=100)
    os.killpg(process.pid, signal.SIGINT)
    said, complaints = process.communicate(timeout=20)
    assert (said, complaints, process.returncode) == ("stopped\n", "", 0)
