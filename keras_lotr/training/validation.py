"""Validation in training: crops without augmentation, in batches of one size."""

import numpy as np
from keras import ops

from keras_lotr.datasets.batches import load_crops
from keras_lotr.metrics import normalized_mean_error


def validation_crops(samples, recipe, scheme, normalizer=None):
    """The crops that a training is validated on.

    Args:
        samples: list of F `Sample`.
        recipe: `Recipe`, for size and margin of the crops.
        scheme: landmark scheme.
        normalizer: what the NME is divided by; None: the scheme's own.

    Returns:
        crops (F, S, S, 3) uint8 and points_crop (F, N, 2) float32, NaN at gaps.

    Raises:
        ValueError: there is no face whose NME can be had.
    """
    crops, points = load_crops(samples, recipe.size, recipe.margin)
    nme = ops.convert_to_numpy(normalized_mean_error(points, points, scheme, normalizer))
    if not np.isfinite(nme).any():
        raise ValueError(
            "Expected a validation face whose NME can be had: with labels of what it is "
            f"divided by. Received: {len(samples)} faces ({scheme}), none of them such a face."
        )
    return crops, points


def padded(array, multiple, value):
    """The array with rows of a value behind it, until their number is a multiple.

    Faces without labels (NaN) are not measured. Batches of one size are compiled once, and devices
    that share the work get the same number of crops each.
    """
    rows = np.full((-len(array) % multiple, *array.shape[1:]), value, array.dtype)
    return np.concatenate([array, rows])
