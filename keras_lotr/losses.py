"""The Wing loss (Feng et al., CVPR 2018) and LOTR's smooth-Wing loss, on pixel distances."""

import math

import keras
import numpy as np
from keras import ops

from keras_lotr.number_checks import whole


@keras.saving.register_keras_serializable(package="keras_lotr")
def wing(y_true, y_pred, w=10.0, epsilon=2.0):
    """Compute the Wing loss, Eq. 20 of the LOTR paper.

    ```
    w ln(1 + |x| / epsilon)    |x| < w
    |x| - c                    else,  c = w - w ln(1 + w / epsilon)
    ```

    Args:
        y_true, y_pred: (B, N, 2), crop pixels. NaN in y_true is a landmark without a label, which
            costs nothing.
        w: distance in pixels from which on the loss is linear.
        epsilon: curvature of the logarithm, in pixels.

    Returns:
        (B, N): the mean of the loss over x and y.

    Raises:
        ValueError: y_true and y_pred have different numbers of faces or landmarks.

    Example:

    >>> float(wing([[[0.0, 0.0]]], [[[30.0, 30.0]]])[0, 0])  # 30 - (10 - 10 ln 6)
    37.917...
    """
    x = _distance(y_true, y_pred)
    c = w - w * math.log1p(w / epsilon)
    return _mean(ops.where(x < w, w * ops.log1p(x / epsilon), x - c))


@keras.saving.register_keras_serializable(package="keras_lotr")
def smooth_wing(y_true, y_pred, w=10.0, epsilon=2.0, t=0.01):
    """Compute the smooth-Wing loss, Eq. 21-24 of the LOTR paper, which is quadratic near zero.

    ```
    s x^2                                |x| < t,   s = (w + epsilon) / (2 t (epsilon + t))
    (w + epsilon) ln(1 + |x| / epsilon) - c2        t <= |x| <= w
    |x| - c1 - c2                        |x| > w,   c1 = w - (w + epsilon) ln(1 + w / epsilon)
    ```

    The paper prints c2 = s t^2, which leaves a step of 1.5e-4 at t; here c2 is the value that makes
    the loss continuous, (w + epsilon) ln(1 + t / epsilon) - s t^2. Gradients are the same.

    Args:
        y_true, y_pred: (B, N, 2), crop pixels. NaN in y_true is a landmark without a label, which
            costs nothing.
        w, epsilon: as in `wing`.
        t: half width of the quadratic part, in pixels.

    Returns:
        (B, N): the mean of the loss over x and y.

    Raises:
        ValueError: y_true and y_pred have different numbers of faces or landmarks.

    Example:

    >>> float(smooth_wing([[[0.0, 0.0]]], [[[30.0, 30.0]]])[0, 0])
    41.471...
    """
    x = _distance(y_true, y_pred)
    s = (w + epsilon) / (2 * t * (epsilon + t))
    c1 = w - (w + epsilon) * math.log1p(w / epsilon)
    c2 = (w + epsilon) * math.log1p(t / epsilon) - s * t**2
    near, middle = s * x * x, (w + epsilon) * ops.log1p(x / epsilon) - c2
    return _mean(ops.where(x < t, near, ops.where(x <= w, middle, x - c1 - c2)))


