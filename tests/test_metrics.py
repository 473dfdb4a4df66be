"""NME, failure rate and AUC, by hand and against slower ways to compute them."""

import json

import keras
import numpy as np
import pytest
from keras import ops

from keras_lotr import AreaUnderCED, FailureRate, NormalizedMeanError, SmoothWing
from keras_lotr.landmark_scheme import Contour, LandmarkScheme
from keras_lotr.metrics import area_under_ced, failures, landmark_errors, normalized_mean_error

METRICS = [
    NormalizedMeanError("ibug68"),
    FailureRate("ibug68", threshold=5),
    AreaUnderCED("ibug68", threshold=10),
]


def make_faces(count, num_landmarks=68, error=4.0, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0, 192, (count, num_landmarks, 2))
    scale = rng.uniform(0, error, (count, 1, 1))
    return truth, truth + scale * rng.standard_normal(truth.shape)


def similarity(points, degrees=0.0):
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return 2.5 * points @ turn.T + [30, -70]


def nme_of(truth, points, scheme):
    return ops.convert_to_numpy(normalized_mean_error(truth, points, scheme))


def test_by_hand():
    truth = np.zeros((2, 68, 2))
    truth[:, 45] = [30, 40]  # outer eye corners 50 pixels apart
    points = truth.copy()
    points[0, 0] += [3, 4]
    points[1] += [0, 5]
    errors = ops.convert_to_numpy(landmark_errors(truth, points, "ibug68"))
    assert errors.shape == (2, 68)
    assert errors[0].tolist() == [10.0] + [0.0] * 67
    np.testing.assert_allclose(nme_of(truth, points, "ibug68"), [10 / 68, 10], rtol=1e-6)


def test_failure_is_above_the_threshold():
    assert ops.convert_to_numpy(failures(np.float32([7.9, 8, 8.1]), 8)).tolist() == [0, 0, 1]


def test_jd106_is_normalised_by_the_box_of_the_true_landmarks():
    truth = np.random.default_rng(0).uniform([10, 20], [90, 40], (1, 106, 2))
    truth[0, :2] = [[10, 20], [90, 40]]
    points = truth + np.array([0, 6])
    points[0, 0] = [-500, 6 + 20]
    expected = (105 * 6 + np.hypot(510, 6)) / 106 / np.sqrt(80 * 20) * 100
    np.testing.assert_allclose(nme_of(truth, points, "jd106"), expected, rtol=1e-6)
    np.testing.assert_allclose(nme_of(truth, points, "insightface106"), expected, rtol=1e-6)


def test_wflw98_is_normalised_by_corners_60_and_72():
    truth = np.zeros((1, 98, 2))
    truth[0, 72] = [20, 0]
    np.testing.assert_allclose(nme_of(truth, truth + np.array([0, 1]), "wflw98"), 5, rtol=1e-6)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_exact_over_unequal_batches(metric):
    truth, points = make_faces(8, error=12)
    metric.reset_state()
    metric.update_state(truth, points)
    at_once = float(metric.result())
    metric.reset_state()
    for part in (slice(0, 3), slice(3, 4), slice(4, 8)):
        metric.update_state(truth[part], points[part])
    np.testing.assert_allclose(float(metric.result()), at_once, rtol=1e-6)
    assert 0 < at_once < 100


@pytest.mark.parametrize("threshold", [8, 10])
def test_auc_is_the_area_under_the_curve(threshold):
    nme = np.random.default_rng(2).gamma(3, 1.5, 400).astype("float32")
    errors = (np.arange(200_000) + 0.5) / 200_000 * threshold
    curve = np.searchsorted(np.sort(nme), errors, side="right") / len(nme)
    ours = ops.convert_to_numpy(area_under_ced(nme, threshold)).mean()
    np.testing.assert_allclose(ours, curve.mean(), atol=1e-5)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_metric_is_the_mean_over_faces(metric):
    truth, points = make_faces(40, error=12)
    nme = nme_of(truth, points, "ibug68")
    expected = {
        "nme": nme.mean(),
        "failure_rate": 100 * (nme > 5).mean(),
        "auc": 100 * np.maximum(0, 1 - nme / 10).mean(),
    }
    metric.reset_state()
    metric.update_state(truth, points)
    np.testing.assert_allclose(float(metric.result()), expected[metric.name], rtol=1e-5)


@pytest.mark.parametrize(
    ("scheme", "degrees"), [("ibug68", 33), ("wflw98", 200), ("jd106", 90), ("plain7", 90)]
)
def test_unchanged_by_a_similarity(scheme, degrees):
    count = 7 if scheme == "plain7" else int(scheme.lstrip("abcdefghijklmnopqrstuvwxyz"))
    truth, points = make_faces(5, count)
    np.testing.assert_allclose(
        nme_of(similarity(truth, degrees), similarity(points, degrees), scheme),
        nme_of(truth, points, scheme),
        rtol=1e-4,
    )


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_wrong_number_of_landmarks(metric):
    with pytest.raises(ValueError, match=r"Expected 68 landmarks \(ibug68\).*\(2, 98, 2\)"):
        metric.update_state(np.zeros((2, 98, 2)), np.zeros((2, 98, 2)))


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_config(metric):
    again = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert type(again) is type(metric)
    assert again.get_config() == metric.get_config()
    assert again.get_config()["scheme"] == "ibug68"
    truth, points = make_faces(4)
    for m in (metric, again):
        m.reset_state()
        m.update_state(truth, points)
    assert float(metric.result()) == float(again.result())


