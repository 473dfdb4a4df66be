"""Wing and smooth-Wing: the formulas, their smoothness, and how they are weighted and saved."""

import contextlib
from functools import partial

import keras
import numpy as np
import pytest
from keras import layers, ops
from tiny import jax_float64, value_and_slope

from keras_lotr import NormalizedMeanError, SmoothWing, Wing, smooth_wing, wing
from keras_lotr.losses import opening_loss
from keras_lotr.schemes import get_scheme

LOSSES = [Wing, SmoothWing]
DTYPES = ["float32", "float64"]


def numpy_wing(x, w, epsilon):
    return np.where(x < w, w * np.log(1 + x / epsilon), x - w + w * np.log(1 + w / epsilon))


def numpy_smooth_wing(x, w, epsilon, t):
    s = (w + epsilon) / (2 * t * (epsilon + t))
    c1 = w - (w + epsilon) * np.log(1 + w / epsilon)
    c2 = (w + epsilon) * np.log(1 + t / epsilon) - s * t**2
    return np.select(
        [x < t, x <= w], [s * x**2, (w + epsilon) * np.log(1 + x / epsilon) - c2], x - c1 - c2
    )


def of_distance(loss, **settings):
    """The loss as a function of the distance along one axis."""

    def function(x):
        pair = ops.stack([x, x], axis=-1)[None]
        return loss(ops.zeros_like(pair), pair, **settings)[0]

    return function


