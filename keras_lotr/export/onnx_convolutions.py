"""Convolutions, poolings and what changes height and width, as ONNX nodes.

Kernels of Keras are (h, w, in, out), those of ONNX (out, in, h, w).
"""

import keras
import numpy as np
from keras import ops

from keras_lotr.export.onnx_activations import write_activation
from keras_lotr.export.onnx_weights import Weight


def array(variable):
    """A weight as float32, whatever it is kept in; with adapters (LoRA) it is a plain array."""
    numbers = np.array(ops.convert_to_numpy(variable), np.float32)
    return Weight.of(numbers, variable) if isinstance(variable, keras.Variable) else numbers


# === Convolutions ===
def convolution(graph, layer, name, x):
    kernel = array(layer.kernel).transpose(3, 2, 0, 1)
    y = _convolve(graph, layer, name, x, kernel, _bias(layer, len(kernel)), layer.groups)
    return write_activation(graph, layer, f"{name}/activation", y)


def depthwise_convolution(graph, layer, name, x):
    kernel = _by_channel(layer.kernel)
    y = _convolve(graph, layer, name, x, kernel, _bias(layer, len(kernel)), x.shape[-1])
    return write_activation(graph, layer, f"{name}/activation", y)


def separable_convolution(graph, layer, name, x):
    depthwise = _by_channel(layer.depthwise_kernel)
    no_bias = np.zeros(len(depthwise), np.float32)
    y = _convolve(graph, layer, f"{name}/depthwise", x, depthwise, no_bias, x.shape[-1])
    kernel = array(layer.pointwise_kernel).transpose(3, 2, 0, 1)
    y = linear_map(graph, name, y, kernel, _bias(layer, len(kernel)))
    return write_activation(graph, layer, f"{name}/activation", y)


def linear_map(graph, name, x, kernel, bias):
    """The same matrix (out, in, 1, 1) at each place."""
    names = _kept(graph, name, kernel, bias)
    return graph.node("Conv", [x, *names], name, group=1, pads=[0] * 4, strides=[1, 1])


def _convolve(graph, layer, name, x, kernel, bias, groups):
    dilations = {} if set(layer.dilation_rate) == {1} else {"dilations": list(layer.dilation_rate)}
    return graph.node(
        "Conv", [x, *_kept(graph, name, kernel, bias)], name,
        group=groups, pads=_pads(layer, x.shape, layer.kernel_size, layer.dilation_rate),
        strides=list(layer.strides), **dilations,
    )  # fmt: skip


def deconvolution(graph, layer, name, x):
    """Keras leaves stride times the size ("same"), or all that the kernel reaches ("valid")."""
    if layer.output_padding is not None or set(layer.dilation_rate) != {1}:
        raise ValueError(f"Expected no output padding and no dilation in {layer.name}.")
    kernel = array(layer.kernel).transpose(3, 2, 0, 1)
    excess = [k - s for k, s in zip(layer.kernel_size, layer.strides, strict=True)]
    cut = [max(n, 0) if layer.padding == "same" else 0 for n in excess]
    before = [n // 2 for n in cut]
    after = [n - b for n, b in zip(cut, before, strict=True)]
    missing = [max(-n, 0) for n in excess]
    y = graph.node(
        "ConvTranspose", [x, *_kept(graph, name, kernel, _bias(layer, kernel.shape[1]))], name,
        pads=before + after, strides=list(layer.strides),
        **({"output_padding": missing} if any(missing) else {}),
    )  # fmt: skip
    return write_activation(graph, layer, f"{name}/activation", y)


def dense(graph, layer, name, x):
    kernel = array(layer.kernel)
    bias = _bias(layer, kernel.shape[1])
    if len(x.shape) == 4:
        y = linear_map(graph, name, x, kernel.T[:, :, None, None], bias)
    else:
        names = _kept(graph, name, kernel, bias)
        y = graph.node("MatMul", [x, names[0]], f"{name}/product")
        y = graph.node("Add", [y, names[1]], name)
    return write_activation(graph, layer, f"{name}/activation", y)


def _kept(graph, name, kernel, bias):
    return [graph.constant(f"{name}/kernel", kernel), graph.constant(f"{name}/bias", bias)]


def _bias(layer, size):
    return array(layer.bias) if layer.use_bias else np.zeros(size, np.float32)


def _by_channel(kernel):
    """(h, w, C, multiplier) -> (C multiplier, 1, h, w)."""
    kernel = array(kernel).transpose(2, 3, 0, 1)
    return kernel.reshape(-1, 1, *kernel.shape[2:])


def _pads(layer, shape, window, dilation=(1, 1)):
    """Top, left, bottom, right: what TensorFlow's SAME adds; the odd pixel at the end."""
    if layer.padding == "valid":
        return [0] * 4
    before, after = [], []
    for size, length, step, stride in zip(shape[1:3], window, dilation, layer.strides, strict=True):
        if size is None and stride > 1:
            raise ValueError(f"Expected an input of known size for same padding in {layer.name}.")
        reach = (length - 1) * step + 1
        missing = max(reach - (1 if stride == 1 else (size - 1) % stride + 1), 0)
        before.append(missing // 2)
        after.append(missing - before[-1])
    return before + after


# === Poolings ===
def max_pooling(graph, layer, name, x):
    return _pool(graph, "MaxPool", layer, name, x)


def average_pooling(graph, layer, name, x):
    return _pool(graph, "AveragePool", layer, name, x)


def _pool(graph, kind, layer, name, x):
    return graph.node(
        kind, [x], name,
        kernel_shape=list(layer.pool_size), strides=list(layer.strides),
        pads=_pads(layer, x.shape, layer.pool_size),
    )  # fmt: skip


def global_average_pooling(graph, layer, name, x):
    return _pool_all(graph, "GlobalAveragePool", layer, name, x)


def global_max_pooling(graph, layer, name, x):
    return _pool_all(graph, "GlobalMaxPool", layer, name, x)


def _pool_all(graph, kind, layer, name, x):
    y = graph.node(kind, [x], name)
    return y if layer.keepdims else graph.node("Flatten", [y], f"{name}/flat", axis=1)


# === Height and width ===
def zero_padding(graph, layer, name, x):
    (top, bottom), (left, right) = layer.padding
    return pad(graph, name, x, [0, 0, top, left, 0, 0, bottom, right], 0)


def pad(graph, name, x, pads, value):
    """Pads are those of the beginnings of all axes, then those of the ends."""
    pads = graph.constant(f"{name}/pads", np.array(pads, np.int64))
    value = graph.constant(f"{name}/value", np.float32(value))
    return graph.node("Pad", [x, pads, value], name)


def cropping(graph, layer, name, x):
    (top, bottom), (left, right) = layer.cropping
    ends = [-n if n else np.iinfo(np.int64).max for n in (bottom, right)]
    values = {"starts": [top, left], "ends": ends, "axes": [2, 3]}
    names = [graph.constant(f"{name}/{n}", np.array(v, np.int64)) for n, v in values.items()]
    return graph.node("Slice", [x, *names], name)


def upsampling(graph, layer, name, x):
    scales = graph.constant(f"{name}/scales", np.array([1, 1, *layer.size], np.float32))
    if layer.interpolation == "nearest":
        how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    elif layer.interpolation == "bilinear":
        how = {"coordinate_transformation_mode": "half_pixel"}
    else:
        raise ValueError(
            f"Expected the interpolation nearest or bilinear in {layer.name}. "
            f"Received: {layer.interpolation}"
        )
    mode = "nearest" if layer.interpolation == "nearest" else "linear"
    return graph.node("Resize", [x, "", scales], name, mode=mode, **how)
