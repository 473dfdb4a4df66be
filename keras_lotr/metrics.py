"""NME, failure rate and area under the CED curve, all in per cent, exact over unequal batches."""

import keras
from keras import ops

from keras_lotr.losses import of_same_shape, spread_weight
from keras_lotr.schemes import get_scheme, scheme_config


def landmark_errors(y_true, y_pred, scheme, normalizer=None):
    """Compute the distance of each landmark from its label, in per cent of the normaliser.

    Args:
        y_true, y_pred: (B, N, 2) in the same pixels; NaN in y_true where a landmark has no label.
        scheme: name or `LandmarkScheme`.
        normalizer: the divisor: "outer_eyes", the distance of the outer eye corners; "box",
            sqrt(w * h) of the box around the labelled landmarks; or "interpupil", the distance of
            the centres of the eyes, each the mean of its landmarks. None takes the scheme's own.

    Returns:
        (B, N) float32. NaN means that nothing was measured, because the landmark has no label or
        the face has no normaliser (an eye corner has no label, or both are in one place). Infinity
        means that the prediction is not finite.

    Raises:
        ValueError: the number of landmarks is another one, y_true and y_pred have different
            numbers of faces, or the scheme has no such normaliser.

    Example:

    >>> import numpy as np
    >>> truth = np.zeros((1, 68, 2)); truth[0, 45, 0] = 50
    >>> float(landmark_errors(truth, truth + [3, 4], "ibug68")[0, 0])
    10.0
    """
    scheme = get_scheme(scheme)
    y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
    if y_true.shape[-2] not in (None, scheme.num_landmarks):
        raise ValueError(
            f"Expected {scheme.num_landmarks} landmarks ({scheme.name}). Received: "
            f"y_true of shape {tuple(y_true.shape)}"
        )
    y_true = of_same_shape(y_true, y_pred)
    labelled = ops.all(ops.isfinite(y_true), axis=-1)
    unit = _normalizer(y_true, labelled, scheme, normalizer)[:, None]
    error = 100 * _norm(y_pred - y_true) / unit
    error = ops.where(ops.isfinite(error), error, float("inf"))
    return ops.where(ops.logical_and(labelled, unit > 0), error, float("nan"))


def _normalizer(y_true, labelled, scheme, name):
    """(B,), pixels; NaN or 0 where a face has none."""
    name = scheme.check_normalizer(name)
    if name == "box":
        labelled = labelled[..., None]
        high = ops.max(ops.where(labelled, y_true, -float("inf")), axis=1)
        low = ops.min(ops.where(labelled, y_true, float("inf")), axis=1)
        return ops.sqrt(ops.prod(ops.maximum(high - low, 0.0), axis=-1))
    eyes = scheme.five_points[:2] if name == "interpupil" else [[i] for i in scheme.outer_eyes]
    left, right = (ops.mean(ops.take(y_true, list(eye), axis=1), axis=1) for eye in eyes)
    return _norm(left - right)


def normalized_mean_error(y_true, y_pred, scheme, normalizer=None):
    """The NME of each face in per cent, the mean over its labelled landmarks.

    Args:
        y_true, y_pred, scheme, normalizer: as of `landmark_errors`.

    Returns:
        (B,) float32, NaN for a face that cannot be measured.
    """
    errors = landmark_errors(y_true, y_pred, scheme, normalizer)
    return _mean_over_landmarks(errors, ops.ones_like(errors))[0]


def _mean_over_landmarks(errors, weights):
    """(B, N), (B, N) -> (B,) mean of the measured errors, NaN without any; (B,) weight of the face.

    A face weighs as much as its heaviest landmark: a weight of the face that is repeated for each
    landmark stays what it is, and a face with gaps counts as one without.
    """
    weights = ops.where(ops.isnan(errors), 0.0, weights)
    counts = weights > 0
    total = ops.sum(ops.where(counts, weights * errors, 0.0), axis=-1)
    mean = total / ops.sum(weights, axis=-1)  # 0 / 0 is NaN
    return mean, ops.max(weights, axis=-1)


def _norm(vectors):
    return ops.sqrt(ops.sum(ops.square(vectors), axis=-1))


def failures(nme, threshold):
    """1 where a face's NME exceeds the threshold or is NaN: (B,) -> (B,).

    The mean of those that are not NaN is the failure rate.
    """
    return 1 - ops.cast(nme <= threshold, "float32")


def area_under_ced(nme, threshold):
    """The part of the area under the cumulative error curve that each face gives: (B,) -> (B,).

    The curve counts the faces with an error up to e; its area from 0 to the threshold, over the
    threshold, is the mean of max(0, 1 - nme / threshold) over the faces: no histogram is needed.
    NaN gives nothing.
    """
    return ops.where(nme <= threshold, 1 - nme / threshold, 0.0)


