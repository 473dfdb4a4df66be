"""Nobody is told that the library runs: runtimes that report their use are told not to."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.once
PROGRAM = """
import keras_lotr, numpy
landmarker = keras_lotr.FaceLandmarker("lotr_s_68", engine="onnxruntime")
landmarker(numpy.zeros((64, 64, 3), "uint8"))
"""


def files_of_a_run(home):
    """What a program that finds faces leaves in a home folder of its own."""
    not_asked = {"CI", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS", "XDG_CACHE_HOME"}
    environment = {k: v for k, v in os.environ.items() if k not in not_asked}
    environment |= {"HOME": str(home), "USERPROFILE": str(home)}
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, env=environment)
    return [path for path in home.rglob("*") if path.is_file()]


def test_onnxruntime_keeps_no_record_for_its_maker(tmp_path):
    """From 1.29 on it sends sessions, models and the program's path, by way of such files."""
    pytest.importorskip("onnxruntime", minversion="1.29", reason="earlier ones report nothing")
    assert files_of_a_run(tmp_path) == []


def test_who_wants_that_can_have_it(tmp_path):
    program = "import keras_lotr, os; assert os.environ['ORT_DISABLE_TELEMETRY'] == '0'"
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "0"}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
