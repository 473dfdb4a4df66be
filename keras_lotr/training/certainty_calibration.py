"""A certainty head made honest on faces that trained nothing.

The network knows the faces that it was trained on, so its errors there are smaller than on others.
How much smaller is measured for each set before the head is trained (`held_out_ratios`); what is
left is a factor for each region after it (`calibrate`). Both look at one half of the held-out faces
only, and what is reported is measured on the other half.
"""

from dataclasses import replace

import numpy as np

from keras_lotr.datasets.batches import crops_in_chunks
from keras_lotr.datasets.sets import sets_of
from keras_lotr.inference.certainty import LEVEL, distances, radius
from keras_lotr.schemes import get_scheme

_COMPARED = 150  # faces of a set; more do not change a median
_MOST = 3.0  # times that a ratio may be


def held_out_ratios(model, samples, held_out):
    """How much larger the errors on held-out faces are than on those of the training.

    Args:
        model: `LOTR`.
        samples: list of `Sample` that the network was trained on.
        held_out: list of `Sample` that calibrate.

    Returns:
        {set: ratio of the median errors, at least 1}; sets that are not held out have that of all.
    """
    trained, others = sets_of(samples), sets_of(held_out)
    errors = {name: _median_error(model, found) for name, found in others.items()}
    ratios = {
        name: float(np.clip(errors[name] / _median_error(model, found), 1, _MOST))
        for name, found in trained.items()
        if name in errors
    }
    usual = float(np.median([*ratios.values()])) if ratios else 1.0
    return {name: ratios.get(name, usual) for name in trained}


def _median_error(model, samples):
    step = max(1, len(samples) // _COMPARED)
    errors = [
        np.linalg.norm(truth - model.predict_points(crops), axis=-1)
        for crops, truth in crops_in_chunks(samples[::step], model.preprocessor)
    ]
    return float(np.nanmedian(np.concatenate(errors)))


def as_held_out(crops, ratios):
    """`SeenCrops` with errors as large as on held-out faces: those of a set times its ratio."""
    factors = np.array([ratios.get(str(name), 1.0) for name in crops.sets], np.float32)
    return replace(crops, errors=crops.errors * factors[:, None, None])


def calibrate(model, groups):
    """Set the calibration of a head so that 90 % of the true landmarks lie in their ellipses.

    Each data set counts the same, and each face within it, however many of its landmarks are
    labelled; a region without labels has the factor of all regions.

    Args:
        model: `LOTR` with a trained certainty head; its calibration is replaced.
        groups: a list of `Sample` that trained nothing for each data set.

    Returns:
        {region: factor}.
    """
    scheme = get_scheme(model.preprocessor.scheme)
    model.certainty.calibration.assign(np.ones(model.certainty.calibration.shape, np.float32))
    found, weights = [], []
    for samples in groups:
        for crops, truth in crops_in_chunks(samples, model.preprocessor):
            points, certainty = model.predict_certainty(crops)
            found.append(distances(truth - points, certainty[..., :3]))
            known = np.isfinite(found[-1])
            weights.append(known / np.maximum(known.sum(1, keepdims=True), 1) / len(samples))
    found, weights = np.concatenate(found), np.concatenate(weights)
    every = weighted_quantile(found, weights, LEVEL) / radius(LEVEL)
    factors, calibration = {}, np.full(model.certainty.calibration.shape, every, np.float32)
    for region, landmarks in scheme.regions.items():
        landmarks = list(landmarks)
        if weights[:, landmarks].any():
            quantile = weighted_quantile(found[:, landmarks], weights[:, landmarks], LEVEL)
            calibration[landmarks] = quantile / radius(LEVEL)
        factors[region] = round(float(calibration[landmarks[0], 0]), 4)
    model.certainty.calibration.assign(calibration)
    return factors


def weighted_quantile(values, weights, level):
    """The value below which a part of the weight lies; values without weight do not count.

    Example:

    >>> weighted_quantile(np.array([1.0, 5.0, np.nan]), np.array([3.0, 1.0, 0.0]), 0.75)
    1.0
    """
    known = weights > 0
    order = np.argsort(values[known])
    summed = np.cumsum(weights[known][order])
    index = np.searchsorted(summed, level * summed[-1])
    return float(values[known][order][min(index, len(order) - 1)])