@pytest.mark.parametrize("metric", [FailureRate, AreaUnderCED])
@pytest.mark.parametrize("threshold", [0, -1, float("nan")])
def test_bad_threshold(metric, threshold):
    with pytest.raises(ValueError, match="threshold in per cent above 0"):
        metric("ibug68", threshold)


def test_evaluate_counts_each_face_once(tiny_lotr):
    model = tiny_lotr(68)
    model.compile("sgd", "mse", metrics=[NormalizedMeanError("ibug68")])
    truth, _ = make_faces(5)
    crops = np.random.default_rng(0).uniform(0, 255, (5, 64, 64, 3))
    computed = model.evaluate(crops, truth, batch_size=2, verbose=0, return_dict=True)["nme"]
    expected = nme_of(truth, model.predict(crops, verbose=0), "ibug68").mean()
    np.testing.assert_allclose(computed, expected, rtol=1e-4)


# === Landmarks without label ===
def faces_with_gaps(gaps=(3, 40), face=1, **settings):
    truth, points = make_faces(4, **settings)
    truth[face, list(gaps)] = np.nan
    return truth, points


def updated(metric, *arguments):
    metric.reset_state()
    metric.update_state(*arguments)
    return float(metric.result())


def test_callbacks_know_which_value_is_the_better_one(tiny_lotr):
    metrics = [metric("ibug68") for metric in (NormalizedMeanError, FailureRate, AreaUnderCED)]
    model = tiny_lotr(68)
    model.compile("sgd", "mse", metrics=metrics)
    stopping = [keras.callbacks.EarlyStopping(f"val_{metric.name}") for metric in metrics]
    crops, truth = np.zeros((2, 64, 64, 3)), make_faces(2)[0]
    model.fit(crops, truth, validation_data=(crops, truth), callbacks=stopping, verbose=0)
    better = [callback.monitor_op for callback in stopping]
    assert better == [ops.less, ops.less, ops.greater]


def test_gaps_are_not_measured():
    truth, points = faces_with_gaps()
    errors = ops.convert_to_numpy(landmark_errors(truth, points, "ibug68"))
    complete = ops.convert_to_numpy(landmark_errors(*make_faces(4), "ibug68"))
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(errors)), [68 + 3, 68 + 40])
    np.testing.assert_array_equal(errors[~np.isnan(errors)], complete[~np.isnan(errors)])
    expected = complete.mean(1)
    expected[1] = np.delete(complete[1], [3, 40]).mean()
    np.testing.assert_allclose(nme_of(truth, points, "ibug68"), expected, rtol=1e-6)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
@pytest.mark.parametrize("kind", ["corner without label", "corners in one place", "nothing"])
def test_face_without_normaliser_is_no_success(metric, kind):
    truth, points = make_faces(4, error=12)
    expected = updated(metric, truth[1:], points[1:])
    truth[0, 36] = truth[0, 45] if kind == "corners in one place" else np.nan
    if kind == "nothing":
        truth[0] = np.nan
    assert np.isnan(nme_of(truth, points, "ibug68")).tolist() == [True, False, False, False]
    np.testing.assert_allclose(updated(metric, truth, points), expected, rtol=1e-6)
    assert np.isnan(updated(metric, truth[:1], points[:1]))


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_prediction_that_is_not_finite_is_a_failure(metric):
    truth, points = make_faces(2, error=0)
    points[0, 5] = np.nan
    expected = {"nme": np.inf, "failure_rate": 50, "auc": 50}[metric.name]
    assert updated(metric, truth, points) == expected


def test_box_with_gaps_is_that_of_the_labelled_landmarks():
    truth = np.random.default_rng(0).uniform([10, 20], [90, 40], (1, 106, 2))
    truth[0, :2] = [[10, 20], [90, 40]]
    truth[0, 2] = [500, 500]
    points = truth + np.array([0, 6])
    truth[0, 2] = np.nan
    expected = 6 / np.sqrt(80 * 20) * 100
    np.testing.assert_allclose(nme_of(truth, points, "jd106"), expected, rtol=1e-6)