def opening_loss(y_true, y_pred, pairs, w=10.0):
    """How wrong eyes and mouth are open: the squared error of the lines between their two sides.

    Wing and smooth Wing are steepest at small distances. Where a landmark is uncertain they prefer
    its most frequent place to its mean, and leave closed eyes open, which are rare. A square
    prefers the mean, and grows with the distance. Ours, not the paper's.

    ```
    |d|^2              |d| < w,   d = (upper - lower) - (true upper - true lower)
    2 w |d| - w^2      else
    ```

    Args:
        y_true, y_pred: (B, N, 2), crop pixels. NaN in y_true is a landmark without a label, whose
            pairs cost nothing.
        pairs: of the landmarks on either side of an opening, see `LandmarkScheme.openings`.
        w: distance in pixels from which on the loss is linear.

    Returns:
        (B, N): the mean over x and y, half of it at each landmark of the pair; 0 at others.

    Raises:
        ValueError: y_true and y_pred have different numbers of faces or landmarks, or a pair is of
            landmarks that they do not have.

    Example:

    >>> eye = [[[0.0, -3.0], [0.0, 3.0]]]
    >>> float(opening_loss([[[0.0, 0.0], [0.0, 0.0]]], eye, [(0, 1)])[0, 0])  # 6^2 / 2 / 2
    9.0
    """
    y_pred = _floats(y_pred)
    y_true = ops.cast(y_true, y_pred.dtype)
    upper, lower = pairs = np.array(pairs, "int32").reshape(-1, 2).T
    if pairs.size and pairs.max() >= y_pred.shape[1]:
        raise ValueError(
            f"Expected openings of landmarks below {y_pred.shape[1]}, the number that faces have. "
            f"Received: landmark {pairs.max()}"
        )
    x = _distance(*(ops.take(y, upper, 1) - ops.take(y, lower, 1) for y in (y_true, y_pred)))
    loss = _mean(ops.where(x < w, x * x, 2 * w * x - w * w))
    at = np.zeros((len(upper), y_pred.shape[1]))
    np.add.at(at, (np.arange(len(upper)), upper), 0.5)
    np.add.at(at, (np.arange(len(lower)), lower), 0.5)
    # Not `ops.matmul`, which makes float32 of float64 on PyTorch (Keras 3.15).
    return ops.sum(loss[..., None] * ops.cast(at, loss.dtype), axis=1)


def _floats(y_pred):
    """Predictions as a tensor; whole numbers become floats, or they would round the labels."""
    y_pred = ops.convert_to_tensor(y_pred)
    if "float" in keras.backend.standardize_dtype(y_pred.dtype):
        return y_pred
    return ops.cast(y_pred, keras.config.floatx())


def _distance(y_true, y_pred):
    """Along x and y, in pixels; 0, and without a slope, at a landmark that has no label."""
    y_pred = _floats(y_pred)
    y_true = ops.cast(y_true, y_pred.dtype)
    y_true = of_same_shape(y_true, y_pred)
    labelled = ops.all(ops.isfinite(y_true), axis=-1, keepdims=True)
    # NaN must not enter the difference: its slope would be NaN whatever is chosen afterwards.
    distance = ops.abs(y_pred - ops.where(labelled, y_true, 0.0))
    return ops.where(labelled, distance, 0.0)


def of_same_shape(y_true, y_pred):
    """Labels; refuses what would be broadcast, such as one landmark beside 68, or one face."""
    for axis in (-2, -1, -3):
        true, predicted = _size(y_true, axis), _size(y_pred, axis)
        if None not in (true, predicted) and true != predicted:
            raise ValueError(
                "Expected y_true and y_pred of the same shape (B, N, 2). "
                f"Received: {tuple(y_true.shape)} and {tuple(y_pred.shape)}"
            )
    if y_true.shape[-2] is None:
        # TensorFlow forgets it when a second `fit` has labels of another shape. It stacks only what
        # has one shape, and finds out while it runs.
        return ops.stack([y_true, y_pred])[0]
    return y_true


def _size(y, axis):
    """None where TensorFlow does not know it yet; 0 if there is no such axis."""
    try:
        return y.shape[axis]
    except IndexError:
        return 0


def _mean(losses):
    """Over x and y. `ops.mean` of float64 is float32 inside (Keras 3.15, JAX and torch)."""
    return ops.sum(losses, axis=-1) / 2


def spread_weight(sample_weight, values):
    """A weight for each face, (B,), or each landmark, (B, N) -> (B, N), as `values` are.

    Keras would lay (B,) along the landmarks, and wants to know the rank, which TensorFlow forgets
    when a second `fit` has weights of another one.
    """
    weight = ops.cast(sample_weight, values.dtype)
    if weight.shape != ():
        weight = ops.reshape(weight, (ops.shape(values)[0], -1))
        number, landmarks = weight.shape[-1], values.shape[-1]
        if None not in (number, landmarks) and number not in (1, landmarks):
            raise ValueError(
                f"Expected a sample_weight of shape (B,) or (B, {landmarks}), for each face or "
                f"each landmark. Received: {number} for each face"
            )
    return weight * ops.ones_like(values)


