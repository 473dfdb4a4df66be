"""What is kept from standard error, and what a machine without a backend of Keras is told."""

import os
import subprocess
import sys

import pytest

from keras_lotr.quiet import quiet_stderr

pytestmark = pytest.mark.once

WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "jax", "torch"):
            raise ModuleNotFoundError(f"No module named {name}", name=name)
sys.meta_path.insert(0, Missing())
import keras_lotr
"""


@pytest.mark.parametrize(
    "code", ["keras_lotr.LOTR", "keras_lotr.FaceLandmarker('lotr_m_300w', engine='keras')"]
)
@pytest.mark.parametrize("name", ["tensorflow", "jax", "torch", "caffe"])
def test_a_backend_that_is_missing_is_named_in_python(name, code):
    path = os.pathsep.join(sys.path)
    environment = {**os.environ, "KERAS_BACKEND": name, "PYTHONPATH": path}
    run = subprocess.run(
        [sys.executable, "-c", f"{WITHOUT}{code}"], env=environment, capture_output=True, text=True
    )
    sentence = (
        f"ImportError: Keras' backend {name} is not installed: pip install 'keras-lotr[{name}"
    )
    if name == "caffe":
        sentence = "ImportError: Expected KERAS_BACKEND as one of tensorflow, jax, torch. Received"
    assert run.stderr.splitlines()[-1].startswith(sentence)


def test_without_standard_error_no_other_file_is_silenced(monkeypatch, capfd):
    monkeypatch.setattr(sys, "stderr", None)
    with quiet_stderr():
        os.write(2, b"of another file")
    assert capfd.readouterr().err == "of another file"
