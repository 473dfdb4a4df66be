"""A LOTR of any backbone as ONNX gives the model's points, and its features."""

import keras
import numpy as np
import pytest
from keras import layers
from keras.src.applications.convnext import ConvNeXt
from keras.src.applications.efficientnet import EfficientNet
from keras.src.applications.mobilenet_v3 import MobileNetV3, _inverted_res_block, relu
from keras.src.applications.resnet import ResNet, stack_residual_blocks_v2
from tiny import SHALLOW, randomize, tiny_lotr

from keras_lotr.export import onnx_fold
from keras_lotr.export.check import ExportDiffers
from keras_lotr.export.onnx import onnx_content

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

SIZE = 64


def shaken(backbone):
    """Batch norms with statistics that a slip would not leave alone."""
    rng = np.random.default_rng(0)
    for variable in backbone.variables:
        if "moving" in variable.path or variable.path.endswith("beta"):
            variable.assign(variable + rng.uniform(0, 0.3, variable.shape))
    return backbone


# === Other backbones; their layers are known one by one, in test_onnx_layers.py ===
def application(name, **settings):
    settings = {"include_top": False, "weights": None, **settings}
    return getattr(keras.applications, name)(input_shape=(SIZE, SIZE, 3), **settings)


def two_blocks(x, kernel, activation, se_ratio):
    x = _inverted_res_block(x, 1, 8, 3, 2, se_ratio, relu, 0)
    return _inverted_res_block(x, 2, 8, kernel, 1, se_ratio, activation, 1)


def two_stacks(x):
    return stack_residual_blocks_v2(stack_residual_blocks_v2(x, 8, 2, name="a"), 8, 2, name="b")


# Small ones of the kinds that keras.applications has.
SMALL = {"include_top": False, "weights": None, "input_shape": (SIZE, SIZE, 3)}
TINY = {
    "MobileNetV3": lambda: MobileNetV3(two_blocks, 16, name="mobilenet", **SMALL),
    "EfficientNet": lambda: EfficientNet(0.1, 0.1, SIZE, name="efficientnet", **SMALL),
    "ConvNeXt": lambda: ConvNeXt([1, 1, 1, 1], [8, 8, 12, 16], 0.1, name="convnext", **SMALL),
    "ResNetV2": lambda: ResNet(two_stacks, True, True, name="resnet", weights_name="no", **SMALL),
}
LARGE = {
    name: lambda name=name: application(name)
    for name in (
        *("MobileNet", "MobileNetV2", "MobileNetV3Small", "EfficientNetB0", "ConvNeXtTiny"),
        *("ResNet50V2", "DenseNet121"),
    )
}


def check(backbone):
    onnx_content(tiny_lotr(5, backbone=shaken(backbone), **SHALLOW))  # it compares


def nested(network):
    """As the example of `LOTR` has it: the scaling in front, and the network as one layer."""
    images = keras.Input((SIZE, SIZE, 3))
    scaled = layers.Rescaling(1 / 127.5, offset=-1, name="scaling")(images)
    return keras.Model(images, network(scaled))


@pytest.mark.parametrize("build", TINY.values(), ids=TINY.keys())
def test_foreign_backbone(build):
    check(build())


def test_network_inside_of_a_model():
    check(nested(application("MobileNetV2", alpha=0.35)))


@pytest.mark.slow
@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("build", LARGE.values(), ids=LARGE.keys())
def test_large_foreign_backbone(build, inside):
    check(nested(build()) if inside else build())


@pytest.mark.parametrize("pre_activation", [False, True])
def test_keras_hub(pre_activation):
    keras_hub = pytest.importorskip("keras_hub", reason="needs keras-hub")
    check(
        keras_hub.models.ResNetBackbone(
            [64], [7], [64, 64], [1, 1], [1, 2], "basic_block", image_shape=(SIZE, SIZE, 3),
            use_pre_activation=pre_activation,
        )
    )  # fmt: skip


def test_sequential_backbone():
    stack = [keras.Input((SIZE, SIZE, 3)), layers.Conv2D(8, 3, 16, activation="relu")]
    check(keras.Sequential(stack))


def test_input_and_output_are_called_the_same_for_all():
    images = keras.Input((SIZE, SIZE, 3), name="photo")
    content = onnx_content(
        tiny_lotr(5, backbone=keras.Model(images, layers.Conv2D(8, 3, 16)(images)))
    )
    graph = onnx.load_from_string(content).graph
    assert [x.name for x in (*graph.input, *graph.output)] == ["images", "points_crop"]


# === What is checked ===
def test_mistake_that_moves_no_point(monkeypatch):
    """A head that is not trained yet gives the mean points, whatever comes."""
    model = tiny_lotr(5)
    kernel = model.get_layer("head").coordinates.kernel
    kernel.assign(1e-6 * kernel)
    monkeypatch.setattr(onnx_fold._Folding, "batch_norm", lambda self, node: self.take_out(node))
    model.get_layer("bn1").moving_mean.assign(np.full(8, 0.3))
    with pytest.raises(ExportDiffers, match="to compute 'tokens' as the model does"):
        onnx_content(model)


# === Weights that are kept in another way ===
def test_adapters_are_in_the_file():
    """LoRA of the Transformer and of convolutions."""
    model = randomize(tiny_lotr(5))
    rng = np.random.default_rng(0)
    for layer in model._flatten_layers():
        if type(layer) in (layers.Dense, layers.EinsumDense, layers.Conv2D):
            layer.enable_lora(2)
            layer.lora_kernel_b.assign(rng.uniform(-0.3, 0.3, layer.lora_kernel_b.shape))
    onnx_content(model)


def test_quantized():
    model = tiny_lotr(5)
    model.get_layer("encoder1").ffn1.quantize("int8")
    with pytest.raises(ValueError, match="not quantized. ffn1 is int8: export the model before"):
        onnx_content(model)
