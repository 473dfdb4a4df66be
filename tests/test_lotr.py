"""The whole network: outputs, precision, names, saving, variants, foreign backbones."""

import json
import re

import keras
import numpy as np
import pytest
from keras import layers, ops
from tiny import (
    SETTINGS,
    SHALLOW,
    SIZE,
    assert_same_weights,
    random_crops,
    randomize,
    tiny_backbone,
    weights_of,
)  # fmt: skip

from keras_lotr import LOTR, SmoothWing
from keras_lotr.backbones.mobilenet_v2 import MobileNetV2
from keras_lotr.evaluation.macs import multiply_accumulates
from keras_lotr.losses import smooth_wing, wing
from keras_lotr.presets.preset import Preprocessor
from keras_lotr.presets.weights import named_weights
from keras_lotr.schemes import get_scheme
from keras_lotr.variants import VARIANTS


@pytest.fixture(scope="module")
def model(tiny_lotr):
    return randomize(tiny_lotr(68, deconv_filters=(16,)))


@pytest.fixture(scope="module")
def real():
    """On a backbone of the library."""
    return LOTR(MobileNetV2(image_size=SIZE), 68, **SETTINGS)


# === Output ===
def test_output(model):
    assert model.input_shape == (None, SIZE, SIZE, 3)
    assert model.output_shape == (None, 68, 2)
    assert model.token_grid == (8, 8)
    points = model.predict(random_crops(3), verbose=0)
    assert points.shape == (3, 68, 2)
    assert points.dtype == np.float32


def test_fresh_model_predicts_the_mean_shape(tiny_lotr):
    mean_shape = np.random.default_rng(0).uniform(0.2, 0.8, (21, 2))
    points = tiny_lotr(21, mean_shape=mean_shape).predict(random_crops(), verbose=0)
    np.testing.assert_allclose(points, np.stack([mean_shape * SIZE - 0.5] * 2), atol=3)


def test_integers_and_floats_are_the_same_pixels(model):
    crops = random_crops()
    floats = model.predict(crops.astype("float32"), verbose=0)
    np.testing.assert_allclose(model.predict(crops, verbose=0), floats, atol=1e-4)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16", "float16"])
def test_output_is_float32_under_every_policy(policy, tiny_lotr, backend):
    if (policy, backend) == ("float16", "jax"):
        pytest.skip("JAX has no matrix product of float16 on a CPU")
    exact = tiny_lotr(5, **SHALLOW)
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy(policy)
        coarse = tiny_lotr(5, **SHALLOW)
    finally:
        keras.config.set_dtype_policy(before)
    assert coarse.get_layer("encoder1").ffn1.compute_dtype == policy.removeprefix("mixed_")
    for ours, theirs in zip(coarse.weights, exact.weights, strict=True):
        ours.assign(ops.convert_to_numpy(theirs))
    crops = random_crops()
    points = coarse.predict(crops, verbose=0)
    assert points.dtype == np.float32
    np.testing.assert_allclose(points, exact.predict(crops, verbose=0), atol=1)
    assert np.unique(points).size > 10  # not rounded to the steps of the policy


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16"])
def test_reduced_precision_trains(policy, tiny_lotr):
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy(policy)
        model = tiny_lotr(5, **SHALLOW)
        model.compile("adamw", SmoothWing())
        loss = model.fit(random_crops(), np.zeros((2, 5, 2)), verbose=0).history["loss"][0]
    finally:
        keras.config.set_dtype_policy(before)
    assert np.isfinite(loss)


# === Names ===
AUTOMATIC = (
    r"\b(conv2d|dense|layer_normalization|batch_normalization|activation|add|reshape)(_\d+)?\b"
)


def test_every_name_is_given(real):
    assert [key for key in named_weights(real) if re.search(AUTOMATIC, key)] == []
    assert [layer.name for layer in real.layers if re.search(AUTOMATIC, layer.name)] == []


def test_second_instance_has_the_same_keys(model, tiny_lotr):
    again = tiny_lotr(68, deconv_filters=(16,))
    assert list(named_weights(again)) == list(named_weights(model))
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]


def test_keys_are_readable(model):
    keys = set(named_weights(model))
    assert {
        "backbone/conv1/kernel", "backbone/bn1/moving_mean", "reduce/kernel", "deconv1/kernel",
        "deconv1_bn/gamma", "token_positions/table", "landmark_queries/table",
        "landmark_places/table", "encoder1/self_attention/query/kernel", "encoder2/ffn1/kernel",
        "decoder1/cross_attention/key/bias", "encoder_norm/gamma", "head/coordinates/bias",
    } <= keys  # fmt: skip
    parts = {key.split("/")[0] for key in keys}
    assert parts == {
        "backbone", "reduce", "deconv1", "deconv1_bn", "token_positions",
        "encoder1", "encoder2", "encoder_norm", "landmark_queries", "landmark_places", "decoder1",
        "decoder2", "decoder_norm", "head",
    }  # fmt: skip


