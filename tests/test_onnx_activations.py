"""Activations of Keras, written as ONNX, compute the same."""

import pytest
from keras import layers
from written_onnx import assert_same, conv, network, written

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

FUNCTIONS = ["linear", "relu", "relu6", "leaky_relu", "elu", "selu", "sigmoid", "hard_sigmoid"]
FUNCTIONS += ["tanh", "softplus", "softsign", "silu", "swish", "hard_silu", "hard_swish", "gelu"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_activations(function):
    assert_same(network(lambda x: layers.Activation(function)(conv(3)(x))), -8, 8)


@pytest.mark.parametrize(
    "layer",
    [
        layers.ReLU(),
        layers.ReLU(6.0),
        layers.ReLU(3.0),
        layers.ReLU(negative_slope=0.1),
        layers.ReLU(3.0, negative_slope=0.1),
        layers.ReLU(threshold=1.5),
        layers.ReLU(3.0, negative_slope=0.1, threshold=1.5),
        layers.LeakyReLU(0.2),
        layers.ELU(0.7),
        layers.PReLU(shared_axes=[1, 2]),
        layers.PReLU(),
    ],
)
def test_activation_layers(layer):
    assert_same(network(layer), -8, 8)


def test_gelu_is_one_node_for_onnxruntime(tmp_path):
    """In a network of dense layers, too, whose kernels must not take its half."""
    model = network(lambda x: layers.Dense(4)(layers.Activation("gelu")(x)))
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(written(model)[0], options)
    kinds = [node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node]
    assert "Gelu" in kinds and "Erf" not in kinds
