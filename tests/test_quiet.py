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
    "code",
    [
        "from keras_lotr import LOTR",
        "from keras_lotr import *",
        "from keras_lotr.datasets.batches import load_crops",
        "import keras_lotr.training.training",
        "import keras_lotr.metrics",
        "keras_lotr.FaceLandmarker('lotr_m_300w', engine='keras')",
    ],
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


TOLD = """
def told(module):
    try:
        __import__(module)
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:29]
for module in ("keras_lotr.losses", "keras", "keras_lotr.losses"):
    print(told(module))
"""


def test_each_attempt_is_told_and_keras_itself_says_what_it_always_says():
    path = os.pathsep.join(sys.path)
    environment = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": path}
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT + TOLD], env=environment, capture_output=True, text=True
    )
    ours, of_keras = "ImportError: Keras' backend j", "ModuleNotFoundError: No modul"
    assert run.stdout.splitlines() == [ours, of_keras, ours]


LOOK = """
import inspect, pydoc
try:
    keras_lotr.LOTR
except AttributeError as error:
    print(str(error)[:47])
print(hasattr(keras_lotr, "LOTR"), hasattr(keras_lotr, "draw"))
names = dict(inspect.getmembers(keras_lotr))
print("draw" in names, "FaceLandmarker" in names, "LOTR" in names)
print("class FaceLandmarker" in pydoc.render_doc(keras_lotr, renderer=pydoc.plaintext))
"""


def test_tools_that_look_at_the_package_need_no_backend():
    path = os.pathsep.join(sys.path)
    environment = {**os.environ, "KERAS_BACKEND": "torch", "PYTHONPATH": path}
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT + LOOK], env=environment, capture_output=True, text=True
    )
    assert run.stderr == ""
    assert run.stdout.splitlines() == [
        "keras_lotr.LOTR: Keras' backend torch is not in",
        "False True",
        "True True False",
        "True",
    ]
