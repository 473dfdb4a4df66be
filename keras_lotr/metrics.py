"""NME, failure rate and area under the CED curve, all in per cent, exact over unequal batches."""

import keras
from keras import ops

from keras_lotr.schemes import get_scheme


def landmark_errors(y_true, y_pred, scheme):
    """Distance of each landmark from the truth, in per cent of the scheme's normaliser.

    Args:
        y_true, y_pred: (B, N, 2) in the same pixels.
        scheme: name or `LandmarkScheme`. Its `normalizer` says by what is divided: the distance of
            the outer eye corners, or sqrt(w * h) of the box around the true landmarks.

    Returns:
        (B, N) float32.

    Example:

    >>> import numpy as np
    >>> truth = np.zeros((1, 68, 2)); truth[0, 45, 0] = 50
    >>> float(landmark_errors(truth, truth + [3, 4], "ibug68")[0, 0])
    10.0
    """
    scheme = get_scheme(scheme)
    y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
    if y_true.shape[-2] != scheme.num_landmarks:
        raise ValueError(
            f"Expected {scheme.num_landmarks} landmarks ({scheme.name}). Received: "
            f"y_true of shape {tuple(y_true.shape)}"
        )
    if scheme.normalizer == "outer_eyes":
        left, right = scheme.outer_eyes
        unit = _norm(y_true[:, left] - y_true[:, right])
    else:
        unit = ops.sqrt(ops.prod(ops.max(y_true, axis=1) - ops.min(y_true, axis=1), axis=-1))
    return 100 * _norm(y_pred - y_true) / unit[:, None]


def normalized_mean_error(y_true, y_pred, scheme):
    """The NME of each face in per cent: (B, N, 2), (B, N, 2) -> (B,)."""
    return ops.mean(landmark_errors(y_true, y_pred, scheme), axis=-1)


def _norm(vectors):
    return ops.sqrt(ops.sum(ops.square(vectors), axis=-1))


def failures(nme, threshold):
    """1 where a face's NME exceeds the threshold: (B,) -> (B,). Its mean is the failure rate."""
    return ops.cast(nme > threshold, "float32")


def area_under_ced(nme, threshold):
    """The part of the area under the cumulative error curve that each face gives: (B,) -> (B,).

    The curve counts the faces with an error up to e; its area from 0 to the threshold, over the
    threshold, is the mean of max(0, 1 - nme / threshold) over the faces: no histogram is needed.
    """
    return ops.maximum(0.0, 1 - nme / threshold)


class _FaceMean(keras.metrics.Mean):
    """The mean over faces of a number in per cent that each face has."""

    def __init__(self, scheme, name, **kwargs):
        super().__init__(name=name, **kwargs)
        self.scheme = get_scheme(scheme)

    def update_state(self, y_true, y_pred, sample_weight=None):
        nme = normalized_mean_error(y_true, y_pred, self.scheme)
        super().update_state(self.of_nme(nme), sample_weight)

    def get_config(self):
        return {**super().get_config(), "scheme": self.scheme.name}


@keras.saving.register_keras_serializable(package="keras_lotr")
class NormalizedMeanError(_FaceMean):
    """Mean over faces of the NME, in per cent.

    Args:
        scheme: name or `LandmarkScheme`, for the normaliser.

    Example:

    >>> import numpy as np
    >>> truth = np.zeros((1, 68, 2)); truth[0, 45, 0] = 50
    >>> metric = NormalizedMeanError("ibug68"); metric.update_state(truth, truth + [3, 4])
    >>> float(metric.result())
    10.0
    """

    def __init__(self, scheme, name="nme", **kwargs):
        super().__init__(scheme, name, **kwargs)

    def of_nme(self, nme):
        return nme


class _Thresholded(_FaceMean):
    def __init__(self, scheme, threshold, name, **kwargs):
        super().__init__(scheme, name, **kwargs)
        if not threshold > 0:
            raise ValueError(f"Expected a threshold in per cent above 0. Received: {threshold}")
        self.threshold = threshold

    def get_config(self):
        return {**super().get_config(), "threshold": self.threshold}


@keras.saving.register_keras_serializable(package="keras_lotr")
class FailureRate(_Thresholded):
    """Per cent of the faces with an NME above the threshold.

    Args:
        scheme: name or `LandmarkScheme`, for the normaliser.
        threshold: per cent; the field uses 8 for JD-landmark, 10 for WFLW.

    Example:

    >>> import numpy as np
    >>> truth = np.zeros((2, 68, 2)); truth[:, 45, 0] = 50
    >>> metric = FailureRate("ibug68", threshold=8)
    >>> metric.update_state(truth, truth + np.array([[[3, 4]], [[0, 0]]]))
    >>> float(metric.result())
    50.0
    """

    def __init__(self, scheme, threshold=10.0, name="failure_rate", **kwargs):
        super().__init__(scheme, threshold, name, **kwargs)

    def of_nme(self, nme):
        return 100 * failures(nme, self.threshold)


@keras.saving.register_keras_serializable(package="keras_lotr")
class AreaUnderCED(_Thresholded):
    """Area under the cumulative error distribution up to the threshold, per cent of the whole.

    Args:
        scheme: name or `LandmarkScheme`, for the normaliser.
        threshold: per cent; the field uses 8 for JD-landmark, 10 for WFLW.

    Example:

    >>> import numpy as np
    >>> truth = np.zeros((1, 68, 2)); truth[0, 45, 0] = 50
    >>> metric = AreaUnderCED("ibug68", threshold=20); metric.update_state(truth, truth + [3, 4])
    >>> float(metric.result())
    50.0
    """

    def __init__(self, scheme, threshold=10.0, name="auc", **kwargs):
        super().__init__(scheme, threshold, name, **kwargs)

    def of_nme(self, nme):
        return 100 * area_under_ced(nme, self.threshold)