@contextlib.contextmanager
def precision(dtype):
    """JAX computes with float64 only when told to."""
    if keras.backend.backend() != "jax":
        yield
        return
    with jax_float64(dtype == "float64"):
        yield


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("settings", [(10.0, 2.0, 0.01), (5.0, 0.5, 0.2), (1.0, 3.0, 0.9)])
def test_equals_numpy(settings, dtype):
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 192, (4, 7, 2)).astype(dtype)
    scale = 10 ** rng.uniform(-4, 2, truth.shape)
    points = (truth + scale * rng.choice([-1, 1], truth.shape)).astype(dtype)
    x = np.abs(points - truth)
    with precision(dtype):
        computed = [wing(truth, points, *settings[:2]), smooth_wing(truth, points, *settings)]
        computed = [ops.convert_to_numpy(values) for values in computed]
    expected = [numpy_wing(x, *settings[:2]), numpy_smooth_wing(x, *settings)]
    for ours, theirs in zip(computed, expected, strict=True):
        assert ours.dtype == dtype
        np.testing.assert_allclose(ours, theirs.mean(-1), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("joint", [0.01, 10.0])
def test_smooth_wing_and_its_slope_have_no_step(joint, dtype):
    near = 1e-6 if dtype == "float32" else 1e-10
    x = np.array([joint * (1 - near), joint * (1 + near)], dtype)
    assert x[0] < x[1]
    values, slopes = value_and_slope(of_distance(smooth_wing), x)
    assert values.dtype == slopes.dtype == dtype
    assert abs(values[1] - values[0]) <= 2 * slopes[0] * (x[1] - x[0]) + 8 * np.spacing(values[0])
    assert abs(slopes[1] / slopes[0] - 1) <= 10 * near
    analytic = 1.0 if joint == 10 else 12 / 2.01
    np.testing.assert_allclose(slopes, analytic, rtol=10 * near)


def test_smooth_wing_changes_as_its_slope_says():
    x = np.array([0.005, 0.009, 0.01, 0.011, 1.0, 9.9, 10.0, 10.1, 30.0])
    function, step = of_distance(smooth_wing), 1e-7
    slopes = value_and_slope(function, x)[1]
    up, down = (value_and_slope(function, x + h)[0] for h in (step, -step))
    np.testing.assert_allclose((up - down) / (2 * step), slopes, rtol=1e-4)


def test_wing_has_its_known_step_of_the_slope():
    values, slopes = value_and_slope(of_distance(wing), np.array([10 - 1e-9, 10 + 1e-9]))
    np.testing.assert_allclose(values[0], values[1], atol=1e-8)
    np.testing.assert_allclose(slopes, [10 / 12, 1.0], rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", [wing, smooth_wing])
def test_slope_is_finite_where_prediction_is_exact(loss, dtype):
    values, slopes = value_and_slope(of_distance(loss), np.zeros(3, dtype))
    assert (values == 0).all()
    assert np.isfinite(slopes).all()


# === Openings ===
PAIRS = [(0, 3), (1, 2)]  # of 5 landmarks


@pytest.mark.parametrize("dtype", DTYPES)
def test_opening_loss_equals_numpy(dtype):
    rng = np.random.default_rng(3)
    truth = rng.uniform(0, 64, (6, 5, 2)).astype(dtype)
    points = (truth + rng.normal(0, 8, truth.shape)).astype(dtype)
    expected = np.zeros((6, 5))
    for i, j in PAIRS:
        x = np.abs((points[:, i] - points[:, j]) - (truth[:, i] - truth[:, j]))
        of_pair = np.where(x < 10, x**2, 20 * x - 100).mean(-1)
        expected[:, i] = expected[:, j] = of_pair / 2
    with precision(dtype):
        computed = ops.convert_to_numpy(opening_loss(truth, points, PAIRS))
    assert computed.dtype == dtype
    np.testing.assert_allclose(computed, expected, rtol=1e-5, atol=1e-5)


def test_an_opening_that_only_moved_costs_nothing():
    truth = np.random.default_rng(4).uniform(0, 64, (2, 5, 2)).astype("float32")
    loss = SmoothWing(openings=PAIRS, opening_weight=3.0)
    np.testing.assert_allclose(float(loss(truth, truth + 4)), float(SmoothWing()(truth, truth + 4)))
    closed = truth.copy()
    closed[:, 3] = closed[:, 0]
    assert float(loss(truth, closed)) > float(SmoothWing()(truth, closed)) + 1


@pytest.mark.parametrize(("label", "slope"), [(np.nan, 0.0), (0.0, 3.0)])
def test_a_pair_without_a_label_costs_nothing(label, slope):
    def of_height(x):
        eye = ops.stack([ops.stack([0 * x, x], -1), ops.zeros((*x.shape, 2), x.dtype)], 1)
        truth = ops.zeros_like(eye) + ops.convert_to_tensor([[0, 0], [0, label]], x.dtype)
        return opening_loss(truth, eye, [(0, 1)])[:, 0]

    values, slopes = value_and_slope(of_height, np.array([0.0, 6.0], "float32"))
    np.testing.assert_allclose(slopes, [0, slope])
    np.testing.assert_allclose(values, [0, 3 * slope])


# === As keras.losses.Loss ===
@pytest.mark.parametrize("faces", [3, 7])  # as many faces as landmarks: no accident of broadcasting
@pytest.mark.parametrize("loss", LOSSES)
def test_sample_weights(loss, faces):
    rng = np.random.default_rng(1)
    truth, points = rng.uniform(0, 64, (2, faces, 7, 2)).astype("float32")
    values = ops.convert_to_numpy(loss(reduction="none")(truth, points))
    assert values.shape == (faces, 7)
    of_landmarks = rng.integers(0, 2, (faces, 7)).astype("float32")
    of_faces = rng.uniform(0, 1, faces).astype("float32")
    for weights, like_values in ((of_landmarks, of_landmarks), (of_faces, of_faces[:, None])):
        factors = np.broadcast_to(like_values, values.shape)
        weighted = values * factors
        for reduction, expected in (
            ("none", weighted),
            ("sum", weighted.sum()),
            ("sum_over_batch_size", weighted.mean()),
            (
                "mean_with_sample_weight",
                weighted.sum() / np.broadcast_to(factors, values.shape).sum(),
            ),
        ):
            computed = ops.convert_to_numpy(loss(reduction=reduction)(truth, points, weights))
            np.testing.assert_allclose(computed, expected, rtol=1e-5)


@pytest.mark.parametrize("loss", [wing, smooth_wing, partial(opening_loss, pairs=[(0, 1)])])
def test_whole_numbers_do_not_round_the_labels(loss):
    truth, points = np.array([[[0.5, 0.25], [1.5, 2.75]]]), np.array([[[3, 3], [4, 5]]])
    of_floats, of_integers = (
        ops.convert_to_numpy(loss(truth.astype("float32"), p))
        for p in (points.astype("float32"), points)
    )
    np.testing.assert_array_equal(of_integers, of_floats)


@pytest.mark.parametrize("loss", LOSSES)
def test_masked_landmark_teaches_nothing(loss):
    truth = np.zeros((2, 4, 2), "float32")
    masked, changed = np.ones((2, 4), "float32"), truth + 3
    masked[:, 2], changed[:, 2] = 0, 1e6
    assert float(loss()(truth, changed, masked)) == float(loss()(truth, truth + 3, masked))


@pytest.mark.parametrize("shape", [(4,), (4, 5)])
def test_fit_with_sample_weight(shape):
    model = keras.Sequential([layers.Input((3,)), layers.Dense(10), layers.Reshape((5, 2))])
    model.compile("sgd", SmoothWing())
    x, y = np.ones((4, 3), "float32"), np.full((4, 5, 2), 30, "float32")
    weight = np.zeros(shape, "float32")
    before = [ops.convert_to_numpy(v) for v in model.weights]
    history = model.fit(x, y, sample_weight=weight, verbose=0)
    assert history.history["loss"] == [0.0]
    for old, variable in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, ops.convert_to_numpy(variable))
    assert model.fit(x, y, sample_weight=weight + 1, verbose=0).history["loss"][0] > 1


@pytest.mark.parametrize(
    "loss",
    [
        Wing(5.0, 1.0),
        SmoothWing(5.0, 1.0, 0.5, reduction="sum"),
        SmoothWing(openings=((0, 1),), opening_weight=0.5),
    ],
)
def test_config(loss):
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()
    truth, points = np.zeros((1, 2, 2)), np.array([[[0.1, 3], [7, -20]]])
    assert float(again(truth, points)) == float(loss(truth, points))


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"w": 0}, "w > 0.*w=0"), ({"epsilon": -1}, "epsilon > 0"), ({"w": float("nan")}, "w > 0")],
)
@pytest.mark.parametrize("loss", LOSSES)
def test_bad_settings(loss, settings, message):
    with pytest.raises(ValueError, match=message):
        loss(**settings)