def test_normalisers_by_hand():
    truth = np.zeros((1, 68, 2))
    truth[0, 36:42], truth[0, 42:48] = [10, 50], [60, 50]
    truth[0, 36], truth[0, 45] = [4, 50], [72, 50]  # moves the eyes' centres by 1 and 2
    truth[0, 16] = [80, 80]
    points = truth + np.array([0, 6])
    expected = {"outer_eyes": 6 / 68, "box": 6 / 80, "interpupil": 6 / (50 + 1 + 2)}
    for name, value in expected.items():
        errors = ops.convert_to_numpy(landmark_errors(truth, points, "ibug68", name))
        np.testing.assert_allclose(errors, 100 * value, rtol=1e-6)
        metric = NormalizedMeanError("ibug68", normalizer=name)
        np.testing.assert_allclose(updated(metric, truth, points), 100 * value, rtol=1e-6)
    truth[0, 37] = np.nan  # of the eye
    errors = landmark_errors(truth, points, "ibug68", "interpupil")
    assert np.isnan(ops.convert_to_numpy(errors)).all()


def test_arguments_in_the_order_of_the_documents():
    metrics = NormalizedMeanError("ibug68", "box"), FailureRate("ibug68", 8, "box")
    for metric in (*metrics, AreaUnderCED("ibug68", 8, "box")):
        assert metric.normalizer == "box" and metric.name in ("nme", "failure_rate", "auc")
    with pytest.raises(ValueError, match="'my_nme'"):
        NormalizedMeanError("ibug68", "my_nme")


def test_unknown_normaliser():
    truth, points = make_faces(1)
    with pytest.raises(ValueError, match="'interpupil'.*Received: 'pupils'"):
        landmark_errors(truth, points, "ibug68", "pupils")
    for name in ("outer_eyes", "interpupil"):
        with pytest.raises(ValueError, match="'box': the scheme plain5 .*eyes.*Received"):
            FailureRate("plain5", normalizer=name)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_weights(metric):
    truth, points = make_faces(4, error=12)
    of_faces = np.array([1, 0, 3, 0.5])
    nme = nme_of(truth, points, "ibug68")
    values = ops.convert_to_numpy(metric.of_nme(nme))
    expected = (values * of_faces).sum() / of_faces.sum()
    repeated = np.repeat(of_faces[:, None], 68, 1)
    for weights in (of_faces, repeated):
        np.testing.assert_allclose(updated(metric, truth, points, weights), expected, rtol=1e-5)


def test_weights_of_landmarks():
    truth, points = make_faces(4)
    errors = ops.convert_to_numpy(landmark_errors(truth, points, "ibug68"))
    weights = np.random.default_rng(5).integers(0, 2, (4, 68))
    weights[2] = 0  # leaves the face out
    expected = np.mean([errors[i][weights[i] > 0].mean() for i in (0, 1, 3)])
    truth[1, np.flatnonzero(weights[1] == 0)[3]] = np.nan
    metric = NormalizedMeanError("ibug68")
    np.testing.assert_allclose(updated(metric, truth, points, weights), expected, rtol=1e-5)


@pytest.mark.parametrize("shape", [None, (6,), (6, 68)])
def test_weighted_metrics_of_compile(tiny_lotr, shape):
    model = tiny_lotr(68)
    truth = np.concatenate([faces_with_gaps()[0], make_faces(2, seed=1)[0]]).astype("float32")
    rng = np.random.default_rng(0)
    crops, weights = rng.uniform(0, 255, (6, 64, 64, 3)), None
    if shape:
        weights = rng.uniform(0, 1, shape).astype("float32")
    metrics = [NormalizedMeanError("ibug68"), FailureRate("ibug68"), AreaUnderCED("ibug68")]
    model.compile("sgd", SmoothWing(), weighted_metrics=metrics)
    computed = model.evaluate(
        crops, truth, batch_size=4, sample_weight=weights, verbose=0, return_dict=True
    )
    predicted = model.predict(crops, verbose=0)
    for metric in (NormalizedMeanError("ibug68"), FailureRate("ibug68"), AreaUnderCED("ibug68")):
        expected = updated(metric, truth, predicted, weights)
        np.testing.assert_allclose(computed[metric.name], expected, rtol=1e-4)


@pytest.mark.parametrize("shape", [(2, 1, 2), (2, 68, 1), (1, 68), (1, 68, 2), (68, 2)])
def test_predictions_of_another_shape(shape):
    truth, _ = make_faces(2)
    with pytest.raises(ValueError, match="Expected"):
        landmark_errors(truth, np.zeros(shape), "ibug68")


@pytest.mark.parametrize("as_file", [False, True])
def test_own_scheme_is_restored(as_file):
    lines = (Contour("nose", [0, 1, 2]),)
    points = (Contour("eyes", (3, 4)),)
    groups = ((3,), (4,), (0,), (1,), (2,))
    own = LandmarkScheme(
        "mine5", 5, np.array([2, 1, 0, 4, 3]), lines, points, (3, 4), "outer_eyes", groups
    )
    metric = FailureRate(own, threshold=7, normalizer="interpupil")
    config = keras.metrics.serialize(metric)
    if as_file:
        config = json.loads(json.dumps(config))
    again = keras.metrics.deserialize(config)
    assert again.scheme.regions == own.regions
    assert again.scheme.flip_order == (2, 1, 0, 4, 3)
    assert again.get_config() == metric.get_config()
    truth, predicted = make_faces(3, 5, error=12)
    assert updated(again, truth, predicted) == updated(metric, truth, predicted)
