"""Keras finds our classes in a new process, in whatever order the two are imported."""

import subprocess
import sys
from pathlib import Path

import pytest
from tiny import tiny_lotr

import keras_lotr


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    model = tiny_lotr(5)
    metrics = [keras_lotr.NormalizedMeanError("plain5")]
    model.compile("adam", keras_lotr.SmoothWing(), metrics=metrics)
    path = tmp_path_factory.mktemp("keras") / "model.keras"
    model.save(path)
    return path


@pytest.mark.parametrize(
    "imports",
    [
        "import keras_lotr; import keras",
        pytest.param("import keras, keras_lotr", marks=pytest.mark.once),
        pytest.param("from keras_lotr import FaceLandmarker; import keras", marks=pytest.mark.once),
        pytest.param("from keras_lotr import LOTR; import keras", marks=pytest.mark.once),
    ],
)
def test_load_model_in_a_new_process(file, imports):
    code = f"{imports}; m = keras.saving.load_model({str(file)!r}); print(type(m).__name__, m.loss)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("LOTR <") and "SmoothWing" in run.stdout


def test_keras_is_not_imported_for_it():
    code = (
        "import sys, keras_lotr; from keras_lotr import FaceLandmarker, draw, read_image; "
        "print('keras' in sys.modules, sum('Keras' in type(f).__name__ for f in sys.meta_path))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "1"]


def test_every_module_that_registers_is_imported():
    """Or a saved model would hold a class that Keras does not find."""
    code = (
        "import keras, sys, keras_lotr; names = [n for n in sys.modules if 'keras_lotr.' in n]; "
        "print(*(name.removeprefix('keras_lotr.') for name in names))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    package = Path(keras_lotr.__file__).parent
    registering = {
        ".".join(path.relative_to(package).with_suffix("").parts)
        for path in package.rglob("*.py")
        if "@keras.saving.register_keras_serializable" in path.read_text(encoding="utf-8")
    }
    assert "lotr" in registering and registering <= set(run.stdout.split())
