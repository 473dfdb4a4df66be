"""Convolutions computed with what follows them give what Keras' layers give one by one."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_lotr.backbones.blocks import conv_bn, zero_padding
from keras_lotr.backbones.efficientnet_lite import EfficientNetLite
from keras_lotr.backbones.hrnet import HRNet
from keras_lotr.backbones.mobilenet_v2 import MobileNetV2
from keras_lotr.backbones.resnet import ResNet50
from keras_lotr.fused import jax_layers
from keras_lotr.fused.graph import FusedGraph, FusedModel
from keras_lotr.layers.transformer import DecoderLayer

BACKEND = keras.backend.backend()
LAST = {"data_format": "channels_last"}


def plain(x):
    return layers.Conv2D(6, 3, padding="same", name="conv", **LAST)(x)


def with_bias_and_activation(x):
    x = layers.Conv2D(6, 3, strides=2, activation="relu", name="conv", **LAST)(x)
    return layers.BatchNormalization(axis=-1, name="bn")(x)


def biased_before_norm(x):
    x = layers.Conv2D(6, 1, use_bias=True, bias_initializer="ones", name="conv", **LAST)(x)
    x = layers.BatchNormalization(axis=-1, name="bn")(x)
    return layers.Activation("relu6", name="relu6")(x)


def block(x):
    x = conv_bn(x, 8, 3, stride=2, conv="stem", bn="bn1", activation="relu6")
    y = conv_bn(x, 16, 1, conv="wide", bn="bn2", activation="relu6")
    y = conv_bn(y, None, 3, conv="depthwise", bn="bn3", activation="relu")
    y = conv_bn(y, 8, 1, conv="narrow", bn="bn4")
    return layers.Add(name="add")([x, y])


def depthwise_stride_2(x):
    return conv_bn(x, None, 3, stride=2, conv="depthwise", bn="bn1")


def dilated(x):
    return layers.Conv2D(4, 3, dilation_rate=2, padding="same", name="conv", **LAST)(x)


def asymmetric(x):
    x = layers.ZeroPadding2D(((0, 1), (0, 1)), name="pad", **LAST)(x)
    return layers.Conv2D(4, 3, strides=2, name="conv", **LAST)(x)


def same_with_stride_2(x):
    return layers.Conv2D(4, 3, strides=2, padding="same", name="conv", **LAST)(x)


def padded_twice(x):
    return layers.Conv2D(4, 3, padding="same", name="conv", **LAST)(zero_padding(x, 2, "pad"))


def padding_alone(x):
    return layers.Activation("relu", name="relu")(zero_padding(x, 1, "pad"))


def used_twice(x):
    conv = layers.Conv2D(3, 3, padding="same", name="conv", **LAST)
    return conv(conv(x))


def always_frozen(x):
    x = layers.Conv2D(4, 3, padding="same", name="conv", **LAST)(x)
    return layers.BatchNormalization(axis=-1, name="bn")(x, training=False)


def grouped(x):
    x = layers.Conv2D(4, 1, name="conv1", **LAST)(x)
    x = layers.Conv2D(4, 3, groups=2, name="conv2", **LAST)(x)
    return layers.DepthwiseConv2D(3, depth_multiplier=2, name="conv3", **LAST)(x)


NETWORKS = [
    plain, with_bias_and_activation, biased_before_norm, block, depthwise_stride_2, dilated,
    asymmetric, same_with_stride_2, padded_twice, padding_alone, used_twice, always_frozen, grouped,
]  # fmt: skip


def two_models(network, rng):
    """The same network in Keras' model and in ours, with weights that are not at their start."""
    models = []
    for kind in (keras.Model, FusedModel):
        images = keras.Input((12, 10, 3), name="images")
        models.append(kind(images, network(images)))
    for one, other in zip(models[0].weights, models[1].weights, strict=True):
        value = rng.normal(size=one.shape) * 0.3
        value = np.abs(value) + 0.5 if "variance" in one.path else value
        one.assign(value)
        other.assign(value)
    return models


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def images(rng):
    return rng.normal(size=(2, 12, 10, 3)).astype("float32")


def close(found, expected):
    found, expected = (ops.convert_to_numpy(x) for x in (found, expected))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("network", NETWORKS, ids=lambda f: f.__name__)
