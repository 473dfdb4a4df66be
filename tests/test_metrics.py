"""NME, failure rate and AUC, by hand and against slower ways to compute them."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_lotr import AreaUnderCED, FailureRate, NormalizedMeanError
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
