"""What the certainty head learns from: random crops, seen once through the frozen network."""

from dataclasses import dataclass, replace

import numpy as np

from keras_lotr.datasets.augmentation import Augmentation, cover, random_crop
from keras_lotr.datasets.labels_json import HALF_DOUBT
from keras_lotr.datasets.sets import set_of
from keras_lotr.fused.graph import FusedModel

AUGMENTATION = Augmentation(rotation=20.0, blur=0.3, cutout=0.0)
# Of the crops, those whose box is far off, as a detector's that found half a face.
FAR_OFF, FAR = 0.12, replace(AUGMENTATION, shift=0.5, scale=0.6)
_COVERED = 0.3  # of the crops, those with a rectangle of one colour or noise
_MEAN_DISTANCE = 1.2533  # of a Gaussian in the plane, over its standard deviation
BATCH = 64


@dataclass(frozen=True)
class SeenCrops:
    """Crops as the frozen network sees them.

    Attributes:
        landmarks: (F, N, D) float16, of the last decoder layer.
        memory: (F, T, D) float16, of the last encoder layer.
        points: (F, N, 2) float32, the predicted landmarks in crop pixels.
        errors: (F, N, 2) float32, true minus predicted landmarks in crop pixels; NaN without label.
        seen: (F, N) float32, 1 for landmarks that are seen, 0 for others, NaN where nobody said.
        sets: (F,) names, of the set that each crop is of; "" for none.
    """

    landmarks: np.ndarray
    memory: np.ndarray
    points: np.ndarray
    errors: np.ndarray
    seen: np.ndarray
    sets: np.ndarray


def see(model, crops, num_crops):
    """Run a network on crops.

    Args:
        model: `LOTR`.
        crops: iterable of (crop, points_crop (N, 2), seen (N,), set), see `SeenCrops`.
        num_crops: how many there are.

    Returns:
        `SeenCrops`.
    """
    features = [model.get_layer(name).output for name in ("decoder_norm", "encoder_norm")]
    network = FusedModel(model.input, [*features, model.output], name="features")
    landmarks, memory = (np.empty((num_crops, *x.shape[1:]), np.float16) for x in features)
    count = landmarks.shape[1]
    errors, predicted = (np.empty((num_crops, count, 2), np.float32) for _ in range(2))
    seen, sets = np.empty((num_crops, count), np.float32), []
    crops = iter(crops)
    for start in range(0, num_crops, BATCH):
        part = slice(start, min(start + BATCH, num_crops))
        batch = [next(crops) for _ in range(part.stop - part.start)]
        images = np.zeros((BATCH, *batch[0][0].shape), np.uint8)  # one shape is compiled
        images[: len(batch)] = [crop for crop, *_ in batch]
        found = [np.asarray(x)[: len(batch)] for x in network.predict_on_batch(images)]
        landmarks[part], memory[part], predicted[part] = found
        errors[part] = np.stack([points for _, points, *_ in batch]) - predicted[part]
        seen[part] = np.stack([known for _, _, known, _ in batch])
        sets += [name for *_, name in batch]
    return SeenCrops(landmarks, memory, predicted, errors, seen, np.array(sets))


def crops_of_faces(samples, count, preprocessor, rng, with_points=True):
    """Random crops of annotated faces.

    Args:
        samples: list of `Sample`; a subset (their first two tags) is drawn as often as the root of
            its size says, so that rare ones are seen.
        count: of crops.
        preprocessor: of the model.
        rng: `numpy.random.Generator`.
        with_points: False takes only from the labels which landmarks are seen.

    Yields:
        See `see`.
    """
    sets = {}
    for sample in samples:
        sets.setdefault(sample.tags[:2], []).append(sample)
    sets = list(sets.values())
    shares = np.sqrt([len(found) for found in sets])
    for number in rng.choice(len(sets), count, p=shares / shares.sum()) if sets else ():
        found = sets[number]
        yield random_crop_of(found[rng.integers(len(found))], preprocessor, rng, with_points)


def random_crop_of(sample, preprocessor, rng, with_points=True):
    """One of them: the landmarks beyond the crop and those under its rectangle are not seen."""
    size = preprocessor.image_size
    visibility = sample.visibility
    if visibility is None:
        visibility = np.full(len(sample.points_image), np.nan)
    visibility = np.where(visibility == -1, 0, visibility)
    columns = [_doubted(sample, rng), visibility, sample.label_weights > 0]
    changes = FAR if rng.random() < FAR_OFF else AUGMENTATION
    crop, found = random_crop(
        sample.image(), np.column_stack(columns), sample.box, sample.scheme,
        size, preprocessor.margin, changes, rng,
    )  # fmt: skip
    points, seen, weighs = found[:, :2], found[:, 2], found[:, 3:] > 0
    hidden = ((points < -0.5) | (points > size - 0.5)).any(-1)
    if rng.random() < _COVERED:
        x0, y0, x1, y1 = cover(crop, size // 8, size // 2, rng)
        hidden |= ((points >= (x0, y0)) & (points < (x1, y1))).all(-1)
    seen = np.where(hidden, 0, seen)
    points = np.where(weighs & with_points, points, np.float32(np.nan))
    return crop, points, seen, set_of(sample)


def _doubted(sample, rng):
    """The landmarks of a sample, moved by as much as those who labelled them doubt them.

    Those that weigh nothing stay, as nothing says how far they may be wrong.
    """
    weights = np.where(sample.label_weights > 0, sample.label_weights, 1)
    doubt = HALF_DOUBT * np.sqrt(np.maximum(1 / weights - 1, 0))
    sizes = doubt / _MEAN_DISTANCE * np.max(sample.box[2:] - sample.box[:2])
    return sample.points_image + sizes[:, None] * rng.standard_normal((len(sizes), 2))
