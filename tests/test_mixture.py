"""One network for several landmark orders: each group's points are those of a plain LOTR."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import ops
from tiny import assert_same_weights, random_crops, randomize, tiny_lotr, weights_of

from keras_lotr import LOTR
from keras_lotr.layers.mean_shape import TABLES
from keras_lotr.layers.transformer import DecoderLayer
from keras_lotr.losses import SmoothWing
from keras_lotr.preprocessor import Preprocessor
from keras_lotr.training.mixture import Group, LOTRMixture

SHAPES = {number: np.random.default_rng(number).uniform(0.2, 0.8, (number, 2)) for number in (3, 9)}


def trunk_of(number=5):
    trunk = randomize(tiny_lotr(number))
    trunk.preprocessor = Preprocessor(f"plain{number}", 64, 1.4)
    return trunk


def mixture_of(trunk):
    own = Group.of_model("five", trunk)
    others = [
        replace(own.as_scheme(f"plain{number}", shape), name=name)
        for name, (number, shape) in zip(("three", "nine"), SHAPES.items(), strict=True)
    ]
    return LOTRMixture(trunk, [own, *others])


@pytest.fixture(scope="module")
def trunk():
    return trunk_of()


@pytest.fixture(scope="module")
def mixture(trunk):
    return mixture_of(trunk)


def test_a_group_of_the_same_scheme_is_the_trunk(trunk, mixture):
    crops = random_crops(3)
    expected = trunk.predict_points(crops)
    np.testing.assert_allclose(mixture.predict_points(crops, "five"), expected, atol=1e-4)
    assert_same_weights(weights_of(mixture.model_of("five")), weights_of(trunk))


@pytest.mark.parametrize("name", ["five", "three", "nine"])
def test_the_plain_model_of_a_group_has_its_points(mixture, name, tmp_path):
    crops = random_crops(3, seed=1)
    model = mixture.model_of(name)
    points = mixture.predict_points(crops, name, batch_size=2)
    np.testing.assert_allclose(model.predict_points(crops), points, atol=1e-4)
    model.save_to_preset(tmp_path)
    again = LOTR.from_preset(tmp_path)
    assert again.preprocessor == Preprocessor(f"plain{points.shape[1]}", 64, 1.4)
    np.testing.assert_allclose(again.predict_points(crops), points, atol=1e-4)


def test_other_landmarks_start_as_the_nearest(trunk, mixture):
    trunk_tables, of_three = weights_of(trunk), weights_of(mixture.model_of("three"))
    key = TABLES[0]
    nearest = np.linalg.norm(SHAPES[3][:, None] - trunk.mean_shape, axis=-1).argmin(1)
    np.testing.assert_array_equal(of_three[key], trunk_tables[key][nearest])


def test_faces_of_several_groups_share_a_batch(mixture):
    crops = random_crops(3, seed=2)
    together = mixture.predict_on_batch([crops, np.array([2, 0, 1], np.int32)])
    assert together.shape == (3, 9, 2) and together.dtype == np.float32
    for i, name in enumerate(("nine", "five", "three")):
        alone = mixture.predict_points(crops[i : i + 1], name, batch_size=1)[0]
        np.testing.assert_allclose(together[i, : len(alone)], alone, atol=1e-4)


def test_padding_is_not_attended_to(mixture):
    """Whatever the rows behind a group's landmarks hold, its points stay."""
    crops, before = random_crops(2), {}
    tables = [mixture.get_layer(key.split("/")[0]).table for key in TABLES]
    values = [ops.convert_to_numpy(table.value) for table in tables]
    before = mixture.predict_points(crops, "three")
    for table, value in zip(tables, values, strict=True):
        changed = value.copy()
        changed[1, 3:] = 7.0
        table.assign(changed)
    after = mixture.predict_points(crops, "three")
    for table, value in zip(tables, values, strict=True):
        table.assign(value)
    np.testing.assert_array_equal(after, before)


def test_training_moves_what_is_shared_and_the_groups_that_are_there():
    mixture = mixture_of(trunk_of())
    mixture.compile(keras.optimizers.SGD(0.01), SmoothWing())
    before = weights_of(mixture)
    truth = np.full((2, 9, 2), 30, np.float32)
    weights = np.zeros((2, 9), np.float32)
    weights[0, :5] = weights[1, :3] = 1
    group = np.array([0, 1], np.int32)
    mixture.train_on_batch([random_crops(2), group], truth, weights)
    after = weights_of(mixture)
    moved = {key for key in before if (before[key] != after[key]).any()}
    assert {"backbone/conv1/kernel", "encoder1/ffn1/kernel", "head/coordinates/kernel"} <= moved
    for key in TABLES:
        change = np.abs(after[key] - before[key]).max(-1) > 0
        np.testing.assert_array_equal(change.sum(1), [5, 3, 0], err_msg=key)


def test_mixed_precision_keeps_points_in_32_bits():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixture = mixture_of(trunk_of())
    finally:
        keras.config.set_dtype_policy("float32")
    coordinates = mixture.get_layer("group_head").head.coordinates
    for variable in coordinates.weights:
        variable.assign(np.zeros(variable.shape))
    mean = mixture.groups[0].mean_shape * 64 - 0.5
    points = mixture.predict_points(random_crops(1), "five", batch_size=1)
    assert points.dtype == np.float32
    np.testing.assert_allclose(points[0], mean, atol=1e-4)


def test_a_saved_mixture(mixture, tmp_path):
    mixture.save(tmp_path / "mixture.keras")
    again = keras.saving.load_model(tmp_path / "mixture.keras")
    assert [(g.name, g.scheme) for g in again.groups] == [
        (g.name, g.scheme) for g in mixture.groups
    ]
    assert again.model_of("nine").preprocessor == mixture.model_of("nine").preprocessor
    crops = random_crops(2, seed=4)
    for name in ("five", "nine"):
        expected = mixture.predict_points(crops, name)
        np.testing.assert_allclose(again.predict_points(crops, name), expected, atol=1e-4)


def test_unknown_group(mixture):
    with pytest.raises(ValueError, match="Expected a group, one of .*Received: 'two'"):
        mixture.model_of("two")


def test_a_mask_of_all_landmarks_changes_nothing():
    layer = DecoderLayer(8, 2, 16)
    rng = np.random.default_rng(0)
    landmarks, places = rng.standard_normal((2, 2, 5, 8)).astype(np.float32)
    memory, positions = rng.standard_normal((2, 2, 4, 8)).astype(np.float32)
    plain = layer(landmarks, places, memory, positions)
    mask = np.ones((2, 5, 5), bool)
    masked = layer(landmarks, places, memory, positions, attention_mask=mask)
    np.testing.assert_allclose(ops.convert_to_numpy(masked), ops.convert_to_numpy(plain), atol=1e-6)
