"""Convolutions take over batch norms, paddings and scales, where that gives the same numbers."""

import pytest
from keras import layers, ops
from written_onnx import assert_same, conv, network

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def two_scales(x):
    return conv()(layers.Rescaling(3.0)(layers.Rescaling(0.5)(x)))


def two_scales_with_offset(x):
    return conv()(layers.Rescaling(3.0, offset=1.0)(layers.Rescaling(0.5)(x)))


def padded_then_scaled(x):
    return conv()(layers.Rescaling(3.0)(layers.ZeroPadding2D(1)(x)))


def scale_of_conv_and_add(x):
    x = layers.Rescaling(3.0)(x)
    return layers.Add()([conv(3, padding="same")(x), x])


def scale_of_two_convs(x):
    x = layers.Rescaling(3.0)(x)
    return layers.Add()([conv(padding="same")(x), conv(size=1)(x)])


def scale_before_deconvolution(x):
    return layers.Conv2DTranspose(4, 4, strides=2, padding="same")(layers.Rescaling(3.0)(x))


def padding_of_conv_and_relu(x):
    x = layers.ZeroPadding2D(1)(x)
    return layers.Add()([conv(3, padding="same")(x), layers.Activation("relu")(x)])


def padded(pad, then):
    return lambda x: then(layers.ZeroPadding2D(pad)(x))


def normed(layer):
    return lambda x: layers.Activation("tanh")(layers.BatchNormalization()(layer(x)))


CONV = {"Conv"}
FOLDED = {
    "two scales": (two_scales, CONV),
    "scale of two convolutions": (scale_of_two_convs, {"Conv", "Add"}),
    "padding, scale": (padded_then_scaled, CONV),
    "scale, deconvolution": (scale_before_deconvolution, {"ConvTranspose"}),
    "two paddings": (padded(1, padded((2, 1), conv())), CONV),
    "padding of one side": (padded(((0, 1), (0, 1)), conv(strides=2)), CONV),
    "padding of two sizes": (padded((2, 1), conv()), CONV),
    "padding, same convolution": (padded(((0, 1), (2, 3)), conv(padding="same")), CONV),
    "padding, depthwise": (padded(1, layers.DepthwiseConv2D(3, strides=2)), CONV),
    "relu, padding, maximum": (
        lambda x: padded(1, layers.MaxPooling2D(3, 2))(layers.ReLU()(x)),
        {"Relu", "MaxPool"},
    ),
    "minus infinity, maximum": (
        lambda x: layers.MaxPooling2D(3, 2)(
            ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=float("-inf"))
        ),
        {"MaxPool"},
    ),
    "batch norm": (normed(conv()), {"Conv", "Tanh"}),
    "two batch norms": (
        lambda x: normed(layers.BatchNormalization())(conv()(x)),
        {"Conv", "Tanh"},
    ),
    "deconvolution, batch norm": (
        normed(layers.Conv2DTranspose(4, 3)),
        {"ConvTranspose", "Tanh"},
    ),
}


@pytest.mark.parametrize(("build", "kinds"), FOLDED.values(), ids=FOLDED.keys())
def test_convolutions_take_over(build, kinds):
    assert set(assert_same(network(build))) == kinds


KEPT = {
    "scale, offset": (two_scales_with_offset, {"Mul", "Add"}),
    "scale of a convolution and a sum": (scale_of_conv_and_add, {"Mul"}),
    "scale at the end": (layers.Rescaling(3.0), {"Mul"}),
    "padding of a convolution and a relu": (padding_of_conv_and_relu, {"Pad"}),
    "padding, relu": (padded(1, layers.ReLU()), {"Pad"}),
    "padding, batch norm": (padded(1, layers.BatchNormalization()), {"Pad", "BatchNormalization"}),
    "padding, upsampling": (padded(1, layers.UpSampling2D()), {"Pad"}),
    "padding at the end": (layers.ZeroPadding2D((2, 1)), {"Pad"}),
    "padding, maximum of negative numbers": (padded(1, layers.MaxPooling2D(3, 2)), {"Pad"}),
    "padding, wider than the window": (
        lambda x: padded(3, layers.MaxPooling2D(2))(layers.ReLU()(x)),
        {"Pad"},
    ),
    "padding, average": (padded(1, layers.AveragePooling2D(3, 2)), {"Pad"}),
    "padding, deconvolution": (padded(1, layers.Conv2DTranspose(4, 3)), {"Pad"}),
    "batch norm first": (lambda x: conv()(layers.BatchNormalization()(x)), {"BatchNormalization"}),
    "batch norm of a sum": (
        lambda x: layers.BatchNormalization()(layers.Add()([x, x])),
        {"BatchNormalization"},
    ),
    "batch norm and its convolution are read": (
        lambda x: layers.Add()([y := conv(3)(x), layers.BatchNormalization()(y)]),
        {"BatchNormalization"},
    ),
    "batch norm after an activation": (
        lambda x: layers.BatchNormalization()(conv(activation="relu")(x)),
        {"BatchNormalization"},
    ),
}


@pytest.mark.parametrize(("build", "kinds"), KEPT.values(), ids=KEPT.keys())
def test_nodes_that_have_to_stay(build, kinds, request):
    version = tuple(map(int, onnxruntime.__version__.split(".")[:2]))
    if "wider than the window" in request.node.name and version < (1, 32):
        pytest.skip("onnxruntime before 1.32 moves such a padding into the pooling and refuses it")
    assert kinds <= set(assert_same(network(build)))
