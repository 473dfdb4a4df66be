"""Layers of Keras, written as ONNX, compute the same; those that cannot be written are named."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from written_onnx import SIZE, assert_same, conv, network, shake, written

from keras_lotr.backbones.blocks import conv_bn
from keras_lotr.backbones.mobilenet_v2 import MobileNetV2
from keras_lotr.export.onnx_graph import OnnxGraph
from keras_lotr.export.onnx_layers import write_model

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


# === Layer by layer ===
def called_twice(x):
    layer = conv(3, padding="same")
    return layers.BatchNormalization()(layer(layers.BatchNormalization()(layer(x))))


def nested(x):
    inner = keras.Input((None, None, 3))
    y = layers.BatchNormalization(name="bn")(conv(4, padding="same", strides=2, name="conv")(inner))
    model = keras.Model(inner, y, name="inside")
    return layers.Add()([model(x, training=False), model(layers.Rescaling(2.0)(x))])


def nested_with_two_outputs(x):
    inner = keras.Input((SIZE, SIZE, 3))
    one, other = keras.Model(inner, [conv()(inner), conv(activation="tanh")(inner)])(x)
    return layers.Multiply()([one, other])


def sequential(x):
    inside = keras.Sequential([conv(5, name="conv"), keras.Sequential([conv(2, name="conv")])])
    return layers.Concatenate()([inside(x), conv(5, 5)(x)])


def squeeze_and_excite(x):
    y = layers.GlobalAveragePooling2D()(x)
    y = layers.Reshape((1, 1, 3))(y)
    y = layers.Conv2D(3, 1, activation="sigmoid")(y)
    return layers.multiply([x, y])


LAYERS = {
    "dilation": conv(dilation_rate=(2, 3)),
    "dilation, same": conv(dilation_rate=2, padding="same"),
    "groups": conv(6, groups=3),
    "same, stride": conv(padding="same", strides=2, activation="relu"),
    "even kernel": conv(size=(2, 4), padding="same"),
    "activation inside": conv(activation="tanh"),
    "activation inside is a layer": conv(activation=layers.LeakyReLU(0.3)),
    "depth multiplier": layers.DepthwiseConv2D(3, depth_multiplier=2, activation="relu6"),
    "depthwise, dilation": layers.DepthwiseConv2D(3, dilation_rate=2, padding="same"),
    "separable": layers.SeparableConv2D(
        4, 3, strides=2, padding="same", depth_multiplier=2, activation="relu"
    ),
    "dense": layers.Dense(5, activation="relu"),
    "dense of a row": lambda x: layers.Dense(5, use_bias=False)(layers.Reshape((-1, 3))(x)),
    "dense of a vector": lambda x: layers.Dense(5)(layers.Flatten()(x)),
    "maximum": layers.MaxPooling2D(2),
    "maximum, same": layers.MaxPooling2D(3, 2, padding="same"),
    "average": layers.AveragePooling2D((2, 3), 2),
    "average, same": layers.AveragePooling2D(3, 1, padding="same"),
    "average of all": layers.GlobalAveragePooling2D(),
    "average of all, map": layers.GlobalAveragePooling2D(keepdims=True),
    "maximum of all": layers.GlobalMaxPooling2D(),
    "cropping": layers.Cropping2D(((0, 1), (2, 3))),
    "enlarged": layers.UpSampling2D((2, 3)),
    "enlarged smoothly": layers.UpSampling2D((2, 3), interpolation="bilinear"),
    "scale of each channel": layers.Rescaling([0.5, 2.0, 3.0], offset=[1.0, 0.0, -1.0]),
    "normalization": layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[0.5, 1.0, 2.0]),
    "normalization back": layers.Normalization(mean=0.1, variance=0.5, invert=True),
    "batch norm without gamma": lambda x: layers.BatchNormalization(scale=False)(conv()(x)),
    "batch norm without beta": layers.BatchNormalization(center=False),
    "batch norm of a row": lambda x: layers.BatchNormalization()(layers.Reshape((-1, 3))(x)),
    "layer norm": layers.LayerNormalization(epsilon=1e-4),
    "layer norm of a row": lambda x: layers.LayerNormalization(center=False, scale=False)(
        layers.Reshape((-1, 3))(x)
    ),
    "broadcast sum": lambda x: layers.Add()([x, layers.GlobalAveragePooling2D(keepdims=True)(x)]),
    "sum of three": lambda x: layers.Add()([x, x, layers.ReLU()(x)]),
    "difference": lambda x: layers.Subtract()([layers.ReLU()(x), x]),
    "product of three": lambda x: layers.Multiply()([x, x, layers.ReLU()(x)]),
    "mean": lambda x: layers.Average()([x, layers.ReLU()(x)]),
    "larger, smaller": lambda x: layers.Maximum()([x, layers.Minimum()([x, conv(3, 1)(x)])]),
    "side by side": lambda x: layers.Concatenate()([x, conv(5, 1)(x)]),
    "below each other": lambda x: layers.Concatenate(axis=1)([x, layers.ReLU()(x)]),
    "reshape to a row": layers.Reshape((-1, 3)),
    "reshape to a map": lambda x: conv()(layers.Reshape((SIZE // 2, SIZE * 2, 3))(x)),
    "numbers": lambda x: 1.0 - (x + 3.0) * 2.0 / 5.0,
    "numbers of channels": lambda x: x * np.array([1.0, 2.0, 3.0], np.float32),
    "nothing": lambda x: layers.Dropout(0.5)(
        layers.SpatialDropout2D(0.5)(layers.GaussianNoise(1.0)(layers.Identity()(conv()(x))))
    ),
    "called twice": called_twice,
    "nested, called twice": nested,
    "nested, two outputs": nested_with_two_outputs,
    "sequential": sequential,
    "squeeze and excite": squeeze_and_excite,
}


@pytest.mark.parametrize("build", LAYERS.values(), ids=LAYERS.keys())
def test_same_numbers(build):
    assert_same(network(build))


def test_average_of_uneven_padding(backend):
    if backend == "torch":
        pytest.skip("Keras on PyTorch repeats the edge there, and averages it, too")
    assert_same(network(layers.AveragePooling2D(5, 2, padding="same")))


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("kernel", "stride"), [(4, 2), (3, 2), (5, 3), (2, 3), (1, 2), (4, 1)])
def test_deconvolution(kernel, stride, padding):
    layer = layers.Conv2DTranspose(5, kernel, stride, padding, activation="relu")
    assert_same(network(layer, size=6))


# === A map of any size, as the face detector's ===
def test_a_backbone_alone_and_as_a_layer():
    backbone = shake(MobileNetV2(image_size=32))
    assert_same(backbone)
    images = keras.Input((32, 32, 3))
    assert_same(keras.Model(images, layers.Flatten()(backbone(images))))


def test_any_size():
    images = keras.Input((None, None, 3), name="images")
    x = layers.Rescaling(1 / 64)(images)
    x = conv_bn(x, 8, 3, stride=2, conv="stem", bn="stem_bn", activation="relu")
    fine = conv_bn(x, None, 3, conv="depthwise", bn="depthwise_bn", activation="relu6")
    coarse = conv_bn(fine, 8, 3, stride=2, conv="down", bn="down_bn")
    x = layers.Add()([fine, layers.UpSampling2D()(coarse)])
    model = shake(keras.Model(images, layers.Reshape((-1, 5))(layers.Conv2D(5, 1)(x))))
    graph = OnnxGraph()
    (cells,) = write_model(graph, model, ["images"])
    content = graph.to_bytes({"images": ["batch", 3, "h", "w"]}, {cells: ["batch", "cells", 5]})
    kinds = [node.kind for node in graph.nodes]
    assert kinds.count("Conv") == 4
    assert set(kinds) == {"Conv", "Relu", "Clip", "Resize", "Add", "Transpose", "Reshape"}
    session = onnxruntime.InferenceSession(content)
    for shape in [(1, 32, 48, 3), (2, 16, 16, 3)]:
        images = np.random.default_rng(1).uniform(0, 255, shape).astype(np.float32)
        expected = ops.convert_to_numpy(model(images, training=False))
        (found,) = session.run(None, {"images": np.ascontiguousarray(images.transpose(0, 3, 1, 2))})
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


# === What cannot be written is named ===
class OtherConv(layers.Conv2D):
    def call(self, x):
        return 2 * super().call(x)


class OtherActivation(layers.Activation):
    def call(self, x):
        return -super().call(x)


class OtherRescaling(layers.Rescaling):
    def call(self, x):
        return super().call(x) + 1


class OtherModel(keras.Model):
    def call(self, x, training=None, mask=None):
        return 2 * super().call(x, training=training, mask=mask)


def other_model(x):
    inner = keras.Input((SIZE, SIZE, 3))
    return OtherModel(inner, conv()(inner), name="named")(x)


def relu(x):
    """Not Keras' function of that name."""
    return x * 2


