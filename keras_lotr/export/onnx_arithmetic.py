"""Numbers of channels, sums and products of several inputs, and other shapes, as ONNX nodes."""

import keras
import numpy as np

from keras_lotr.export.onnx_convolutions import array, pad


# === Numbers for each channel ===
def _scale_and_shift(graph, name, x, scale=None, offset=None):
    y = x
    for kind, value in (("Mul", scale), ("Add", offset)):
        if value is not None:
            value = _by_channel(graph, f"{name}/{kind}/value", value, x)
            y = graph.node(kind, [y, value], f"{name}/{kind}")
    return y


def _by_channel(graph, name, value, x):
    """A constant: one number, or one for each channel of x."""
    value = array(value)
    if value.size > 1 and value.shape[-1:] != (value.size,) or value.size not in (1, x.shape[-1]):
        raise ValueError(
            f"Expected one number, or one for each of {x.shape[-1]} channels, as {name}. "
            f"Received: shape {value.shape}"
        )
    return graph.constant(name, value.reshape((1, -1, 1, 1) if len(x.shape) == 4 else -1))


def rescaling(graph, layer, name, x):
    offset = layer.offset if np.any(layer.offset) else None
    return _scale_and_shift(graph, name, x, layer.scale, offset)


def normalization(graph, layer, name, x):
    mean, deviation = array(layer.mean), np.sqrt(array(layer.variance))
    deviation = np.maximum(deviation, keras.config.epsilon())
    if layer.invert:
        return _scale_and_shift(graph, name, x, deviation, mean)
    return _scale_and_shift(graph, name, x, 1 / deviation, -mean / deviation)


def layer_scale(graph, layer, name, x):
    return _scale_and_shift(graph, name, x, layer.gamma)


def batch_norm(graph, layer, name, x):
    _refuse_axis(layer, layer.axis, x)
    mean, variance = array(layer.moving_mean), array(layer.moving_variance)
    gamma, beta = _gamma_and_beta(layer, len(mean))
    if len(x.shape) != 4:
        factor = gamma / np.sqrt(variance + np.float32(layer.epsilon))
        return _scale_and_shift(graph, name, x, factor, beta - mean * factor)
    weights = {"gamma": gamma, "beta": beta, "mean": mean, "variance": variance}
    names = [graph.constant(f"{name}/{n}", value) for n, value in weights.items()]
    return graph.node("BatchNormalization", [x, *names], name, epsilon=layer.epsilon)


def layer_norm(graph, layer, name, x):
    """ONNX's takes the last axes, so that of a feature map is turned."""
    for axis in layer.axis if isinstance(layer.axis, list) else [layer.axis]:
        _refuse_axis(layer, axis, x)
    if layer.rms_scaling:
        raise ValueError(f"Expected no rms_scaling in {layer.name}.")
    weights = zip(("gamma", "beta"), _gamma_and_beta(layer, x.shape[-1]), strict=True)
    names = [graph.constant(f"{name}/{n}", value) for n, value in weights]
    settings = {"axis": -1, "epsilon": layer.epsilon}
    y = _channels_last(graph, name, x)
    y = graph.node("LayerNormalization", [y, *names], name, **settings)
    return _channels_first(graph, name, y, len(x.shape))


def _gamma_and_beta(layer, size):
    gamma = np.ones(size, np.float32) if layer.gamma is None else array(layer.gamma)
    beta = np.zeros(size, np.float32) if layer.beta is None else array(layer.beta)
    return gamma, beta


def _refuse_axis(layer, axis, x):
    if axis not in (-1, len(x.shape) - 1):
        raise ValueError(f"Expected the last axis in {layer.name}. Received: axis {axis}")


# === Several inputs ===
def merge(kind):
    def write(graph, layer, name, inputs):
        _refuse_ranks(layer, inputs)
        return graph.node(kind, inputs, name)

    return write


def add(graph, layer, name, inputs):
    _refuse_ranks(layer, inputs)
    return graph.node("Add" if len(inputs) == 2 else "Sum", inputs, name)


def multiply(graph, layer, name, inputs):
    _refuse_ranks(layer, inputs)
    product, *others = inputs
    for i, other in enumerate(others, start=1):
        product = graph.node("Mul", [product, other], f"{name}/{i}")
    return product


def concatenate(graph, layer, name, inputs):
    rank = len(inputs[0].shape)
    axis = layer.axis % rank
    return graph.node("Concat", inputs, name, axis=(0, 2, 3, 1)[axis] if rank == 4 else axis)


def operation(kind):
    """An operation of two tensors, or of a tensor and numbers: `x + 3`."""

    def write(graph, layer, name, *operands):
        tensors = [x for x in operands if isinstance(x, str)]
        _refuse_ranks(layer, tensors)
        names = [
            x if isinstance(x, str) else _by_channel(graph, f"{name}/{i}", x, tensors[0])
            for i, x in enumerate(operands)
        ]
        return graph.node(kind, names, name)

    return write


def _refuse_ranks(layer, tensors):
    shapes = [x.shape for x in tensors]
    if len({len(shape) for shape in shapes}) > 1:
        raise ValueError(
            f"Expected tensors with the same number of axes in {layer.name}. Received: {shapes}"
        )


# === Shapes ===
def reshape(graph, layer, name, x):
    y = _channels_last(graph, name, x)
    rank = len(layer.target_shape) + 1
    y = graph.reshape(y, (0, *layer.target_shape), f"{name}/last" if rank == 4 else name)
    return _channels_first(graph, name, y, rank)


def flatten(graph, layer, name, x):
    return graph.node("Flatten", [_channels_last(graph, name, x)], name, axis=1)


def _channels_last(graph, name, x):
    if len(x.shape) != 4:
        return x
    return graph.node("Transpose", [x], f"{name}/channels_last", perm=[0, 2, 3, 1])


def _channels_first(graph, name, x, rank):
    if rank != 4:
        return x
    return graph.node("Transpose", [x], f"{name}/channels_first", perm=[0, 3, 1, 2])


def pad_operation(graph, layer, name, x, constant_values=None):
    if layer.mode != "constant" or len(x.shape) != 4 or len(layer.pad_width) != 4:
        raise ValueError(f"Expected constants around a feature map in {layer.name}.")
    first = [layer.pad_width[axis] for axis in (0, 3, 1, 2)]
    pads = [before for before, _ in first] + [after for _, after in first]
    return pad(graph, name, x, pads, constant_values or 0)


def same(graph, layer, name, x):
    """What does nothing outside of training."""
    return x
