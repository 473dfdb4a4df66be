"""Constants of an ONNX graph that are computed from weights in another file."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from keras_lotr.export.onnx_graph import OnnxGraph
from keras_lotr.export.onnx_weights import Weight, weight_name, write_constant

NUMBERS = np.random.default_rng(0)
A, B, C = (NUMBERS.normal(size=shape).astype(np.float32) for shape in ((4, 4), (4, 4), (4,)))
SOURCES = {name: object() for name in "abc"}
PLACES = {id(source): name for name, source in SOURCES.items()}

COMPUTED = {
    "as it is": lambda a, b, c: a,
    "sums and products": lambda a, b, c: (a - b) * c + np.float32(0.5),
    "batch norm": lambda a, b, c: a / np.sqrt(c * c + np.float32(1e-3)).reshape(-1, 1),
    "projected": lambda a, b, c: a @ np.concatenate([b * np.float32(2), a], axis=1),
    "axes": lambda a, b, c: a.reshape(2, 2, 4).transpose(2, 0, 1).T[None],
    "new axes": lambda a, b, c: a.T[:, :, None, None],
    "a number on the left": lambda a, b, c: np.float32(2) * a - 1 * b,
}


@pytest.mark.parametrize("computed", COMPUTED.values(), ids=COMPUTED)
def test_is_computed_from_the_weights(computed):
    a, b, c = (Weight.of(x, SOURCES[n]) for x, n in zip((A, B, C), "abc", strict=True))
    array = computed(a, b, c)
    np.testing.assert_array_equal(array, computed(A, B, C))
    graph = OnnxGraph()
    keys = write_constant(graph, "result", array, PLACES)
    assert keys and "result" not in graph.constants
    np.testing.assert_allclose(run(graph, keys, array), computed(A, B, C), rtol=1e-5, atol=1e-6)


def run(graph, keys, array):
    values = {weight_name(key): {"a": A, "b": B, "c": C}[key] for key in keys}
    inputs = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, v.shape) for n, v in values.items()
    ]
    output = helper.make_tensor_value_info("result", TensorProto.FLOAT, array.shape)
    nodes = [helper.make_node(n.kind, n.inputs, n.outputs, **n.attributes) for n in graph.nodes]
    constants = [
        helper.make_tensor(
            name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape, value.ravel()
        )
        for name, value in graph.constants.items()
    ]
    network = helper.make_graph(nodes, "constant", inputs, [output], constants)
    model = helper.make_model(network, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, values)[0]


UNKNOWN = {
    "a function without counterpart": lambda a, b: np.exp(a),
    "a part": lambda a, b: a[1:],
    "other numbers": lambda a, b: a * np.float64(0.1) * np.arange(4),
    "from no file": lambda a, b: a * Weight.of(B, object()),
}


@pytest.mark.parametrize("computed", UNKNOWN.values(), ids=UNKNOWN)
def test_what_cannot_be_computed_is_kept(computed):
    a, b = Weight.of(A, SOURCES["a"]), Weight.of(B, SOURCES["b"])
    array, graph = computed(a, b), OnnxGraph()
    assert write_constant(graph, "result", array, PLACES) == set() and not graph.nodes
    np.testing.assert_array_equal(graph.constants["result"], computed(A, B))


def test_plain_arithmetic_stays_what_it_is():
    a = Weight.of(A.copy(), SOURCES["a"])
    assert not np.any(a * np.float32(0)) and a.max() == A.max()
    a += 1
    np.testing.assert_array_equal(a, A + 1)
    assert np.stack([a, a]).shape == (2, 4, 4) and a.astype(np.float16).dtype == np.float16
