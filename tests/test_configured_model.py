"""What is set on a network and its layers survives Keras' own ways to save and copy it."""

import copy
import gc
import json
import pickle

import keras
import numpy as np
import pytest
from keras import ops
from tiny import SIZE, random_crops, randomize, tiny_backbone, tiny_lotr

from keras_lotr import LOTR, SmoothWing
from keras_lotr.backbones.efficientnet_lite import EfficientNetLite
from keras_lotr.backbones.hrnet import HRNet
from keras_lotr.backbones.mobilenet_v2 import MobileNetV2
from keras_lotr.backbones.resnet import ResNet50
from keras_lotr.configured_model import layer_settings
from keras_lotr.detector_training.network import DetectorNetwork
from keras_lotr.preprocessor import Preprocessor


def by_config(model, folder):
    return type(model).from_config(json.loads(json.dumps(model.get_config())))


def by_keras_file(model, folder):
    model.save(folder / "model.keras")
    return keras.saving.load_model(folder / "model.keras")


def by_checkpoint(model, folder):
    if not model.trainable_variables:
        pytest.skip("nothing is trained in a model that is frozen as a whole")
    model.compile("sgd", SmoothWing())
    keep = keras.callbacks.ModelCheckpoint(folder / "best.keras", monitor="loss", mode="min")
    points = np.full((2, model.num_landmarks, 2), 30.0, np.float32)
    model.fit(random_crops(2), points, epochs=1, verbose=0, callbacks=[keep])
    return keras.saving.load_model(folder / "best.keras")


def by_preset(model, folder):
    model.save_to_preset(folder / "preset")
    return LOTR.from_preset(folder / "preset")


def by_copy(model, folder):
    return copy.deepcopy(model)


WAYS = {
    "config": by_config,
    "keras file": by_keras_file,
    "checkpoint": by_checkpoint,
    "preset": by_preset,
    "deepcopy": by_copy,
    "pickle": lambda model, folder: pickle.loads(pickle.dumps(model)),
}
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def predicted(model):
    return ops.convert_to_numpy(model(random_crops(2), training=False)).astype(np.float32)


@every_way
def test_preprocessor(way, tmp_path):
    preprocessor = Preprocessor("insightface106", SIZE, margin=1.5)
    again = way(tiny_lotr(106, preprocessor=preprocessor), tmp_path)
    assert again.preprocessor == again.preprocessor == preprocessor


@every_way
def test_dtype_policy(way, tmp_path):
    model = tiny_lotr(5, dtype="mixed_bfloat16")
    again = way(model, tmp_path)
    for name in ("encoder1", "decoder2", "head", "reduce", "landmark_queries"):
        assert model.get_layer(name).dtype_policy.name == "mixed_bfloat16"
        assert again.get_layer(name).dtype_policy.name == "mixed_bfloat16"
    assert again.dtype_policy.name == "mixed_bfloat16"
    assert again.backbone.get_layer("conv1").dtype_policy.name == "float32"
    assert again.output.dtype == "float32"


@every_way
@pytest.mark.parametrize("frozen", [("encoder1", "head"), ("backbone",), ("",)], ids=str)
def test_what_is_frozen(way, frozen, tmp_path):
    model = tiny_lotr(5)
    for name in frozen:
        part = {"": model, "backbone": model.backbone}.get(name) or model.get_layer(name)
        part.trainable = False
    again = way(model, tmp_path)
    assert [v.path for v in again.trainable_variables] == [
        v.path for v in model.trainable_variables
    ]
    assert len(again.trainable_variables) < len(tiny_lotr(5).trainable_variables)


def test_settings_within_a_frozen_model(tmp_path):
    model = tiny_lotr(5, trainable=False)
    model.get_layer("head").hidden1.trainable = True
    again = by_keras_file(model, tmp_path)
    assert layer_settings(again) == {"lotr_head/hidden1": {"trainable": True}}
    again.trainable = True
    assert len(again.trainable_variables) == len(tiny_lotr(5).trainable_variables)