# === Saving ===
def test_config_survives_json(tiny_lotr):
    settings = {"num_encoder_layers": 1, "num_decoder_layers": 3, "dropout": 0.1, "name": "other"}
    model = tiny_lotr(7, mean_shape=np.full((7, 2), 0.25), deconv_filters=(16,), **settings)
    config = json.loads(json.dumps(model.get_config()))
    again = LOTR.from_config(config)
    assert again.get_config() | {"backbone": None} == model.get_config() | {"backbone": None}
    assert {name: getattr(again, name) for name in settings} == settings
    assert list(named_weights(again)) == list(named_weights(model))
    assert set(config) == {
        "backbone", "num_landmarks", "mean_shape", "projection_dim", "deconv_filters", "num_heads",
        "ffn_dim", "num_encoder_layers", "num_decoder_layers", "head_hidden_dim", "dropout", "name",
        "preprocessor", "dtype", "trainable",
    }  # fmt: skip


def test_keras_file(model, tmp_path):
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert type(again) is LOTR
    assert_same_weights(weights_of(again), weights_of(model))
    crops = random_crops()
    np.testing.assert_allclose(
        again.predict(crops, verbose=0), model.predict(crops, verbose=0), atol=1e-4
    )


# === Variants ===
def test_variants_are_those_of_the_paper():
    sizes = {n: (size, numbers) for n, (_, size, numbers) in VARIANTS.items()}
    del sizes["lotr_l"], sizes["lotr_s"]  # ours
    plus = {"projection_dim": 256, "deconv_filters": (128, 64)}
    assert sizes == {
        "lotr_m": (192, {"projection_dim": 64, "deconv_filters": ()}),
        "lotr_m_plus": (192, plus),
        "lotr_r_plus": (192, plus),
        "lotr_hr_plus": (256, plus),
    }


# Half a unit of the paper's last digit comes on top of the 2 %: LOTR-M+ counts 0.449.
@pytest.mark.parametrize(
    ("variant", "paper", "grid"),
    [("lotr_m", 0.23, 6), ("lotr_m_plus", 0.44, 24), ("lotr_r_plus", 3.23, 24)],
)
def test_multiply_accumulates_are_those_of_the_paper(variant, paper, grid):
    model = LOTR.from_variant(variant, 106)
    assert model.token_grid == (grid, grid)
    counts = multiply_accumulates(model)
    counted = sum(counts[part] for part in ("backbone", "tokens", "encoder")) / 1e9
    assert abs(counted - paper) <= 0.02 * paper + 0.005
    assert counts["total"] == sum(count for part, count in counts.items() if part != "total")


def test_lotr_s_computes_a_fifth_of_lotr_m():
    large = multiply_accumulates(LOTR.from_variant("lotr_m", 68))["total"]
    assert multiply_accumulates(LOTR.from_variant("lotr_s", 68))["total"] < large / 5


def test_lotr_l_computes_four_times_of_lotr_m():
    large = LOTR.from_variant("lotr_l", 68)
    assert large.token_grid == (16, 16)
    small = multiply_accumulates(LOTR.from_variant("lotr_m", 68))["total"]
    assert 4 < multiply_accumulates(large)["total"] / small < 5


def test_multiply_accumulates_by_hand(tiny_lotr):
    counts = multiply_accumulates(tiny_lotr(5, deconv_filters=(16,)))
    tokens, landmarks = 64, 5
    assert counts["backbone"] == 16 * 16 * 25 * 3 * 8 + 4 * 4 * 25 * 8 * 12
    assert counts["tokens"] == 16 * 12 * 16 + 16 * 16 * 16 * 16
    assert counts["encoder"] == 2 * (4 * tokens * 16**2 + 2 * tokens**2 * 16 + 2 * tokens * 16 * 16)
    to_self = 4 * landmarks * 16**2 + 2 * landmarks**2 * 16
    to_tokens = 2 * (landmarks + tokens) * 16**2 + 2 * landmarks * tokens * 16
    assert counts["decoder"] == 2 * (to_self + to_tokens + 2 * landmarks * 16 * 16)
    assert counts["head"] == landmarks * (16 * 16 + 16 * 16 + 16 * 2)


def test_unknown_variant():
    with pytest.raises(ValueError, match=r"one of.*lotr_m_plus.*Received: 'lotr_x'"):
        LOTR.from_variant("lotr_x", 68)


