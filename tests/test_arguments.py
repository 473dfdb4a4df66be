"""Wrong arguments are one sentence that names the argument."""

import json

import keras
import numpy as np
import pytest
from keras import layers
from tiny import SIZE, tiny_lotr

from keras_lotr import LOTR
from keras_lotr.arguments import arguments_of
from keras_lotr.backbones.mobilenet_v2 import MobileNetV2
from keras_lotr.preprocessor import Preprocessor


@pytest.mark.parametrize(
    "make",
    [
        lambda **wrong: tiny_lotr(5, **wrong),
        lambda **wrong: LOTR.from_variant("lotr_m", 5, 64, **wrong),
        lambda **wrong: LOTR.from_preset("lotr_m_68", **wrong),
    ],
    ids=["LOTR", "from_variant", "from_preset"],
)
def test_unknown_argument_names_the_nearest(make):
    with pytest.raises(TypeError, match="no argument 'num_haeds'. Did you mean 'num_heads'?"):
        make(num_haeds=4)
    with pytest.raises(TypeError, match="no argument 'banana'. Its arguments are backbone, "):
        make(banana=True)


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        ({"num_landmarks": 0}, "Expected num_landmarks as a whole number from 1. Received: 0"),
        ({"num_landmarks": "21"}, "num_landmarks as a whole number from 1. Received: '21'"),
        ({"num_landmarks": True}, "num_landmarks as a whole number from 1. Received: True"),
        ({"num_encoder_layers": -1}, "num_encoder_layers as a whole number from 0"),
        ({"num_decoder_layers": 0}, "num_decoder_layers as a whole number from 1"),
        ({"projection_dim": 20, "num_heads": 8}, "num_heads to divide .* 20 .from projection_dim"),
        (
            {"projection_dim": 18, "num_heads": 2},
            "projection_dim to end in a multiple of 4. Received: 18",
        ),
        ({"deconv_filters": (16, 18)}, "deconv_filters to end in a multiple of 4. Received: 18"),
        ({"deconv_filters": (16, 0)}, "deconv_filters as a whole number from 1"),
        ({"ffn_dim": 16.5}, "ffn_dim as a whole number"),
        ({"head_hidden_dim": None}, "head_hidden_dim as a whole number"),
        ({"dropout": 1.0}, "dropout as a rate 0 <= dropout < 1"),
        ({"mean_shape": np.full((5, 2), 50.0)}, "fractions of the crop.*divide pixels"),
        ({"mean_shape": np.full((4, 2), 0.5)}, r"finite mean_shape of .5, 2."),
        ({"preprocessor": Preprocessor("ibug68", SIZE)}, "5 landmarks .* ibug68 .68 landmarks"),
        ({"preprocessor": Preprocessor("plain5", 128)}, "crops of 64 pixels. .* 128 pixels"),
        ({"preprocessor": "ibug68"}, "Expected a Preprocessor as preprocessor"),
        ({"dtype": "float31"}, "Expected dtype as a policy of Keras"),
        ({"trainable": "no"}, "Expected trainable as True or False"),
    ],
    ids=str,
)
def test_impossible_values(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        tiny_lotr(**{"num_landmarks": 5, **wrong})


def test_a_preprocessor_that_does_not_fit_is_not_taken_later_either():
    model = tiny_lotr(5)
    with pytest.raises(ValueError, match="Expected a preprocessor of 5 landmarks"):
        model.preprocessor = Preprocessor("ibug68", SIZE)
    with pytest.raises(ValueError, match="Expected a preprocessor of 5 landmarks"):
        model.preprocessor = Preprocessor("plain5", 2 * SIZE)
    assert model.preprocessor == Preprocessor("plain5", SIZE)


def test_arguments_of_a_subclass():
    class Mine(LOTR):
        def __init__(self, *args, extra=1, **others):
            super().__init__(*args, **others)

    assert {"extra", "num_heads", "dtype"} < set(arguments_of(Mine))


def test_arguments_that_only_the_base_has():
    assert not {"inputs", "outputs"} & set(arguments_of(LOTR))
    with pytest.raises(TypeError, match="no argument 'inputs'. Its arguments are backbone, "):
        tiny_lotr(5, inputs=1)


def test_a_call_takes_no_arguments_that_it_ignores():
    with pytest.raises((TypeError, ValueError), match="return_attention"):
        tiny_lotr(5)(np.zeros((1, SIZE, SIZE, 3)), return_attention=True)


def test_layers_of_a_backbone_may_have_the_names_of_ours():
    images = keras.Input((SIZE, SIZE, 3))
    x = layers.Conv2D(8, 3, strides=8, padding="same", name="reduce")(images)
    x = layers.Conv2D(8, 3, strides=2, padding="same", name="encoder1")(x)
    model = LOTR(keras.Model(images, x, name="head"), 5, projection_dim=16, num_heads=4)
    assert model.get_layer("reduce").filters == 16
    assert model.backbone.get_layer("reduce").filters == 8
    assert model.predict(np.zeros((1, SIZE, SIZE, 3)), verbose=0).shape == (1, 5, 2)


@pytest.fixture
def channels_first():
    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_image_data_format("channels_last")


def test_the_users_data_format_changes_nothing(channels_first):
    model = tiny_lotr(5, backbone=MobileNetV2(image_size=SIZE), deconv_filters=(16,))
    assert model.predict_points(np.zeros((1, SIZE, SIZE, 3), np.uint8)).shape == (1, 5, 2)
    first = keras.Sequential([keras.Input((3, SIZE, SIZE)), layers.Conv2D(8, 3)])
    with pytest.raises(ValueError, match="of fixed size S, channels last"):
        LOTR(first, 5)


@pytest.mark.parametrize("given", [np.int64, np.int32, np.uint8])
def test_numbers_of_numpy(given, tmp_path):
    preprocessor = Preprocessor("plain5", given(64), np.float32(1.5))
    backbone = MobileNetV2(image_size=given(64), width=np.float32(0.5))
    model = LOTR(
        backbone,
        given(5),
        projection_dim=given(16),
        num_heads=given(4),
        ffn_dim=given(16),
        deconv_filters=(given(16),),
        num_encoder_layers=given(1),
        num_decoder_layers=given(1),
        head_hidden_dim=given(16),
        certainty_dim=given(8),
        dropout=np.float32(0.5),
        preprocessor=preprocessor,
    )
    model.save_to_preset(tmp_path)
    again = LOTR.from_preset(tmp_path, num_landmarks=given(7))
    assert again.preprocessor == Preprocessor("plain7", 64, 1.5)
    assert type(preprocessor.image_size) is int and type(preprocessor.margin) is float
    assert json.loads(json.dumps(again.preprocessor.to_dict()))["margin"] == 1.5


@pytest.mark.parametrize("wrong", [5.0, "5", True, 0], ids=repr)
def test_another_number_of_landmarks_that_is_none(wrong):
    with pytest.raises(ValueError, match="num_landmarks as a whole number from 1. Received: "):
        LOTR.from_preset("lotr_s_68", num_landmarks=wrong)


@pytest.mark.parametrize(
    "size, margin",
    [(128.0, 1.3), (True, 1.3), (128, "1.3"), (128, True), (128, 10**400)],
)
def test_a_preprocessor_of_no_numbers(size, margin):
    with pytest.raises(ValueError, match="Expected (image_size as a whole number|a margin)"):
        Preprocessor("plain5", size, margin)
