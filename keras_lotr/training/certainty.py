"""`keras-lotr train-certainty`: a trained network learns how sure its landmarks are.

All else is frozen, so that no landmark changes, and the network sees each crop once: the head is
trained on what the decoder made of it.
"""

import contextlib
from itertools import chain
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_lotr.conversions import sources_of
from keras_lotr.datasets import NoFaces, read_samples
from keras_lotr.datasets.gaps import in_scheme
from keras_lotr.datasets.sets import given_tags, halves
from keras_lotr.inference.certainty import FREEDOM
from keras_lotr.layers.certainty_head import CertaintyHead
from keras_lotr.number_checks import check_counts
from keras_lotr.presets.files import WEIGHTS
from keras_lotr.seeds import check_seed
from keras_lotr.training.certainty_calibration import (
    as_held_out,
    calibrate,
    held_out_ratios,
)
from keras_lotr.training.certainty_crops import crops_of_faces, see
from keras_lotr.training.certainty_preset import save_beside, with_head
from keras_lotr.training.false_boxes import crops_of_nothing, photos_with_boxes
from keras_lotr.writing import check_file_target

SHARES = {"faces": 0.5, "visibility": 0.35, "nothing": 0.15}  # of the crops
VISIBILITY_WEIGHT = 3.0  # of its cross-entropy, beside the landmarks' likelihood


def training_crops(model, samples, visibility, photos, count, seed=0):
    """What the head of a network is trained on.

    Args:
        model: `LOTR`.
        samples: list of `Sample` whose landmarks are true.
        visibility: lists of `Sample` that only say which landmarks are seen; as many crops are made
            of each list.
        photos: list of (path, (F, 4) boxes of faces), for boxes without a face.
        count: of crops.
        seed: of all that is random.

    Returns:
        `SeenCrops`.
    """
    rng, preprocessor = np.random.default_rng(seed), model.preprocessor
    given = {"faces": samples, "visibility": visibility, "nothing": photos}
    whole = sum(SHARES[name] for name, found in given.items() if found)
    numbers = {name: round(count * SHARES[name] / whole) * bool(given[name]) for name in given}
    of_each = numbers["visibility"] // max(1, len(visibility))
    crops = chain(
        crops_of_faces(samples, numbers["faces"], preprocessor, rng),
        *(crops_of_faces(found, of_each, preprocessor, rng, False) for found in visibility),
        crops_of_nothing(photos, numbers["nothing"], model, rng),
    )
    return see(model, crops, numbers["faces"] + of_each * len(visibility) + numbers["nothing"])


def certainty_loss(head):
    """The loss of a head: likelihood of the errors, and cross-entropy of what is seen.

    Args:
        head: `CertaintyHead`.

    Returns:
        function: (B, N, 3) errors in crop pixels and whether seen, NaN where unknown; (B, N, 4) of
        `head.raw` -> (B,).
    """

    def loss(truth, numbers):
        low, across, high = head.triangle(numbers)
        known = ops.logical_not(ops.isnan(truth))
        truth = ops.where(known, truth, ops.zeros_like(truth))
        first = truth[..., 0:1] / low
        second = (truth[..., 1:2] - across * first) / high
        distance = first**2 + second**2
        likelihood = ops.log(low) + ops.log(high)
        likelihood += (FREEDOM + 2) / 2 * ops.log(1 + distance / FREEDOM)
        logit, seen = numbers[..., 3], truth[..., 2]
        cross = ops.softplus(logit) - seen * logit
        known = ops.cast(known, "float32")
        parts = known[..., 0] * likelihood[..., 0] + VISIBILITY_WEIGHT * known[..., 2] * cross
        return ops.mean(parts, axis=-1)

    return loss


def fit_head(model, crops, epochs=16, batch_size=64, learning_rate=2e-3, seed=0, verbose=0):
    """Train the head of a network; its calibration becomes one.

    Args:
        model: `LOTR` with a certainty head.
        crops: `SeenCrops`.
        epochs, batch_size, learning_rate: the rate falls to zero as a cosine.
        seed: of the start and of the order.
        verbose: as of `keras.Model.fit`.
    """
    keras.utils.set_random_seed(seed)
    head = CertaintyHead.from_config({**model.certainty.get_config(), "name": "certainty"})
    features = [x.astype(np.float32) for x in (crops.landmarks, crops.memory, crops.points)]
    trainee = _Trainee(head, *(model.get_layer(name).table for name in _TABLES))
    trainee.build([(None, *x.shape[1:]) for x in features])
    steps = epochs * -(-len(crops.landmarks) // batch_size)
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-2, clipnorm=1.0)
    trainee.compile(optimizer, certainty_loss(head))
    truth = np.concatenate([crops.errors, crops.seen[..., None]], -1)
    trainee.fit(features, truth, batch_size, epochs, verbose=verbose)
    for target, source in zip(model.certainty.weights, head.weights, strict=True):
        target.assign(ops.convert_to_numpy(source))