@pytest.fixture
def few_objects():
    """Keras collects garbage after each layer that it quantizes, among all objects there are."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("few_objects")
@pytest.mark.filterwarnings("ignore:Layer .* does not have a .quantize. method")
@pytest.mark.parametrize("way", [by_keras_file, by_preset])
def test_quantized_weights(way, tmp_path):
    model = randomize(tiny_lotr(5))
    model.quantize("int8")
    again = way(model, tmp_path)
    np.testing.assert_allclose(predicted(again), predicted(model), atol=1e-3)
    assert again.get_layer("head").hidden1.dtype_policy.quantization_mode == "int8"


def by_config_and_weights(model, folder):
    again = by_config(model, folder)
    again.set_weights(model.get_weights())
    return again


@pytest.mark.usefixtures("few_objects")
@pytest.mark.filterwarnings("ignore:Layer .* does not have a .quantize. method")
@pytest.mark.parametrize("way", [by_config_and_weights, by_keras_file, by_preset, by_copy])
def test_quantized_certainty(way, tmp_path):
    model = randomize(tiny_lotr(5, certainty_dim=8))
    model.quantize("int8")
    again = way(model, tmp_path)
    assert again.certainty.hidden.dtype_policy.quantization_mode == "int8"
    crops = random_crops(2)
    found, expected = again.predict_certainty(crops), model.predict_certainty(crops)
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-3)


@pytest.mark.usefixtures("few_objects")
@pytest.mark.filterwarnings("ignore:Layer .* does not have a .quantize. method")
def test_a_quantized_preset_without_its_certainty(tmp_path):
    model = randomize(tiny_lotr(5, certainty_dim=8))
    model.quantize("int8")
    model.save_to_preset(tmp_path)
    again = LOTR.from_preset(tmp_path, certainty_dim=None)
    assert not again.has_certainty
    np.testing.assert_allclose(predicted(again), predicted(model), atol=1e-3)


def test_a_head_that_fit_leaves_alone_is_no_setting():
    assert layer_settings(tiny_lotr(5, certainty_dim=8)) == {}


@pytest.mark.parametrize("way", [by_keras_file, by_preset])
def test_low_rank_adapters_are_merged(way, tmp_path):
    model = randomize(tiny_lotr(5))
    plain = predicted(model)
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Dense | keras.layers.EinsumDense):
            layer.enable_lora(2)
            layer.lora_kernel_b.assign(np.full(layer.lora_kernel_b.shape, 0.02))
    again = way(model, tmp_path)
    assert np.abs(predicted(model) - plain).max() > 0.1
    np.testing.assert_allclose(predicted(again), predicted(model), atol=1e-3)
    assert not any("lora" in v.name for v in again.weights)


@pytest.mark.parametrize(
    "network", [MobileNetV2, EfficientNetLite, ResNet50, HRNet, DetectorNetwork]
)
def test_other_networks_keep_what_is_set(network):
    sizes = {HRNet: {"width": 18}}.get(network, {})
    sizes |= {} if network is DetectorNetwork else {"image_size": 64}
    model = network(**sizes, dtype="mixed_bfloat16", name="mine")
    model.layers[3].trainable = False
    again = network.from_config(json.loads(json.dumps(model.get_config())))
    assert layer_settings(again) == {model.layers[3].name: {"trainable": False}}
    assert {layer.dtype_policy.name for layer in again.layers[1:]} == {"mixed_bfloat16"}
    assert again.name == "mine"
    with pytest.raises(TypeError, match="has no argument 'image_sise'|has no argument"):
        network(image_sise=64)
    with pytest.raises(ValueError, match="Expected dtype as a policy of Keras"):
        network(**sizes, dtype="float31")
    with pytest.raises(ValueError, match="Expected trainable as True or False"):
        network(**sizes, trainable="no")


@pytest.mark.parametrize("network", [MobileNetV2, EfficientNetLite, ResNet50, HRNet])
def test_image_size_that_cannot_be_halved_five_times(network):
    with pytest.raises(ValueError, match=r"multiple of 32, such as 96 or 128. Received: 100"):
        network(image_size=100)


def test_settings_of_a_layer_that_there_is_not():
    config = tiny_lotr(5).get_config() | {"layer_settings": {"encoder9": {"trainable": False}}}
    with pytest.raises(ValueError, match="It has no 'encoder9'"):
        LOTR.from_config(config)


def test_backbone_of_another_policy_keeps_it(tmp_path):
    with_policy = MobileNetV2(image_size=64, dtype="mixed_bfloat16")
    again = by_config(LOTR(with_policy, 5), tmp_path)
    assert again.backbone.dtype_policy.name == "mixed_bfloat16"
    assert again.get_layer("head").dtype_policy.name == "float32"


def test_every_layer_takes_the_policy_that_from_preset_is_given(tmp_path):
    tiny_lotr(5, backbone=tiny_backbone()).save_to_preset(tmp_path)
    model = LOTR.from_preset(tmp_path, dtype="mixed_bfloat16")
    named = {layer.dtype_policy.name for layer in model.layers[1:]}
    assert named == {"mixed_bfloat16"}


def test_plain_preset_forgets_what_a_training_set(tmp_path):
    model = tiny_lotr(5, dtype="mixed_bfloat16")
    model.backbone.get_layer("conv1").trainable = False
    model.get_layer("head").trainable = False
    model.save_to_preset(tmp_path, plain=True)
    again = LOTR.from_preset(tmp_path)
    assert len(again.trainable_variables) == len(tiny_lotr(5).trainable_variables)
    assert {layer.dtype_policy.name for layer in again.layers} == {"float32"}