class _FaceMean(keras.metrics.Mean):
    """The mean over faces of a number in per cent that each face has.

    Landmarks without label (NaN in y_true) do not count, nor do faces that have no normaliser; if
    there is no other face, the result is NaN. A `sample_weight`, for `weighted_metrics`, is one for
    each face, (B,), or landmark, (B, N).
    """

    # What Keras' callbacks, such as EarlyStopping("val_nme"), take for better under mode="auto".
    _direction = "down"

    def __init__(self, scheme, normalizer, name, **kwargs):
        super().__init__(name=name, **kwargs)
        self.scheme = get_scheme(scheme)
        self.normalizer = self.scheme.check_normalizer(normalizer)

    def update_state(self, y_true, y_pred, sample_weight=None):
        errors = landmark_errors(y_true, y_pred, self.scheme, self.normalizer)
        weights = ops.ones_like(errors)
        if sample_weight is not None:
            weights = spread_weight(sample_weight, errors)
        nme, weight = _mean_over_landmarks(errors, weights)
        value = ops.where(weight > 0, self.of_nme(nme), 0.0)  # 0 x NaN is NaN
        super().update_state(value, weight)

    def result(self):
        return ops.where(self.count > 0, super().result(), float("nan"))

    def get_config(self):
        config = {"scheme": scheme_config(self.scheme), "normalizer": self.normalizer}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable(package="keras_lotr")
class NormalizedMeanError(_FaceMean):
    """The normalised mean error (NME): its mean over the faces, in per cent.

    Args:
        scheme: name or `LandmarkScheme`, for the normaliser.
        normalizer: "outer_eyes", "box" or "interpupil", see `landmark_errors`; None: the scheme's.

    Example:

    >>> import numpy as np
    >>> truth = np.zeros((1, 68, 2)); truth[0, 45, 0] = 50
    >>> metric = NormalizedMeanError("ibug68"); metric.update_state(truth, truth + [3, 4])
    >>> float(metric.result())
    10.0
    """

    def __init__(self, scheme, normalizer=None, name="nme", **kwargs):
        super().__init__(scheme, normalizer, name, **kwargs)

    def of_nme(self, nme):
        return nme


class _Thresholded(_FaceMean):
    def __init__(self, scheme, threshold, normalizer, name, **kwargs):
        super().__init__(scheme, normalizer, name, **kwargs)
        if not threshold > 0:
            raise ValueError(f"Expected a threshold in per cent above 0. Received: {threshold}")
        self.threshold = threshold

    def get_config(self):
        return {**super().get_config(), "threshold": self.threshold}


@keras.saving.register_keras_serializable(package="keras_lotr")
class FailureRate(_Thresholded):
    """The failure rate: the per cent of faces with an NME above the threshold.

    Args:
        scheme: name or `LandmarkScheme`, for the normaliser.
        threshold: per cent; the field uses 8 for JD-landmark, 10 for WFLW.
        normalizer: "outer_eyes", "box" or "interpupil", see `landmark_errors`; None: the scheme's.

    Example:

    >>> import numpy as np
    >>> truth = np.zeros((2, 68, 2)); truth[:, 45, 0] = 50
    >>> metric = FailureRate("ibug68", threshold=8)
    >>> metric.update_state(truth, truth + np.array([[[3, 4]], [[0, 0]]]))
    >>> float(metric.result())
    50.0
    """

    def __init__(self, scheme, threshold=10.0, normalizer=None, name="failure_rate", **kwargs):
        super().__init__(scheme, threshold, normalizer, name, **kwargs)

    def of_nme(self, nme):
        return 100 * failures(nme, self.threshold)


@keras.saving.register_keras_serializable(package="keras_lotr")
class AreaUnderCED(_Thresholded):
    """The area under the cumulative error distribution up to the threshold, in per cent.

    Args:
        scheme: name or `LandmarkScheme`, for the normaliser.
        threshold: per cent; the field uses 8 for JD-landmark, 10 for WFLW.
        normalizer: "outer_eyes", "box" or "interpupil", see `landmark_errors`; None: the scheme's.

    Example:

    >>> import numpy as np
    >>> truth = np.zeros((1, 68, 2)); truth[0, 45, 0] = 50
    >>> metric = AreaUnderCED("ibug68", threshold=20); metric.update_state(truth, truth + [3, 4])
    >>> float(metric.result())
    50.0
    """

    _direction = "up"

    def __init__(self, scheme, threshold=10.0, normalizer=None, name="auc", **kwargs):
        super().__init__(scheme, threshold, normalizer, name, **kwargs)

    def of_nme(self, nme):
        return 100 * area_under_ced(nme, self.threshold)