def test_a_size_that_is_none():
    with pytest.raises(ValueError, match="image_size as a whole number from 1. Received: 0"):
        LOTR.from_variant("lotr_m", 68, image_size=0)


# === Foreign backbones ===
def applications_backbone():
    images = keras.Input((SIZE, SIZE, 3))
    network = keras.applications.MobileNet(
        input_shape=(SIZE, SIZE, 3), alpha=0.25, include_top=False, weights=None
    )
    scaled = layers.Rescaling(1 / 127.5, offset=-1, name="scaling")(images)
    return keras.Model(images, network(scaled))


def keras_hub_backbone():
    keras_hub = pytest.importorskip("keras_hub", reason="needs keras-hub")
    return keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64],
        stackwise_num_blocks=[1],
        stackwise_num_strides=[1],
        block_type="basic_block",
        image_shape=(SIZE, SIZE, 3),
    )


@pytest.mark.parametrize("make", [applications_backbone, keras_hub_backbone])
def test_foreign_backbone(make, tmp_path, tiny_lotr, backend):
    model = tiny_lotr(68, backbone=make(), **SHALLOW)
    crops = random_crops()
    model.compile("sgd", SmoothWing(), run_eagerly=backend == "tensorflow")
    assert np.isfinite(model.fit(crops, np.zeros((2, 68, 2)), verbose=0).history["loss"][0])
    model.save_to_preset(tmp_path)
    again = LOTR.from_preset(tmp_path)
    assert type(again.backbone) is type(model.backbone)
    assert_same_weights(weights_of(again), weights_of(model))
    np.testing.assert_allclose(
        again.predict(crops, verbose=0), model.predict(crops, verbose=0), atol=1e-4
    )
    assert multiply_accumulates(model)["backbone"] > 1e6


def test_sequential_backbone(tiny_lotr):
    backbone = keras.Sequential([layers.Input((64, 64, 3)), layers.Conv2D(4, 9, 16, name="c")])
    assert tiny_lotr(5, backbone=backbone).predict(random_crops(), verbose=0).shape == (2, 5, 2)


class Subclassed(keras.Model):
    def call(self, images):
        return images


def bad_backbone(shape, outputs=1):
    images = keras.Input(shape)
    maps = [layers.Conv2D(4, 3)(images) for _ in range(outputs)]
    return keras.Model(images, maps[0] if outputs == 1 else maps)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: "mobilenet", "keras.Model as backbone. Received: 'mobilenet'"),
        (Subclassed, "fixed size"),
        (lambda: bad_backbone((None, None, 3)), "fixed size"),
        (lambda: bad_backbone((64, 32, 3)), "fixed size"),
        (lambda: bad_backbone((64, 64, 1)), "fixed size"),
        (lambda: bad_backbone((64, 64, 3), outputs=2), "one feature map"),
        (
            lambda: keras.Sequential([layers.Input((64, 64, 3)), layers.GlobalMaxPooling2D()]),
            "one feature map",
        ),
    ],
)
def test_bad_backbone(make, message):
    with pytest.raises(ValueError, match=message):
        LOTR(make(), 5)


@pytest.mark.parametrize("mean_shape", [np.zeros((4, 2)), np.full((5, 2), np.nan)])
def test_bad_mean_shape(mean_shape):
    with pytest.raises(ValueError, match=r"finite mean_shape of \(5, 2\)"):
        LOTR(tiny_backbone(), 5, mean_shape=mean_shape)


# === Attention and flips ===
def test_attention_maps(model):
    before, crops = weights_of(model), random_crops(3)
    points = model.predict(crops, verbose=0)
    maps = model.attention_maps(crops)
    assert maps.shape == (3, 2, 4, 68, 8, 8)
    assert maps.dtype == np.float32
    assert (maps >= 0).all()
    np.testing.assert_allclose(maps.sum((-2, -1)), 1, rtol=1e-4)
    assert_same_weights(weights_of(model), before)
    np.testing.assert_array_equal(model.predict(crops, verbose=0), points)


def test_flip_average_is_the_mean_over_both_sides(model):
    crops = random_crops(3)
    mirrored = model.predict(crops[:, :, ::-1], verbose=0)[:, list(get_scheme("ibug68").flip_order)]
    mirrored[..., 0] = SIZE - 1 - mirrored[..., 0]
    expected = (model.predict(crops, verbose=0) + mirrored) / 2
    np.testing.assert_allclose(model.predict_points(crops, flip=True), expected, atol=1e-4)