class _LandmarkLoss(keras.losses.Loss):
    """A loss (B, N) that is weighted by face, (B,), or by landmark, (B, N)."""

    def __call__(self, y_true, y_pred, sample_weight=None):
        if sample_weight is not None:
            y_pred = ops.convert_to_tensor(y_pred)
            sample_weight = spread_weight(sample_weight, y_pred[..., 0])
        return super().__call__(y_true, y_pred, sample_weight)


@keras.saving.register_keras_serializable(package="keras_lotr")
class Wing(_LandmarkLoss):
    """The loss `wing` for `compile`.

    A `sample_weight` may be (B,), by face, or (B, N), by landmark. Landmarks without a label (NaN
    in y_true) cost nothing, whatever their weight is.

    Args:
        w, epsilon: as in `wing`.

    Example:

    >>> loss = Wing(w=10.0, epsilon=2.0)
    >>> float(loss([[[0.0, 0.0]]], [[[0.0, 0.0]]]))
    0.0
    """

    def __init__(self, w=10.0, epsilon=2.0, name="wing", **kwargs):
        super().__init__(name=name, **kwargs)
        _check_positive(w=w, epsilon=epsilon)
        self.w, self.epsilon = w, epsilon

    def call(self, y_true, y_pred):
        return wing(y_true, y_pred, self.w, self.epsilon)

    def get_config(self):
        return {**super().get_config(), "w": self.w, "epsilon": self.epsilon}


@keras.saving.register_keras_serializable(package="keras_lotr")
class SmoothWing(_LandmarkLoss):
    """The loss `smooth_wing` for `compile`.

    A `sample_weight` may be (B,), by face, or (B, N), by landmark. Landmarks without a label (NaN
    in y_true) cost nothing, whatever their weight is.

    Args:
        w, epsilon, t: as in `smooth_wing`.
        openings: pairs of landmarks whose `opening_loss` is added, so that closed eyes are found
            closed; or {name: such pairs}, as in `get_scheme("ibug68").openings`.
        opening_weight: factor of that loss.

    Raises:
        ValueError: a number is not above 0, t >= w, or an opening is no pair of landmarks.

    Example:

    >>> loss = SmoothWing()
    >>> float(loss([[[0.0, 0.0]]], [[[0.0, 0.0]]]))
    0.0
    """

    def __init__(
        self, w=10.0, epsilon=2.0, t=0.01, openings=(), opening_weight=1.0, name="smooth_wing",
        **kwargs,
    ):  # fmt: skip
        super().__init__(name=name, **kwargs)
        _check_positive(w=w, epsilon=epsilon, t=t, opening_weight=opening_weight)
        if t >= w:
            raise ValueError(f"Expected t < w. Received: t={t}, w={w}")
        self.w, self.epsilon, self.t = w, epsilon, t
        self.openings, self.opening_weight = _checked_pairs(openings), opening_weight

    def call(self, y_true, y_pred):
        loss = smooth_wing(y_true, y_pred, self.w, self.epsilon, self.t)
        if self.openings:
            loss += self.opening_weight * opening_loss(y_true, y_pred, self.openings, self.w)
        return loss

    def get_config(self):
        config = {**super().get_config(), "w": self.w, "epsilon": self.epsilon, "t": self.t}
        if self.openings:  # absent otherwise, so that older versions read it
            config |= {"openings": self.openings, "opening_weight": self.opening_weight}
        return config


def _checked_pairs(openings):
    """Pairs of landmarks as lists of ints, which a config can hold."""
    if isinstance(openings, dict):
        openings = [pair for pairs in openings.values() for pair in pairs]
    pairs = []
    for given in openings:
        pair = list(map(whole, given)) if hasattr(given, "__len__") else []
        if len(pair) != 2 or None in pair or min(pair) < 0:
            raise ValueError(
                "Expected openings as pairs of landmarks, such as [(37, 41)], or as "
                f"LandmarkScheme.openings. Received: {given!r}"
            )
        pairs.append(pair)
    return pairs


def _check_positive(**values):
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"Expected {name} > 0. Received: {name}={value}")