@pytest.mark.parametrize("weight", [0, -1.0])
def test_bad_opening_weight(weight):
    with pytest.raises(ValueError, match="opening_weight > 0"):
        SmoothWing(openings=PAIRS, opening_weight=weight)


def test_openings_beyond_the_face():
    y = np.zeros((2, 5, 2))
    loss = SmoothWing(openings=[(0, 9)])
    with pytest.raises(ValueError, match="landmarks below 5, .* Received: landmark 9"):
        loss(y, y)


def test_openings_of_a_scheme():
    openings = get_scheme("ibug68").openings
    loss = SmoothWing(openings=openings)
    assert loss.openings == [list(pair) for pairs in openings.values() for pair in pairs]
    assert SmoothWing(openings=np.array([[0, 1]])).openings == [[0, 1]]
    assert SmoothWing(openings=(pair for pair in [(0, 1)])).openings == [[0, 1]]


@pytest.mark.parametrize("pairs", [[(0, 1, 2)], [(0, 0.5)], [(0, -1)], [5], ["ab"], {"eye": [3]}])
def test_openings_that_are_no_pairs(pairs):
    with pytest.raises(ValueError, match="Expected openings as pairs of landmarks"):
        SmoothWing(openings=pairs)


@pytest.mark.parametrize("t", [0, 10.0, 11])
def test_bad_t(t):
    with pytest.raises(ValueError, match="Expected t"):
        SmoothWing(t=t)


# === Landmarks without label ===
def faces_with_gaps(gap=np.nan):
    rng = np.random.default_rng(2)
    truth, points = rng.uniform(0, 64, (2, 4, 7, 2)).astype("float32")
    gaps = rng.random((4, 7)) < 0.4
    return np.where(gaps[..., None], np.float32(gap), truth), points, gaps


@pytest.mark.parametrize("gap", [np.nan, np.inf])
@pytest.mark.parametrize("loss", [wing, smooth_wing])
def test_a_gap_costs_nothing_and_the_others_what_they_did(loss, gap):
    truth, points, gaps = faces_with_gaps(gap)
    values = ops.convert_to_numpy(loss(truth, points))
    complete = ops.convert_to_numpy(loss(np.where(gaps[..., None], 7, truth), points))
    np.testing.assert_array_equal(values, np.where(gaps, 0, complete))


@pytest.mark.parametrize("loss", [wing, smooth_wing])
def test_a_label_with_one_coordinate_is_a_gap(loss):
    assert float(loss([[[np.nan, 3.0]]], [[[1.0, 50.0]]])[0, 0]) == 0


@pytest.mark.parametrize("loss", [wing, smooth_wing])
def test_a_gap_has_no_slope(loss):
    def function(x):
        pair = ops.stack([x, x], axis=-1)[None]
        return loss(ops.full_like(pair, np.nan), pair)[0]

    values, slopes = value_and_slope(function, np.array([0.0, 3.0, 50.0], "float32"))
    assert values.tolist() == slopes.tolist() == [0, 0, 0]


