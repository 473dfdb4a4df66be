"""Many crops -> landmarks, whatever runs the model: checks, batches, padding, flip averaging."""

import numpy as np

from keras_lotr.number_checks import whole
from keras_lotr.preprocessor import flip_averaged

# Interpolation that sharpens leaves 0..255 by some levels.
_LOWEST, _HIGHEST = -64, 320

NO_CERTAINTY = (
    "Expected a network that was trained to say how sure its landmarks are. This one was not: "
    "train that with `keras-lotr train-certainty`."
)
UNCALIBRATED = (
    "The head of this network that says how sure its landmarks are was never calibrated, so it is "
    "not asked: train it with `keras-lotr train-certainty`."
)


def predict_points(
    predict_batch, crops, preprocessor, num_landmarks, flip, batch_size, padded, columns=2
):
    """Landmarks of many crops, batch by batch.

    Args:
        predict_batch: function, (B, S, S, 3) -> (B, N, 2) crop pixels, or (B, N, 6) with what
            `predict_certainty` says of each landmark.
        crops: (F, S, S, 3), RGB 0..255.
        preprocessor: of the model.
        num_landmarks: N.
        flip: average with the landmarks of the mirrored crops.
        batch_size: crops that `predict_batch` gets at most.
        padded: function, number of crops -> how many the batch must have; black ones fill it up.
        columns: numbers that `predict_batch` gives for each landmark, 2 or 6.

    Returns:
        (F, N, 2) or (F, N, 6) float32 array, as of `predict_batch`.

    Raises:
        ValueError: crops of another shape, not finite, or not in 0..255; a `batch_size` that is no
            whole number from 1.
    """
    if whole(batch_size) is None or batch_size < 1:
        raise ValueError(f"Expected batch_size as a whole number from 1. Received: {batch_size!r}")
    crops = np.asarray(crops)
    if not crops.size and not len(crops):
        return np.zeros((0, num_landmarks, columns), np.float32)
    crops = check_crops(crops, preprocessor.image_size)

    def predict(crops):
        points = []
        for start in range(0, len(crops), batch_size):
            batch = crops[start : start + batch_size]
            filling = np.zeros((padded(len(batch)) - len(batch), *batch.shape[1:]), batch.dtype)
            points.append(predict_batch(np.concatenate([batch, filling]))[: len(batch)])
        return np.concatenate(points)

    return flip_averaged(predict, crops, preprocessor) if flip else predict(crops)


def check_crops(crops, size):
    """The array, if it holds crops.

    Example:

    >>> check_crops(np.zeros((64, 64, 3)), 64)
    Traceback (most recent call last):
    ValueError: Expected crops (F, 64, 64, 3), RGB 0..255. Received: one crop without the first
    axis, shape (64, 64, 3); write crop[None]
    """
    expected = f"Expected crops (F, {size}, {size}, 3), RGB 0..255. Received:"
    if crops.shape == (size, size, 3):
        raise ValueError(
            f"{expected} one crop without the first axis, shape {crops.shape}; write crop[None]"
        )
    if crops.shape[1:] != (size, size, 3):
        raise ValueError(f"{expected} shape {crops.shape}")
    if crops.dtype == np.uint8 or not crops.size:
        return crops
    if not (np.issubdtype(crops.dtype, np.integer) or np.issubdtype(crops.dtype, np.floating)):
        raise ValueError(f"{expected} numbers of type {crops.dtype}")
    low, high = float(crops.min()), float(crops.max())
    if not (low >= _LOWEST and high <= _HIGHEST):  # also for NaN
        raise ValueError(f"{expected} numbers from {low:.6g} to {high:.6g}")
    if low != high and high <= 1:
        raise ValueError(
            f"{expected} numbers from {low:.6g} to {high:.6g}; multiply crops in 0..1 by 255"
        )
    return crops