_TABLES = ("landmark_places", "token_positions")


class _Trainee(keras.Model):
    """The head alone: landmarks, memory and points of the frozen network -> `raw`."""

    def __init__(self, head, query_positions, positions):
        super().__init__(name="trainee")
        self.head = head
        self.tables = [ops.convert_to_numpy(x)[None] for x in (query_positions, positions)]

    def build(self, shapes):
        landmarks, memory, points = shapes
        self.head.build(landmarks, landmarks, memory, memory, points)
        self.built = True

    def call(self, inputs):
        landmarks, memory, points = inputs
        query_positions, positions = self.tables
        return self.head.raw(landmarks, query_positions, memory, positions, points)


def train_certainty(
    preset,
    data,
    out,
    visibility=(),
    photos=None,
    calibrate_on=(),
    calibrate_with=(),
    crops=9000,
    epochs=10,
    hidden_dim=128,
    detector_decides=False,
    seed=0,
    verbose=2,
):
    """Teach the network of a preset how sure its landmarks are, and write it as another preset.

    Args:
        preset: name or folder of a preset with trained weights.
        data: folders of data sets whose `train` split has true landmarks of the preset's scheme;
            one half of the faces of their `val` splits calibrates, unless others do.
        out: folder of the new preset, which also has the files of the old one.
        visibility: folders of data sets whose labels also say which landmarks are seen, such as
            rendered faces; their positions are not learned from, so that they may be of a scheme
            that places landmarks a little differently. Each gives the same number of crops.
        photos: folder of photos for boxes without a face; None: there are none of them, and
            `quality` may not know them.
        calibrate_on: tags of the `val` faces that calibrate; empty: all.
        calibrate_with: folders of data sets whose `val` faces calibrate instead of those of `data`:
            a network that learned from rendered faces errs more in photos. Empty: `data`.
        crops, epochs, hidden_dim: how much is learned, and the width of the head.
        detector_decides: see `Preprocessor`; for a network that never saw a photo.
        seed: of all that is random.
        verbose: as of `keras.Model.fit`.

    Returns:
        dict, what the metadata of the preset say: factors by region, ratios by set.

    Raises:
        ValueError: the preset or a data set cannot be read, or a number cannot be.
        OSError: the preset cannot be written.
    """
    check_seed(seed)
    check_counts(crops=crops, epochs=epochs, hidden_dim=hidden_dim)
    check_file_target(Path(out, WEIGHTS))  # before all is learned
    calibrate_on = given_tags(calibrate_on)
    model = with_head(preset, hidden_dim, detector_decides)
    scheme = model.preprocessor.scheme
    samples = [s for folder in data for s in read_samples(folder, "train", scheme)]
    groups = [calibrating_faces(f, scheme, calibrate_on) for f in calibrate_with or data]
    groups = [group for group in groups if group]
    if not groups:
        which = f" with a tag of {', '.join(calibrate_on)}" if calibrate_on else ""
        folders = ", ".join(map(str, calibrate_with or data))
        raise ValueError(
            f"Expected faces{which} in the split val of {folders}, which calibrate the head. "
            "There are none."
        )
    calibrating = [sample for group in groups for sample in group]
    seen = [visible_samples(folder, "train", scheme) for folder in visibility]
    boxes = [] if photos is None else photos_with_boxes(photos)
    ratios = held_out_ratios(model, samples, calibrating)
    found = training_crops(model, samples, seen, boxes, crops, seed)
    fit_head(model, as_held_out(found, ratios), epochs, seed=seed, verbose=verbose)
    told = {
        "factors": calibrate(model, groups),
        "held_out_ratios": {name: round(ratio, 3) for name, ratio in ratios.items()},
        "calibrated_on": f"{len(calibrating)} faces, every other one of the val splits",
        "crops": crops,
    }
    save_beside(model, preset, out, told)
    return told


def calibrating_faces(folder, scheme, tags=()):
    """The half of the val faces of a data set that calibrates, of those with one of the tags."""
    try:
        samples = read_samples(folder, "val", scheme)
    except NoFaces:
        return []
    samples = [s for s in samples if not tags or set(tags) & set(s.tags)]
    return halves(samples)[0]


def visible_samples(folder, split, scheme):
    """Faces whose labels say which landmarks are seen, converted from the scheme that has them."""
    for source in (scheme, *sources_of(scheme)):
        with contextlib.suppress(NoFaces):
            samples = read_samples(folder, split, source)
            known = [s for s in samples if s.visibility is not None]
            if known:
                return in_scheme(known, scheme, folder)
    raise NoFaces(f"Expected labels in {folder} that say which landmarks are seen. There are none.")
