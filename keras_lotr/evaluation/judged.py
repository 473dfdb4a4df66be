"""Annotated faces with what a model said of them, and of how sure it is."""

from dataclasses import dataclass

import numpy as np

from keras_lotr.datasets.batches import crops_in_chunks
from keras_lotr.inference.certainty import distances, expected_error, quality, scale_matrices


@dataclass(frozen=True)
class Judged:
    """Faces with what a model said of them.

    Attributes:
        samples: list of F `Sample`.
        truth, points: (F, N, 2), crop pixels.
        certainty: (F, N, 4), of `LOTR.predict_certainty`.
    """

    samples: list
    truth: np.ndarray
    points: np.ndarray
    certainty: np.ndarray

    @property
    def sizes(self):
        """(F,) size of each face in crop pixels."""
        return np.ptp(self.points, axis=1).max(-1)

    @property
    def errors(self):
        """(F, N), in face sizes; NaN without label."""
        return np.linalg.norm(self.truth - self.points, axis=-1) / self.sizes[:, None]

    @property
    def expected(self):
        """(F, N) expected errors, in face sizes."""
        return expected_error(self.sigma) / self.sizes[:, None]

    @property
    def sigma(self):
        """(F, N, 2, 2), squared crop pixels."""
        return scale_matrices(self.certainty[..., :3])

    @property
    def distances(self):
        """(F, N) Mahalanobis distances of the truth; NaN without label."""
        return distances(self.truth - self.points, self.certainty[..., :3])

    @property
    def visibility(self):
        """(F, N) 1, 0, -1 or NaN, see `Sample`."""
        nobody = np.full(self.points.shape[1], np.nan)
        given = (s.visibility for s in self.samples)
        return np.stack([nobody if v is None else v for v in given])

    @property
    def quality(self):
        """(F,)."""
        return np.array([quality(s, p) for s, p in zip(self.sigma, self.points, strict=True)])


def judge(model, samples):
    """Ask a model for landmarks of annotated faces and how sure they are.

    Args:
        model: `LOTR` or `OnnxModel` that says so.
        samples: list of `Sample` of its scheme.

    Returns:
        `Judged`.

    Raises:
        ValueError: the model does not say how sure it is.
    """
    parts = [
        (truth, *model.predict_certainty(crops))
        for crops, truth in crops_in_chunks(samples, model.preprocessor)
    ]
    return Judged(samples, *map(np.concatenate, zip(*parts, strict=True)))
