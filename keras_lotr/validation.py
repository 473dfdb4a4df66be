"""Validation in training: the crops that it is measured on, and their mean NME."""

import numpy as np
from keras import ops

from keras_lotr.datasets.batches import load_crops
from keras_lotr.metrics import normalized_mean_error


class Validation:
    """Crops without augmentation, and how far a model's points are from their labels.

    Args:
        samples: list of `Sample`.
        size, margin: of the crop contract.
        scheme: landmark scheme.
        normalizer: what the NME is divided by; None: the scheme's own.

    Raises:
        ValueError: there is no face whose NME can be had.
    """

    def __init__(self, samples, size, margin, scheme, normalizer=None):
        self.scheme, self.normalizer = scheme, normalizer
        self.crops, self.points = load_crops(samples, size, margin)
        if not np.isfinite(self._nme(self.points)).any():
            raise ValueError(
                "Expected a validation face whose NME can be had: with labels of what it is "
                f"divided by. Received: {len(samples)} faces ({scheme}), none of them such a face."
            )

    def mean_nme(self, predicted):
        """Mean NME in per cent over the faces that can be measured: (F, N, 2) -> float."""
        return float(np.nanmean(self._nme(predicted)))

    def _nme(self, predicted):
        nme = normalized_mean_error(self.points, predicted, self.scheme, self.normalizer)
        return ops.convert_to_numpy(nme)
