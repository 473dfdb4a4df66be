"""The tests do not depend on what a user has set in keras.json."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.once
def test_a_users_keras_json_is_not_read(tmp_path):
    (tmp_path / "keras.json").write_text(
        json.dumps({"image_data_format": "channels_first", "floatx": "float16"})
    )
    environment = {**os.environ, "KERAS_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"]
    test = "tests/test_lotr.py::test_fresh_model_predicts_the_mean_shape"
    options = {"cwd": ROOT, "env": environment, "capture_output": True, "text": True}
    run = subprocess.run([*command, test], **options)
    assert run.returncode == 0, run.stdout


@pytest.mark.once
def test_commands_compute_in_float32_whatever_keras_json_says(tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps({"floatx": "float16"}))
    program = """
from keras_lotr.quiet import start_keras
start_keras()
import keras
print(keras.config.floatx(), keras.config.dtype_policy().name)
"""
    environment = {**os.environ, "KERAS_HOME": str(tmp_path)}
    options = {"cwd": ROOT, "env": environment, "capture_output": True, "text": True}
    run = subprocess.run([sys.executable, "-c", program], **options)
    assert run.stdout.split() == ["float32", "float32"], run.stderr
