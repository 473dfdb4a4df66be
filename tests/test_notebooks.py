"""The notebooks run from their first cell to their last, without outputs kept in git."""

import json
import os
from pathlib import Path

import keras
import pytest

nbclient = pytest.importorskip("nbclient", reason="needs nbclient and ipykernel")
pytest.importorskip("ipykernel", reason="needs nbclient and ipykernel")
pytest.importorskip("matplotlib", reason="the notebooks draw")

FOLDER = Path(__file__).parents[1] / "notebooks"
# A training of seconds.
HURRIED = {"FACES, EPOCHS = 80, 10": "FACES, EPOCHS = 8, 1"}

# The client's event loop is closed late by its own packages.
pytestmark = [
    pytest.mark.once,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def read(name):
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["predict.ipynb", "fine_tune.ipynb"])
def test_notebook_runs(name, monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    monkeypatch.setenv("KERAS_BACKEND", keras.backend.backend())
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FOLDER.parent), *_python_path()]))
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    text = (FOLDER / name).read_text(encoding="utf-8")
    for slow, fast in HURRIED.items():
        text = text.replace(slow, fast)
    notebook = nbformat.reads(text, as_version=4)
    resources = {"metadata": {"path": str(FOLDER)}}
    nbclient.NotebookClient(notebook, timeout=300, resources=resources).execute()


def _python_path():
    return filter(None, [os.environ.get("PYTHONPATH")])


def test_what_is_hurried_is_in_a_notebook():
    text = "".join((FOLDER / name).read_text(encoding="utf-8") for name in os.listdir(FOLDER))
    assert all(slow in text for slow in HURRIED)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.name)
def test_notebook_is_clean_and_opens_in_colab(path):
    cells = read(path.name)["cells"]
    assert not [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")]
    link = f"/keras-lotr/blob/main/notebooks/{path.name})"
    assert link in "".join(cells[0]["source"])
