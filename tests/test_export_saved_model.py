"""A SavedModel gives the points of the model and holds the preprocessor."""

import json

import numpy as np
import pytest
from tiny import SHALLOW, random_crops, randomize, tiny_lotr

from keras_lotr.export.exporter import export
from keras_lotr.export.saved_model import FACTS_FILE, MARK

# Keras 3.15 hands jax2tf an argument that JAX has deprecated.
pytestmark = pytest.mark.filterwarnings(
    "ignore:The .native_serialization. param:DeprecationWarning"
)


@pytest.fixture
def tf(backend):
    if backend == "torch":
        pytest.skip("Keras exports no SavedModel from PyTorch")
    return pytest.importorskip("tensorflow")


@pytest.fixture(scope="module")
def model():
    return randomize(tiny_lotr(68, **SHALLOW))


def test_points_and_facts(model, tf, tmp_path):
    path = tmp_path / "new" / "model"
    export(model, path, "saved_model")
    assert [p.name for p in path.parent.iterdir()] == ["model"]
    facts = json.loads((path / FACTS_FILE).read_text())
    assert facts == {"scheme": "ibug68", "image_size": 64, "margin": 1.3, "channels": "RGB"}
    crops = random_crops(2).astype("float32")
    loaded = tf.saved_model.load(path)
    found = loaded.serve(crops).numpy()
    np.testing.assert_allclose(found, model.predict_points(crops), atol=1e-3)


@pytest.fixture
def old(tmp_path):
    """A folder that passes for a SavedModel."""
    (tmp_path / "model").mkdir()
    for name in (MARK, "other"):
        (tmp_path / "model" / name).write_text("old")
    return tmp_path / "model"


def test_old_one_is_replaced_whole(model, tf, old, tmp_path):
    export(model, old, "saved_model", batch=2)
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    assert not (old / "other").exists()
    assert tf.saved_model.load(old).serve(random_crops(2).astype("float32")).shape == (2, 68, 2)


def test_wrong_one_is_not_kept(model, tf, old, tmp_path, monkeypatch):
    monkeypatch.setattr("keras_lotr.export.check.LARGEST_DIFFERENCE", -1)
    monkeypatch.setattr(type(model), "export", lambda self, path, **_: path.mkdir())
    monkeypatch.setattr(tf.saved_model, "load", lambda path: Loaded())
    with pytest.raises(RuntimeError, match="nothing was written"):
        export(model, old, "saved_model")
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    assert (old / MARK).read_text() == "old"


class Loaded:
    def serve(self, crops):
        return self

    def numpy(self):
        return np.zeros((3, 68, 2), np.float32)


def test_error_of_the_exporter(model, tf, old, tmp_path, monkeypatch):
    def fail(self, path, **_):
        raise RuntimeError("no such operation\nand much more")

    monkeypatch.setattr(type(model), "export", fail)
    sentence = "written as a SavedModel: RuntimeError: no such operation$"
    with pytest.raises(ValueError, match=sentence):
        export(model, old, "saved_model")
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_something_else_is_there(model, tmp_path):
    (tmp_path / "photo.jpg").write_text("mine")
    with pytest.raises(ValueError, match=f"Expected a new folder, or one with a {MARK}"):
        export(model, tmp_path, "saved_model")
    assert (tmp_path / "photo.jpg").read_text() == "mine"


def test_pytorch(model, backend, tmp_path):
    if backend != "torch":
        pytest.skip("TensorFlow and JAX can")
    with pytest.raises(ValueError, match="KERAS_BACKEND=tensorflow or jax for saved_model"):
        export(model, tmp_path / "model", "saved_model")
