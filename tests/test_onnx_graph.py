"""An ONNX graph becomes a file."""

import numpy as np
import pytest

from keras_lotr.export.onnx_graph import OnnxGraph

onnx = pytest.importorskip("onnx")
SHAPES = {"x": ["batch", 300]}, {"y": ["batch", 300]}


def tripled():
    graph = OnnxGraph()
    graph.node("Mul", ["x", graph.constant("three", np.full(300, 3, np.float32))], "y")
    return graph


def run(content, x):
    session = pytest.importorskip("onnxruntime").InferenceSession(content)
    return session.run(None, {"x": np.float32(x)})[0]


@pytest.mark.parametrize("float16", [False, True])
def test_numbers(float16):
    x = np.random.default_rng(0).normal(size=(2, 300))
    np.testing.assert_allclose(run(tripled().to_bytes(*SHAPES, float16=float16), x), 3 * x, 1e-6)


def test_float16_is_for_long_constants():
    graph = tripled()
    graph.node("Add", ["y", graph.constant("one", np.ones(1, np.float32))], "z")
    content = graph.to_bytes(SHAPES[0], {"z": ["batch", 300]}, float16=True)
    kinds = {c.name: c.data_type for c in onnx.load_from_string(content).graph.initializer}
    half, whole = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    assert kinds == {"three/float16": half, "one": whole}


def test_metadata_travels(tmp_path):
    tripled().save(tmp_path / "model.onnx", *SHAPES, metadata={"scheme": "ibug68"})
    model = onnx.load(tmp_path / "model.onnx")
    assert [(p.key, p.value) for p in model.metadata_props] == [("scheme", "ibug68")]


def test_wrong_graph_is_no_file(tmp_path):
    graph = tripled()
    graph.node("Add", ["y", "nothing"], "z")
    with pytest.raises(onnx.checker.ValidationError, match="topologically sorted"):
        graph.save(tmp_path / "model.onnx", SHAPES[0], {"z": ["batch", 300]})
    assert not list(tmp_path.iterdir())


def test_names():
    graph = OnnxGraph()
    assert [graph.unused(name) for name in "aab"] == ["a", "a/2", "b"]
