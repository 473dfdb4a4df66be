"""Batches for `fit`: faces are read, cropped and augmented here, in NumPy, for every backend."""

import numpy as np

from keras_lotr import geometry
from keras_lotr.datasets.augmentation import random_crop
from keras_lotr.datasets.epoch_batches import EpochBatches
from keras_lotr.number_checks import check_counts

CHUNK = 512  # crops in memory at a time
_NO_IMAGE = np.zeros((1, 1, 3), np.uint8)


def load_crops(samples, size, margin):
    """The crops of samples as the preprocessor says, without augmentation.

    Args:
        samples: iterable of F `Sample`.
        size: S, the side of a crop in pixels.
        margin: side of the crop, divided by the longer side of the box, above 0.

    Returns:
        crops (F, S, S, 3) uint8 and points_crop (F, N, 2) float32, NaN at gaps.

    Raises:
        FileNotFoundError, ValueError: naming the file, if it is missing, cut off or no image; or
            size or margin cannot be.

    Example:

    >>> from keras_lotr.datasets import read_samples
    >>> samples = read_samples("examples/rendered_faces", "val", "ibug68")
    >>> crops, points = load_crops(samples, size=64, margin=1.3)
    >>> crops.shape, points.shape
    ((16, 64, 64, 3), (16, 68, 2))
    """
    check_counts(size=size)
    samples = list(samples)
    crops = np.empty((len(samples), size, size, 3), np.uint8)
    points = []
    for i, sample in enumerate(samples):
        crop_from_image = geometry.crop_from_box(sample.box, size, margin)
        crops[i] = geometry.warp(sample.image(), crop_from_image, size)
        points.append(geometry.apply(crop_from_image, sample.points_image))
    return crops, np.array(points, np.float32)


def crops_in_chunks(samples, preprocessor, chunk=CHUNK):
    """The same for a model, some samples at a time, as the crops of a data set may not fit.

    Args:
        samples: list of F `Sample`.
        preprocessor: `Preprocessor`, of the model.
        chunk: how many crops there are in memory.

    Yields:
        crops (C, S, S, 3) uint8 and points_crop (C, N, 2) float32 of up to `chunk` samples; a
        single time without any if there are no samples.

    Raises:
        FileNotFoundError, ValueError: as of `load_crops`.

    Example:

    >>> from keras_lotr.preprocessor import Preprocessor
    >>> from keras_lotr.datasets import read_samples
    >>> samples = read_samples("examples/rendered_faces", "val", "ibug68")
    >>> [len(crops) for crops, _ in crops_in_chunks(samples, Preprocessor("ibug68", 64), 12)]
    [12, 4]
    """
    for start in range(0, max(1, len(samples)), chunk):
        part = samples[start : start + chunk]
        yield load_crops(part, preprocessor.image_size, preprocessor.margin)


class LandmarkBatches(EpochBatches):
    """Augmented batches (crops uint8, points_crop float32) for `keras.Model.fit`.

    If any sample has weights or gaps, batches are (crops, points_crop, weights): weights (B, N)
    float32 are 0 where a landmark has no label, and points_crop is NaN there.

    A batch depends on seed, epoch and its number only, so that a resumed training sees the
    same faces as one that was never interrupted, and any number of `workers` gives the same.

    Args:
        groups: lists or other sequences of `Sample`, one scheme.
        size, margin: of the preprocessor.
        augmentation: `Augmentation`.
        batch_size: faces in a batch.
        samples_per_epoch: None: the length of the first list times the number of lists.
        seed: of all that is random.
        epoch: the first epoch.
        shares: how much of an epoch is drawn from each list; None: the same number from each.
        part: (number, count) of a process that takes one of so many equal parts of each batch; the
            parts of all processes are the batch that one process alone would have.
        **kwargs: of `EpochBatches`, such as `workers`.
    """

    def __init__(
        self,
        groups,
        size,
        margin,
        augmentation,
        batch_size=16,
        samples_per_epoch=None,
        seed=0,
        epoch=0,
        shares=None,
        part=(0, 1),
        **kwargs,
    ):
        check_counts(batch_size=batch_size)
        self.groups, self.size, self.margin = groups, size, margin
        self.weighted = any(map(_are_weighted, groups))
        self.augmentation, self.batch_size, self.seed = augmentation, batch_size, seed
        self.part = part
        self.shares = np.ones(len(groups)) if shares is None else np.asarray(shares, float)
        count = samples_per_epoch or len(groups[0]) * len(groups)
        self.samples_per_epoch = max(count, batch_size)
        super().__init__(epoch=epoch, **kwargs)

    def __len__(self):
        return self.samples_per_epoch // self.batch_size

    def batch(self, index):
        crops, points, _ = self.faces(index)
        points = np.array(points)
        points, weights = points[..., :2], points[..., 2]
        return (crops, points, weights) if self.weighted else (crops, points)

    def faces(self, index):
        """A batch, or this process's part of it, whose faces may have different landmarks.

        Returns:
            crops (B, size, size, 3) uint8; a list of B arrays (N, 3) float32, points_crop and what
            each weighs; and from which of the groups each face is, (B,) int32.
        """
        rng = np.random.default_rng([self.seed, self.epoch, index])
        number, count = self.part
        rows = self.batch_size // count
        crops, points = np.empty((rows, self.size, self.size, 3), np.uint8), []
        first = index * self.batch_size
        own = self.order[first + number * rows :][:rows]
        for group, row in self.order[first : first + number * rows]:
            # What is random about a face does not depend on its image: other processes' faces are
            # drawn without theirs, so that this one's are those of a process alone.
            self._crop(self.groups[group][row], _NO_IMAGE, rng)
        for i, (group, row) in enumerate(own):
            sample = self.groups[group][row]
            crops[i], points_crop = self._crop(sample, sample.image(), rng)
            points.append(points_crop)
        return crops, points, own[:, 0]

    def _crop(self, sample, image, rng):
        weighted_points = np.column_stack([sample.points_image, sample.label_weights])
        return random_crop(
            image, weighted_points, sample.box, sample.scheme,
            self.size, self.margin, self.augmentation, rng,
        )  # fmt: skip

    def start(self, epoch):
        """Draw the order of an epoch: (E, 2), the number of a list and of a face in it."""
        super().start(epoch)
        rng = np.random.default_rng([self.seed, epoch])
        counts = np.ceil(self.samples_per_epoch * self.shares / self.shares.sum()).astype(int)
        drawn = [
            np.stack([np.full(count, number), _draw(len(group), count, rng)], axis=1)
            for number, (group, count) in enumerate(zip(self.groups, counts, strict=True))
        ]
        drawn = np.concatenate(drawn).astype(np.int32)
        self.order = drawn[rng.permutation(len(drawn))]


def _are_weighted(samples):
    """Whether any has weights or gaps."""
    if hasattr(samples, "weighted"):  # they are not in memory, and know it
        return samples.weighted
    return any(s.weights is not None or not s.labelled.all() for s in samples)


def _draw(length, count, rng):
    """`count` numbers below `length`, each as often as any other, but for the last round."""
    rounds = [rng.permutation(length) for _ in range(-(-count // length))]
    return np.concatenate(rounds)[:count]
