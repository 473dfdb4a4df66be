"""A SavedModel gives the points of the model and holds the crop contract."""

import json

import numpy as np
import pytest
from tiny import random_crops, randomize, tiny_lotr

from keras_lotr.export import export
from keras_lotr.export_saved_model import FACTS_FILE

# Keras 3.15 hands jax2tf an argument that JAX has deprecated.
pytestmark = pytest.mark.filterwarnings(
    "ignore:The .native_serialization. param:DeprecationWarning"
)


@pytest.fixture
def tf(backend):
    if backend == "torch":
        pytest.skip("Keras exports no SavedModel from PyTorch")
    return pytest.importorskip("tensorflow")


@pytest.mark.parametrize("batch", [None, 2])
def test_points_and_facts(batch, tf, tmp_path):
    model, path = randomize(tiny_lotr(68)), tmp_path / "new" / "model"
    export(model, path, "saved_model", batch)
    assert [p.name for p in path.parent.iterdir()] == ["model"]
    facts = json.loads((path / FACTS_FILE).read_text())
    assert facts == {"scheme": "ibug68", "image_size": 64, "margin": 1.3, "channels": "RGB"}
    crops = random_crops(2).astype("float32")
    loaded = tf.saved_model.load(path)
    found = loaded.serve(crops).numpy()
    np.testing.assert_allclose(found, model.predict_points(crops), atol=1e-3)


def test_wrong_folder_is_not_kept(tf, tmp_path, monkeypatch):
    monkeypatch.setattr("keras_lotr.export_check.LARGEST_DIFFERENCE", -1)
    with pytest.raises(RuntimeError, match="nothing was written"):
        export(tiny_lotr(5), tmp_path / "model", "saved_model")
    assert not list(tmp_path.iterdir())


def test_folder_is_there(tmp_path):
    with pytest.raises(FileExistsError, match="Expected a folder that is not there yet"):
        export(tiny_lotr(5), tmp_path, "saved_model")


def test_pytorch(backend, tmp_path):
    if backend != "torch":
        pytest.skip("TensorFlow and JAX can")
    with pytest.raises(ValueError, match="KERAS_BACKEND=tensorflow or jax for saved_model"):
        export(tiny_lotr(5), tmp_path / "model", "saved_model")
