"""The parts of the Transformer: place codes, who sees positions, and saved configurations."""

import json

import keras
import numpy as np
import pytest
from keras import ops
from tiny import randomize

from keras_lotr.layers.embeddings import Embedding, SinePosition, grid_centers, sine_positions
from keras_lotr.layers.feature_tokens import feature_tokens
from keras_lotr.layers.landmark_head import LandmarkHead
from keras_lotr.layers.transformer import DecoderLayer, EncoderLayer

SIZES = {"dim": 16, "num_heads": 4, "ffn_dim": 24}


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def constant(*shape):
    """The same vector in every place."""
    return np.broadcast_to(normal(shape[-1], seed=9), shape).copy()


def built(layer, *shapes):
    layer.build(*shapes)
    return randomize(layer)


def of(tensor):
    return ops.convert_to_numpy(tensor)


@pytest.fixture(scope="module")
def encoder():
    return built(EncoderLayer(**SIZES, name="encoder"), *[(None, 9, 16)] * 2)


@pytest.fixture(scope="module")
def decoder():
    shapes = [(None, 5, 16)] * 2 + [(None, 9, 16)] * 2
    return built(DecoderLayer(**SIZES, name="decoder"), *shapes)


# === Places ===
@pytest.mark.parametrize("dim", [16, 64])
@pytest.mark.parametrize("grid", [(6, 6), (24, 24), (4, 7)])
def test_a_place_is_most_like_its_own_code(grid, dim):
    codes = sine_positions(grid_centers(*grid), dim)
    products = codes @ codes.T
    assert (products.argmax(1) == np.arange(len(codes))).all()
    np.testing.assert_allclose(products.diagonal(), dim / 2, rtol=1e-5)


@pytest.mark.parametrize("grid", [(6, 6), (24, 24)])
def test_a_landmark_is_most_like_the_token_that_it_lies_in(grid):
    places = np.random.default_rng(0).uniform(0.1, 0.9, (200, 2))
    products = sine_positions(places, 64) @ sine_positions(grid_centers(*grid), 64).T
    row, column = np.divmod(products.argmax(1), grid[1])
    cell = np.floor(places * grid[::-1])
    assert (column == cell[:, 0]).mean() > 0.95
    assert (row == cell[:, 1]).mean() > 0.95


def test_grid_centers_go_row_by_row():
    expected = [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]
    assert grid_centers(2, 2).tolist() == expected
    assert grid_centers(1, 4)[:, 0].tolist() == [0.125, 0.375, 0.625, 0.875]


# === Positions enter queries and keys only ===
def test_encoder_positions_reach_no_value(encoder):
    tokens = constant(1, 9, 16)
    first, second = (of(encoder(tokens, normal(1, 9, 16, seed=seed))) for seed in (1, 2))
    np.testing.assert_allclose(first, second, atol=1e-5)


def test_encoder_positions_steer_attention(encoder):
    tokens = normal(1, 9, 16)
    first, second = (of(encoder(tokens, normal(1, 9, 16, seed=seed))) for seed in (1, 2))
    assert np.abs(first - second).max() > 1e-2


def test_decoder_positions_reach_no_value(decoder):
    landmarks, memory = constant(1, 5, 16), constant(1, 9, 16)
    outputs = [
        of(decoder(landmarks, normal(1, 5, 16, seed=a), memory, normal(1, 9, 16, seed=b)))
        for a, b in ((1, 2), (3, 4))
    ]
    np.testing.assert_allclose(*outputs, atol=1e-5)


@pytest.mark.parametrize("moved", ["query_positions", "positions"])
def test_decoder_positions_steer_attention(decoder, moved):
    inputs = {"query_positions": normal(1, 5, 16), "positions": normal(1, 9, 16)}
    rest = {"landmarks": normal(1, 5, 16, seed=5), "memory": normal(1, 9, 16, seed=6)}
    before = of(decoder(**rest, **inputs))
    inputs[moved] = 1 - inputs[moved]
    assert np.abs(of(decoder(**rest, **inputs)) - before).max() > 1e-2


def test_the_planned_outputs_of_a_decoder_have_the_order_of_its_call(decoder):
    x, memory = keras.KerasTensor((2, 5, 16)), keras.KerasTensor((2, 9, 16))
    found = decoder.compute_output_spec(x, x, memory, memory, None, True)
    assert [spec.shape for spec in found] == [(2, 5, 16), (2, SIZES["num_heads"], 5, 9)]


