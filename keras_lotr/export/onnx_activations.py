"""Activations as ONNX nodes: Keras' functions, and the layers that are one."""

import numpy as np
from keras import activations, layers, ops

# Functions that are one node of ONNX.
_NODES = {
    activations.relu: ("Relu", {}),
    activations.leaky_relu: ("LeakyRelu", {"alpha": 0.2}),
    activations.elu: ("Elu", {"alpha": 1.0}),
    activations.selu: ("Selu", {}),
    activations.sigmoid: ("Sigmoid", {}),
    activations.hard_sigmoid: ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    activations.hard_silu: ("HardSwish", {}),
    activations.tanh: ("Tanh", {}),
    activations.softplus: ("Softplus", {}),
    activations.softsign: ("Softsign", {}),
}


def write_activation(graph, layer, name, x):
    """What a layer has as its attribute `activation`.

    Args:
        graph: `OnnxGraph`.
        layer: a convolution, a dense layer or an `Activation`.
        name: of the node.
        x: name of what is activated.

    Returns:
        Name of the output.

    Raises:
        ValueError: a function that is not one of those that can be written.
    """
    activation = layer.activation
    if type(activation) in ACTIVATION_LAYERS:
        return ACTIVATION_LAYERS[type(activation)](graph, activation, name, x)
    function = _FUNCTIONS.get(activation)
    if function is not None:
        return function(graph, name, x)
    if activation in _NODES:
        kind, attributes = _NODES[activation]
        return graph.node(kind, [x], name, **attributes)
    label = getattr(activation, "__name__", type(activation).__name__)
    known = sorted(f.__name__ for f in (*_NODES, *_FUNCTIONS))
    raise ValueError(
        f"Expected an activation that can be written as ONNX, one of {', '.join(known)}. "
        f"{layer.name} has {label}."
    )


def _linear(graph, name, x):
    return x


def _relu6(graph, name, x):
    return _clip(graph, name, x, 6)


def _clip(graph, name, x, largest):
    limits = [graph.constant(f"clip/{float(n)}", np.float32(n)) for n in (0, largest)]
    return graph.node("Clip", [x, *limits], name)


def _silu(graph, name, x):
    gate = graph.node("Sigmoid", [x], f"{name}/sigmoid")
    return graph.node("Mul", [x, gate], name)


def _gelu(graph, name, x):
    """x / 2 (1 + erf(x / sqrt 2)), in an order that onnxruntime makes one node of."""
    numbers = {"root": np.sqrt(2), "one": 1, "half": 0.5}
    root, one, half = (graph.constant(f"gelu/{n}", np.float32(v)) for n, v in numbers.items())
    y = graph.node("Div", [x, root], f"{name}/scaled")
    y = graph.node("Erf", [y], f"{name}/erf")
    y = graph.node("Add", [y, one], f"{name}/sum")
    x = graph.node("Mul", [x, half], f"{name}/half")
    return graph.node("Mul", [x, y], name)


_FUNCTIONS = {
    activations.linear: _linear,
    activations.relu6: _relu6,
    activations.silu: _silu,
    activations.gelu: _gelu,
}


# === Layers ===
def _relu_layer(graph, layer, name, x):
    """Above the threshold x, at most the maximum; below it the slope times x - threshold."""
    slope, threshold, largest = layer.negative_slope, layer.threshold, layer.max_value
    if slope and not threshold and largest is None:
        return graph.node("LeakyRelu", [x], name, alpha=float(slope))
    y = x
    if threshold:
        y = graph.node("ThresholdedRelu", [x], f"{name}/above", alpha=float(threshold))
    elif largest is None:
        return graph.node("Relu", [x], name)
    if largest is not None:
        y = _clip(graph, f"{name}/clipped", y, largest)
    if not slope:
        return y
    threshold = graph.constant(f"{name}/threshold", np.float32(threshold))
    slope = graph.constant(f"{name}/slope", np.float32(slope))
    below = graph.node("Sub", [threshold, x], f"{name}/difference")
    below = graph.node("Relu", [below], f"{name}/below")
    below = graph.node("Mul", [below, slope], f"{name}/sloped")
    return graph.node("Sub", [y, below], name)


def _leaky_relu_layer(graph, layer, name, x):
    return graph.node("LeakyRelu", [x], name, alpha=float(layer.negative_slope))


def _elu_layer(graph, layer, name, x):
    return graph.node("Elu", [x], name, alpha=float(layer.alpha))


def _prelu_layer(graph, layer, name, x):
    slope = np.array(ops.convert_to_numpy(layer.alpha), np.float32)
    slope = slope.transpose(2, 0, 1) if slope.ndim == 3 else slope
    return graph.node("PRelu", [x, graph.constant(f"{name}/slope", slope)], name)


ACTIVATION_LAYERS = {
    layers.Activation: write_activation,
    layers.ReLU: _relu_layer,
    layers.LeakyReLU: _leaky_relu_layer,
    layers.ELU: _elu_layer,
    layers.PReLU: _prelu_layer,
}