@pytest.mark.parametrize("loss", [Wing(), SmoothWing(), wing, smooth_wing])
def test_fit_with_gaps(loss):
    """The same training, whatever stands at a landmark that weighs nothing."""
    truth, _, gaps = faces_with_gaps()
    histories = []
    for labels, weight in (
        (truth, None),
        (truth, ~gaps),
        (np.where(gaps[..., None], np.float32(7), truth), ~gaps),
    ):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([layers.Input((3,)), layers.Dense(14), layers.Reshape((7, 2))])
        model.compile("sgd", loss)
        x, weight = np.ones((4, 3), "float32"), None if weight is None else weight.astype("float32")
        fitted = model.fit(x, labels, sample_weight=weight, epochs=3, verbose=0)
        histories.append(fitted.history["loss"])
    assert 0 < histories[0][2] < histories[0][1] < histories[0][0]
    np.testing.assert_allclose(histories[1:], histories[:1] * 2, rtol=1e-5)


@pytest.mark.parametrize("shapes", [[(4,), (4, 5)], [(4, 5), (4,)], [None, (4, 5), (4,)]])
def test_weights_of_another_rank_in_the_next_fit(shapes):
    model = keras.Sequential([layers.Input((3,)), layers.Dense(10), layers.Reshape((5, 2))])
    model.compile(keras.optimizers.SGD(0.0), SmoothWing())
    x, y = np.ones((4, 3), "float32"), np.full((4, 5, 2), 30, "float32")
    losses = []
    for shape in shapes:
        weight = None if shape is None else np.ones(shape, "float32")
        losses += model.fit(x, y, sample_weight=weight, verbose=0).history["loss"]
    np.testing.assert_allclose(losses, losses[0], rtol=1e-6)


def test_one_weight_for_all():
    truth, points, _ = faces_with_gaps()
    loss = SmoothWing()
    np.testing.assert_allclose(float(loss(truth, points, 0.5)), float(loss(truth, points)) / 2)


@pytest.mark.parametrize("shape", [(4, 1, 2), (4, 6, 2), (4, 7, 1), (4, 14), (1, 7, 2), (7, 2)])
@pytest.mark.parametrize("loss", [wing, smooth_wing, Wing(), SmoothWing()])
def test_labels_of_another_shape_are_not_laid_along_the_landmarks(loss, shape):
    points = np.zeros((4, 7, 2), "float32")
    for pair in ((np.zeros(shape, "float32"), points), (points, np.zeros(shape, "float32"))):
        with pytest.raises(ValueError, match=r"the same shape \(B, N, 2\)"):
            loss(*pair)


@pytest.mark.parametrize("metrics", [[], [NormalizedMeanError("plain5")]])
def test_labels_of_another_shape_are_refused_after_a_fit_with_the_right_ones(metrics):
    """TensorFlow traces such a fit without the number of landmarks and would broadcast one."""
    model = keras.Sequential([layers.Input((3,)), layers.Dense(10), layers.Reshape((5, 2))])
    model.compile("sgd", "mse" if metrics else SmoothWing(), metrics=metrics)
    x, y = np.zeros((4, 3), "float32"), np.zeros((4, 5, 2), "float32")
    model.fit(x, y, verbose=0)
    with pytest.raises(Exception, match="shape"):  # of TensorFlow an error of its own
        model.fit(x, y[:, :1], verbose=0)


def test_labels_of_as_many_numbers_in_another_order_are_refused_after_a_fit():
    model = keras.Sequential([layers.Input((3,)), layers.Dense(10), layers.Reshape((5, 2))])
    model.compile("sgd", SmoothWing())
    x, y = np.zeros((4, 3), "float32"), np.zeros((4, 5, 2), "float32")
    model.fit(x, y, verbose=0)
    with pytest.raises(Exception, match="shape"):
        model.fit(x, y.transpose(0, 2, 1), verbose=0)


def test_weights_of_another_number_of_landmarks():
    truth, points, _ = faces_with_gaps()
    count = len(points[0])
    with pytest.raises(ValueError, match=rf"shape \(B,\) or \(B, {count}\).* Received: 3 for each"):
        SmoothWing()(truth, points, np.ones((len(points), 3), "float32"))


def test_fit_refuses_labels_of_another_shape():
    model = keras.Sequential([layers.Input((3,)), layers.Dense(10), layers.Reshape((5, 2))])
    model.compile("sgd", SmoothWing())
    with pytest.raises(ValueError, match="the same shape"):
        model.fit(np.ones((4, 3), "float32"), np.zeros((4, 1, 2), "float32"), verbose=0)
