import numpy as np
import pytest
from tiny import randomize, tiny_lotr, weights_of

from keras_lotr import LOTR
from keras_lotr.layers.embeddings import sine_positions
from keras_lotr.layers.mean_shape import (
    TABLES,
    UNTRAINED_ZERO,
    checked_mean_shape,
    start_at_nearest,
)

OLD = np.random.default_rng(0).uniform(0.2, 0.8, (68, 2)).astype(np.float32).round(4)


@pytest.fixture(scope="module")
def trained():
    return randomize(tiny_lotr(68, mean_shape=OLD))


@pytest.fixture
def tables(trained):
    weights = weights_of(trained)
    return {key: weights[key] for key in TABLES}


def test_none_is_spread_over_the_face():
    shape = checked_mean_shape(None, 98)
    assert shape.shape == (98, 2)
    assert 0.1 < shape.min() < 0.2 and 0.8 < shape.max() < 0.9
    distances = np.linalg.norm(shape[:, None] - shape, axis=-1) + np.eye(98)
    assert distances.min() > 0.03


def test_chosen_landmarks_start_as_they_were(trained, tables):
    chosen = [40, 3, 67]
    model = tiny_lotr(3, mean_shape=OLD[chosen])
    start_at_nearest(model, OLD, tables)
    for key in TABLES:
        np.testing.assert_allclose(weights_of(model)[key], tables[key][chosen], atol=1e-6)


def test_others_look_beside_the_nearest(tables):
    shape = OLD[[5]] + [[0.01, -0.005]]
    model = tiny_lotr(1, mean_shape=shape)
    start_at_nearest(model, OLD, tables)
    queries, places = (weights_of(model)[key] for key in TABLES)
    nearest = np.linalg.norm(OLD - shape, axis=-1).argmin()
    np.testing.assert_allclose(queries[0], tables[TABLES[0]][nearest], atol=1e-6)
    way = sine_positions(model.mean_shape, 16) - sine_positions(OLD[[nearest]], 16)
    assert np.abs(way).max() > 0.01
    np.testing.assert_allclose(places - tables[TABLES[1]][nearest], way, atol=1e-6)


def test_fewer_landmarks_predict_nearly_the_same(trained, tmp_path):
    # Of one decoder layer without its self-attention it would be exactly the same.
    trained.save_to_preset(tmp_path)
    fewer = LOTR.from_preset(tmp_path, num_landmarks=66, mean_shape=OLD[1:67])
    crops = np.random.default_rng(1).integers(0, 256, (2, 64, 64, 3)).astype("uint8")
    bias = weights_of(trained)[UNTRAINED_ZERO] * 64 / 8  # starts at zero again
    expected = trained.predict_points(crops) - bias
    away = np.abs(fewer.predict_points(crops) - expected[:, 1:67]).mean()
    anew = tiny_lotr(66, mean_shape=OLD[1:67]).predict_points(crops)
    assert away < 0.2 * np.abs(anew - expected[:, 1:67]).mean()


@pytest.mark.parametrize("rows", [67, 69])
def test_tables_of_another_size(tables, rows):
    short = {key: np.resize(table, (rows, 16)) for key, table in tables.items()}
    with pytest.raises(ValueError, match="mean_shape|Expected tables of 68"):
        start_at_nearest(tiny_lotr(3), OLD, short)
    with pytest.raises(ValueError, match="Expected tables of 68 landmarks and 16 numbers"):
        start_at_nearest(tiny_lotr(3), OLD, {**tables, TABLES[0]: short[TABLES[0]]})