def test_prediction(network, images, rng):
    ours, theirs = reversed(two_models(network, rng))
    close(ours(images), theirs(images))


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("network", [block, biased_before_norm], ids=lambda f: f.__name__)
def test_training_moves_weights_and_statistics_alike(network, frozen, images, rng):
    models = two_models(network, rng)
    target = rng.normal(size=models[0](images).shape).astype("float32")
    before = [weight.numpy() for weight in models[0].weights]
    for model in models:
        for layer in model.layers:
            if frozen and isinstance(layer, layers.BatchNormalization):
                layer.trainable = False
        model.compile(keras.optimizers.SGD(0.05), "mse", jit_compile=False)
        for _ in range(2):
            model.train_on_batch(images, target)
    moved = 0
    for one, other, start in zip(models[0].weights, models[1].weights, before, strict=True):
        close(other, one)
        moved += not np.allclose(one.numpy(), start)
    assert moved >= (1 if frozen else 5)


def test_dropout_is_on_in_training_only(images, rng):
    _, ours = two_models(lambda x: layers.Dropout(0.5, name="dropout")(plain(x)), rng)
    trainable, others = ([v.value for v in group] for group in (
        ours.trainable_variables, ours.non_trainable_variables
    ))  # fmt: skip
    of_training, _ = ours.stateless_call(trainable, others, images, training=True)
    assert (ops.convert_to_numpy(of_training) == 0).mean() > 0.3
    assert (ops.convert_to_numpy(ours(images, training=True)) == 0).mean() > 0.3
    assert (ops.convert_to_numpy(ours(images)) == 0).mean() < 0.1


def test_what_a_model_returns_from_the_middle_is_computed(images, rng):
    def with_features(x):
        features = layers.Conv2D(4, 3, padding="same", name="conv", **LAST)(x)
        normed = layers.BatchNormalization(axis=-1, name="bn")(features)
        return {"features": features, "points": layers.Activation("relu", name="relu")(normed)}

    theirs, ours = two_models(with_features, rng)
    for key, found in ours(images).items():
        close(found, theirs(images)[key])


def test_other_precisions_are_keras_own(images, rng):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        theirs, ours = two_models(block, rng)
    finally:
        keras.config.set_dtype_policy("float32")
    found, expected = ours(images), theirs(images)
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
    close(ops.cast(found, "float32"), ops.cast(expected, "float32"))


def test_uint8_and_a_wrong_shape_are_as_for_keras(images, rng):
    theirs, ours = two_models(plain, rng)
    bytes_ = rng.integers(0, 255, (1, 12, 10, 3)).astype("uint8")
    close(ours(bytes_), theirs(bytes_))
    with pytest.raises(ValueError, match="shape"):
        ours(np.zeros((2, 12, 10, 4), "float32"))


def test_part_of_another_model(images, rng):
    theirs, ours = two_models(block, rng)
    outer = keras.Input((12, 10, 3))
    close(keras.Model(outer, ours(outer))(images), theirs(images))
    inner = keras.Model(ours.input, ours.get_layer("wide").output)
    close(inner(images), keras.Model(theirs.input, theirs.get_layer("wide").output)(images))


def test_several_inputs_are_fused_as_well(monkeypatch, images, rng):
    models, calls = [], []
    for kind in (keras.Model, FusedModel):
        one, other = keras.Input((12, 10, 3)), keras.Input((12, 10, 6))
        models.append(kind([one, other], layers.Add(name="sum")([plain(one), other])))
    theirs, ours = models
    ours.set_weights(theirs.get_weights())
    inputs = [images, rng.normal(size=(2, 12, 10, 6)).astype("float32")]
    inputs = [ops.convert_to_tensor(x) for x in inputs]  # Keras passes masks of tensors only
    graph = ours._graph
    monkeypatch.setattr(ours, "_graph", lambda *args: calls.append(1) or graph(*args))
    close(ours(inputs), theirs(inputs))
    assert calls


@pytest.mark.skipif(BACKEND != "torch", reason="hooks are PyTorch's")
def test_a_hook_sees_its_layer(images, rng):
    theirs, ours = two_models(block, rng)
    seen = []
    ours.get_layer("wide").register_forward_hook(lambda *call: seen.append(call[2].shape))
    close(ours(images), theirs(images))
    assert [tuple(shape) for shape in seen] == [(2, 6, 5, 16)]


@pytest.mark.skipif(BACKEND != "torch", reason="hooks are PyTorch's")
def test_hooks_of_derivatives_and_of_all_modules_are_called(images, rng):
    from torch.nn.modules.module import register_module_forward_hook

    theirs, ours = two_models(block, rng)
    seen = []
    ours.get_layer("wide").register_full_backward_pre_hook(lambda layer, _: seen.append(layer.name))
    ours(images).sum().backward()
    assert seen == ["wide"]
    called = [[], []]
    for model, names in zip((theirs, ours), called, strict=True):
        handle = register_module_forward_hook(lambda layer, *_: names.append(layer.name))  # noqa: B023
        model(images)
        handle.remove()
    assert {"wide", "bn2", "depthwise"} <= set(called[1])
    assert set(called[0]) - {theirs.name} <= set(called[1])