class TestRefusals:
    @pytest.mark.parametrize(
        ("build", "sentence"),
        [
            (OtherConv(2, 3, name="named"), "named is an OtherConv"),
            (OtherActivation("relu", name="named"), "named is an OtherActivation"),
            (OtherRescaling(2.0, name="named"), "named is an OtherRescaling"),
            (other_model, "named is an OtherModel"),
            (layers.GroupNormalization(3, name="named"), "named is a GroupNormalization"),
            (lambda x: ops.cumsum(x, axis=1), "is a Cumsum.*KERAS_BACKEND=tensorflow"),
            (layers.Activation("softmax", name="named"), "gelu.*named has softmax"),
            (layers.Activation(relu, name="named"), "named has relu"),
            (
                layers.UpSampling2D(2, interpolation="bicubic", name="named"),
                "nearest or bilinear in named. Received: bicubic",
            ),
            (layers.BatchNormalization(axis=1, name="named"), "the last axis in named"),
            (layers.LayerNormalization(axis=[1, 2, 3], name="named"), "the last axis in named"),
            (layers.Normalization(axis=1, name="named"), "one for each of 3 channels, as named"),
            (
                lambda x: layers.Add(name="named")([x, layers.GlobalAveragePooling2D()(x)]),
                "the same number of axes in named",
            ),
            (
                layers.Conv2DTranspose(2, 3, strides=2, output_padding=1, name="named"),
                "no output padding and no dilation in named",
            ),
        ],
    )
    def test_in_a_sentence(self, build, sentence):
        with pytest.raises(ValueError, match=sentence):
            written(network(build))

    def test_size_that_same_padding_needs(self):
        images = keras.Input((None, None, 3), name="images")
        model = keras.Model(images, conv(strides=2, padding="same", name="named")(images))
        with pytest.raises(ValueError, match="known size for same padding in named"):
            written(model)

    def test_channels_first(self):
        images = keras.Input((3, 8, 8), name="images")
        layer = layers.ZeroPadding2D(1, data_format="channels_first", name="named")
        with pytest.raises(ValueError, match="channels last. named has them first"):
            written(keras.Model(images, layer(images)))

    def test_quantized(self):
        model = network(lambda x: layers.Dense(4, name="named")(layers.Flatten()(x)))
        model.get_layer("named").quantize("int8")
        with pytest.raises(ValueError, match="named is int8: export the model before `quantize`"):
            written(model)

    def test_model_that_is_no_graph(self):
        with pytest.raises(ValueError, match="Expected a functional model. net is a Net"):

            class Net(keras.Model):
                pass

            write_model(OnnxGraph(), Net(name="net"), ["images"])
