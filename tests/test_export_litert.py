"""LiteRT's file gives the points of the model and holds the preprocessor."""

import json
import sys

import numpy as np
import pytest
from tiny import SHALLOW, random_crops, randomize, tiny_lotr

from keras_lotr.export import litert as export_litert
from keras_lotr.export.exporter import export
from keras_lotr.export.litert import litert_facts


@pytest.fixture
def on_tensorflow(backend):
    if backend != "tensorflow":
        pytest.skip("Keras' exporter for LiteRT needs the TensorFlow backend")


@pytest.fixture(scope="module")
def model():
    return randomize(tiny_lotr(68, **SHALLOW))


def test_points_and_facts(model, on_tensorflow, tmp_path):
    interpreter_of = pytest.importorskip("ai_edge_litert.interpreter").Interpreter
    path = tmp_path / "new" / "model.tflite"
    export(model, path, "litert")
    assert [p.name for p in path.parent.iterdir()] == ["model.tflite"]
    facts = json.loads(litert_facts(path.read_bytes()))
    assert facts == {"scheme": "ibug68", "image_size": 64, "margin": 1.3, "channels": "RGB"}
    crops = random_crops(2).astype("float32")
    interpreter = interpreter_of(model_path=str(path))
    (images,), (points,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert images["shape_signature"].tolist() == [-1, 64, 64, 3]
    interpreter.resize_tensor_input(images["index"], crops.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(images["index"], crops)
    interpreter.invoke()
    found = interpreter.get_tensor(points["index"])
    np.testing.assert_allclose(found, model.predict_points(crops), atol=1e-3)


def test_fixed_batch_of_another_model(model, on_tensorflow, tmp_path, monkeypatch):
    """A wrong file is not kept; it takes as many crops as were asked for."""
    interpreter_of = pytest.importorskip("ai_edge_litert.interpreter").Interpreter
    other, write, written = randomize(tiny_lotr(68, **SHALLOW), seed=1), export_litert._content, []

    def content(_, batch):
        written.append(write(other, batch))
        return written[0]

    monkeypatch.setattr(export_litert, "_content", content)
    (tmp_path / "model.tflite").write_text("old")
    with pytest.raises(RuntimeError, match="nothing was written"):
        export(model, tmp_path / "model.tflite", "litert", batch=2)
    assert [p.read_text() for p in tmp_path.iterdir()] == ["old"]
    (images,) = interpreter_of(model_content=written[0]).get_input_details()
    assert images["shape_signature"].tolist() == [2, 64, 64, 3]


def test_quantized(on_tensorflow, tmp_path):
    pytest.importorskip("ai_edge_litert")
    model = tiny_lotr(5, **SHALLOW)
    model.get_layer("encoder1").ffn1.quantize("int8")
    with pytest.raises(ValueError, match="not quantized. ffn1 is int8: export the model before"):
        export(model, tmp_path / "model.tflite", "litert")
    assert not list(tmp_path.iterdir())


def test_error_of_the_converter(model, on_tensorflow, tmp_path, monkeypatch):
    pytest.importorskip("ai_edge_litert")

    def fail(*arguments):
        raise RuntimeError("no such operation\nand much more")

    monkeypatch.setattr(export_litert, "_content", fail)
    with pytest.raises(ValueError, match="written as litert: RuntimeError: no such operation$"):
        export(model, tmp_path / "model.tflite", "litert")
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