def many(images):
    """So many pixels that a 1x1 convolution is no matrix product."""
    return np.repeat(images, 16, axis=0)


@pytest.mark.skipif(BACKEND != "torch", reason="compiles and exports PyTorch's programs")
def test_pytorch_compiles_and_exports_what_is_fused(images, rng):
    import torch

    theirs, ours = two_models(block, rng)
    crops = torch.as_tensor(many(images))
    with torch.no_grad():
        close(torch.compile(ours, backend="eager")(crops), theirs(crops))
        close(torch.export.export(ours, (crops,)).module()(crops), theirs(crops))


@pytest.mark.skipif(BACKEND != "torch", reason="autocast is PyTorch's")
def test_16_bits_of_autocast(rng):
    import torch

    keras.utils.set_random_seed(0)  # 16 bits through random weights are exact enough by luck only
    model, crops = MobileNetV2(image_size=64), 255 * rng.random((1, 64, 64, 3), np.float32)
    with torch.no_grad():
        expected = model(crops).numpy()
        with torch.autocast("cpu", torch.bfloat16):
            found = model(crops).float().numpy()
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.99


@pytest.mark.once
@pytest.mark.parametrize(
    ("network", "convolutions"),
    [(MobileNetV2, 52), (EfficientNetLite, 64), (ResNet50, 53), (HRNet, 325)],
)
def test_every_convolution_of_the_backbones_is_fused(network, convolutions):
    model = network(image_size=64)
    steps = FusedGraph(model).steps
    fused = [step.convolution for step in steps if step.convolution]
    assert len(fused) == convolutions
    assert all(convolution.bn for convolution in fused)
    kinds = {type(step.layer).__name__ for step in steps if not step.convolution}
    assert not kinds & {"BatchNormalization", "DepthwiseConv2D", "Conv2D"}


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("side", [1, 3, 5])
def test_depthwise_as_shifted_products(side, stride, rng):
    x = rng.normal(size=(2, 11, 8, 5)).astype("float32")
    kernel = rng.normal(size=(side, side, 5, 1)).astype("float32")
    expected = ops.depthwise_conv(x, kernel, stride, "valid", "channels_last")
    close(jax_layers.depthwise(x, kernel[..., 0], stride), expected)


@pytest.mark.skipif(BACKEND != "jax", reason="other backends have derivatives of their own")
@pytest.mark.parametrize("images", [1, 3, 34])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("side", [1, 3, 5])
def test_derivatives_of_shifted_products(side, stride, images, rng):
    import jax

    x = rng.normal(size=(images, 11, 8, 5)).astype("float32")
    kernel = rng.normal(size=(side, side, 5)).astype("float32")

    def expected(x, kernel):
        return ops.depthwise_conv(x, kernel[..., None], stride, "valid", "channels_last")

    outputs, of_expected = jax.vjp(expected, x, kernel)
    _, of_found = jax.vjp(lambda x, kernel: jax_layers.depthwise(x, kernel, stride), x, kernel)
    g = rng.normal(size=outputs.shape).astype("float32")
    for found, wanted in zip(jax.jit(of_found)(g), of_expected(g), strict=True):
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, atol=2e-4)


@pytest.mark.skipif(BACKEND != "torch", reason="on other backends it is Keras' layer")
@pytest.mark.parametrize("masked", [False, True])
def test_attention_norm_and_dense_are_those_of_keras_layers(masked, rng):
    layer = DecoderLayer(16, 4, 32)
    landmarks, memory = (rng.normal(size=(2, n, 16)).astype("float32") for n in (5, 9))
    layer.build(landmarks.shape, landmarks.shape, memory.shape, memory.shape)
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape) * 0.3)
    mask = np.broadcast_to(rng.random((5, 5)) < 0.7, (2, 5, 5)) | np.eye(5, dtype=bool)
    settings = {"attention_mask": ops.convert_to_tensor(mask)} if masked else {}
    queries, positions = landmarks[:, ::-1].copy(), memory[:, ::-1].copy()
    tensors = list(map(ops.convert_to_tensor, (landmarks, queries, memory, positions)))
    found = layer(*tensors, **settings)
    called = []
    for part in layer._flatten_layers(include_self=False):  # a hook keeps Keras' own way
        part.register_forward_hook(lambda *call: called.append(call[0].name))
    close(found, layer(*tensors, **settings))
    assert {"self_attention", "cross_attention", "ffn1", "ffn2", "ffn_norm"} <= set(called)
