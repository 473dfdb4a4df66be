"""LiteRT's file gives the points of the model and holds the crop contract."""

import json
import sys

import numpy as np
import pytest
from tiny import random_crops, randomize, tiny_lotr

from keras_lotr.export import export
from keras_lotr.export_litert import litert_facts


@pytest.fixture
def on_tensorflow(backend):
    if backend != "tensorflow":
        pytest.skip("Keras' exporter for LiteRT needs the TensorFlow backend")


@pytest.mark.parametrize("batch", [None, 2])
def test_points_and_facts(batch, on_tensorflow, tmp_path):
    interpreter_of = pytest.importorskip("ai_edge_litert.interpreter").Interpreter
    model, path = randomize(tiny_lotr(68)), tmp_path / "new" / "model.tflite"
    export(model, path, "litert", batch)
    assert [p.name for p in path.parent.iterdir()] == ["model.tflite"]
    facts = json.loads(litert_facts(path.read_bytes()))
    assert facts == {"scheme": "ibug68", "image_size": 64, "margin": 1.3, "channels": "RGB"}
    crops = random_crops(2).astype("float32")
    interpreter = interpreter_of(model_path=str(path))
    (images,), (points,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert images["shape_signature"].tolist() == [batch or -1, 64, 64, 3]
    interpreter.resize_tensor_input(images["index"], crops.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(images["index"], crops)
    interpreter.invoke()
    found = interpreter.get_tensor(points["index"])
    np.testing.assert_allclose(found, model.predict_points(crops), atol=1e-3)


def test_wrong_file_is_not_kept(on_tensorflow, tmp_path, monkeypatch):
    pytest.importorskip("ai_edge_litert")
    monkeypatch.setattr("keras_lotr.export_check.LARGEST_DIFFERENCE", -1)
    with pytest.raises(RuntimeError, match="nothing was written"):
        export(tiny_lotr(5), tmp_path / "model.tflite", "litert")
    assert not list(tmp_path.iterdir())


def test_package_missing(on_tensorflow, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(ImportError, match=r"pip install 'keras-lotr\[litert\]'"):
        export(tiny_lotr(5), tmp_path / "model.tflite", "litert")


def test_other_backends(backend, tmp_path):
    if backend == "tensorflow":
        pytest.skip("TensorFlow can")
    with pytest.raises(ValueError, match=f"KERAS_BACKEND=tensorflow for litert. .*: {backend}"):
        export(tiny_lotr(5), tmp_path / "model.tflite", "litert")
    assert not list(tmp_path.iterdir())