def test_tokens_without_positions_have_no_order(encoder):
    tokens, nowhere = normal(1, 9, 16), np.zeros((1, 9, 16), "float32")
    order = np.random.default_rng(0).permutation(9)
    turned = of(encoder(tokens[:, order], nowhere))
    np.testing.assert_allclose(turned, of(encoder(tokens, nowhere))[:, order], atol=1e-5)


def test_cross_attention_starts_where_the_landmark_is():
    codes = sine_positions(grid_centers(6, 6), 64)
    decoder = DecoderLayer(64, 8, 16, name="decoder")
    decoder.build(*[(None, 36, 64)] * 4)
    silent = np.zeros((1, 36, 64), "float32")
    _, attention = decoder(silent, codes[None], silent, codes[None], return_attention=True)
    mean = of(attention)[0].mean(0)
    assert (mean.argmax(1) == np.arange(36)).all()


# === Head ===
def test_head_of_zero_is_the_mean_shape():
    mean_shape = np.array([[0, 0], [0.5, 0.5], [1, 1]])
    head = LandmarkHead(64, mean_shape, 8, name="head")
    head.build((None, 3, 16))
    points = of(head(np.zeros((1, 3, 16), "float32")))
    assert points.tolist() == [[[-0.5, -0.5], [31.5, 31.5], [63.5, 63.5]]]


def test_head_unit_is_an_eighth_of_the_crop():
    head = LandmarkHead(64, [[0.5, 0.5]], 8, name="head")
    head.build((None, 1, 16))
    head.coordinates.bias.assign([1.0, -2.0])
    assert of(head(np.zeros((1, 1, 16), "float32"))).tolist() == [[[39.5, 15.5]]]


# === Tokens ===
@pytest.mark.parametrize(("filters", "factor"), [((), 1), ((6,), 2), ((8, 4), 4)])
def test_tokens(filters, factor):
    features = keras.Input((3, 5, 10))
    tokens, grid = feature_tokens(features, 12, filters)
    assert grid == (3 * factor, 5 * factor)
    assert tokens.shape == (None, 15 * factor**2, filters[-1] if filters else 12)


def test_tokens_go_row_by_row():
    features = keras.Input((2, 3, 1))
    model = keras.Model(features, feature_tokens(features, 1, ())[0])
    model.get_layer("reduce").kernel.assign([[[[1.0]]]])
    assert of(model(np.arange(6.0).reshape(1, 2, 3, 1))).ravel().tolist() == [0, 1, 2, 3, 4, 5]


def test_deconvolution_is_that_of_pytorch(backend):
    torch = pytest.importorskip("torch")
    features = keras.Input((3, 4, 5))
    model = keras.Model(features, feature_tokens(features, 5, (6,))[0])
    model = randomize(keras.Model(features, model.get_layer("deconv1").output))
    x = normal(2, 3, 4, 5)
    kernel, bias, up = (of(w) for w in model.weights)
    theirs = torch.nn.ConvTranspose2d(5, 6, 4, 2, 1, bias=False)
    with torch.no_grad():
        theirs.weight.copy_(torch.tensor(up.transpose(3, 2, 0, 1).copy()))
        reduced = torch.tensor((x @ kernel[0, 0] + bias).transpose(0, 3, 1, 2).copy())
        expected = theirs.to("cpu")(reduced).numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(of(model(x)), expected, atol=1e-5)


# === Configurations ===
LAYERS = {
    "encoder": (EncoderLayer(**SIZES, dropout=0.1, name="encoder1"), [(None, 9, 16)] * 2),
    "decoder": (
        DecoderLayer(**SIZES, identity_scale=3.0, name="decoder1"),
        [(None, 5, 16)] * 2 + [(None, 9, 16)] * 2,
    ),
    "head": (LandmarkHead(64, [[0.1, 0.2]], 8, name="head"), [(None, 1, 16)]),
    "table": (Embedding(4, 16, SinePosition(grid_centers(2, 2)), name="places"), [(None, 2, 16)]),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_layer_survives_json(kind):
    layer, shapes = LAYERS[kind]
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(layer)
    assert again.get_config() == layer.get_config()
    for one in (layer, again):
        if not one.built:
            one.build(*shapes)
    assert [v.path for v in again.weights] == [v.path for v in layer.weights]
    assert [v.shape for v in again.weights] == [v.shape for v in layer.weights]