def test_flip_average_of_a_mirrored_crop_is_mirrored(model):
    crops = random_crops(3)
    points = model.predict_points(crops, flip=True)
    mirrored = model.predict_points(crops[:, :, ::-1], flip=True)
    np.testing.assert_allclose(mirrored, get_scheme("ibug68").mirror(points, SIZE), atol=1e-4)


def test_predict_points_of_no_face(model):
    assert model.predict_points(random_crops(0)).shape == (0, 68, 2)
    assert model.predict_points(random_crops(0), flip=True).shape == (0, 68, 2)


def test_flip_without_a_flip_order(tiny_lotr):
    with pytest.raises(ValueError, match="plain5 says no flip order"):
        tiny_lotr(5).predict_points(random_crops(), flip=True)


@pytest.mark.parametrize(
    ("count", "scheme"), [(68, "ibug68"), (98, "wflw98"), (106, "jd106"), (5, "plain5")]
)
def test_scheme_of_a_new_model(count, scheme, tiny_lotr):
    assert tiny_lotr(count).preprocessor == Preprocessor(scheme, SIZE)


@pytest.mark.parametrize("loss", [wing, smooth_wing])
@pytest.mark.parametrize("shape", [(3,), (3, 5)])
def test_plain_loss_functions_take_the_weights_that_their_classes_take(tiny_lotr, loss, shape):
    model = tiny_lotr(5)
    model.compile("sgd", loss)
    points = np.full((3, 5, 2), 30.0, np.float32)
    weighted = model.test_on_batch(random_crops(3), points, np.full(shape, 0.5, np.float32))
    plain = model.test_on_batch(random_crops(3), points)
    np.testing.assert_allclose(weighted, plain / 2, rtol=1e-4)


@pytest.mark.parametrize("loss", [wing, smooth_wing])
def test_model_compiled_with_a_loss_function_is_loaded_again(tiny_lotr, tmp_path, loss):
    model, crops, points = tiny_lotr(5), random_crops(), np.full((2, 5, 2), 30.0, np.float32)
    model.compile("sgd", loss)
    before = model.test_on_batch(crops, points)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.test_on_batch(crops, points), before, rtol=1e-5)


@pytest.mark.parametrize("shape", [(2, 1, 2), (2, 6, 2), (2, 10), (2, 5, 3)])
def test_landmarks_that_the_model_does_not_have_are_refused_in_every_fit(tiny_lotr, shape):
    model, crops = tiny_lotr(5, **SHALLOW), random_crops()
    model.compile("sgd", SmoothWing())
    model.fit(crops, np.zeros((2, 5, 2), "float32"), verbose=0)
    for of in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=r"Expected landmarks of shape \(B, 5, 2\).* Received"):
            of(crops, np.zeros(shape, "float32"), verbose=0)


@pytest.mark.parametrize(
    ("spoilt", "sentence"),
    [
        (lambda crops: crops / 255, "multiply crops in 0..1 by 255"),
        (lambda crops: crops[:, :32, :32], r"Expected crops \(F, 64, 64, 3\).* \(2, 32, 32, 3\)"),
        (lambda crops: crops[0], r"write crop\[None\]"),
    ],
)
def test_arrays_that_are_no_crops_are_refused_before_keras_has_them(tiny_lotr, spoilt, sentence):
    model, crops = tiny_lotr(5, **SHALLOW), random_crops().astype("float32")
    points = np.full((2, 5, 2), 30.0, np.float32)
    model.compile("sgd", SmoothWing())
    before = model.predict(crops, verbose=0)
    for of, labels in ((model.fit, [points]), (model.evaluate, [points]), (model.predict, [])):
        with pytest.raises(ValueError, match=sentence):
            of(spoilt(crops), *labels, verbose=0)
    tensor = keras.ops.convert_to_tensor(spoilt(crops))
    with pytest.raises(ValueError, match=sentence):
        model.predict(tensor, verbose=0)
    np.testing.assert_array_equal(model.predict(crops, verbose=0), before)


def test_no_crops_have_no_landmarks(tiny_lotr):
    model = tiny_lotr(5, **SHALLOW)
    assert model.predict(random_crops(0), verbose=0).shape == (0, 5, 2)


def test_labels_in_fractions_of_the_crop_are_refused(tiny_lotr):
    model, crops = tiny_lotr(5, **SHALLOW), random_crops()
    model.compile("sgd", SmoothWing())
    labels = np.random.default_rng(0).random((2, 5, 2)).astype("float32")
    labels[0, 0] = np.nan
    for of in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=r"Expected landmarks in crop pixels\. .* multiply"):
            of(crops, labels, verbose=0)
        of(crops, labels * 64, verbose=0)
