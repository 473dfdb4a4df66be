"""`keras-lotr train-certainty`: a trained network learns how sure its landmarks are.

All else is frozen, so that no landmark changes, and the network sees each crop once: the head is
trained on what the decoder made of it.
"""

import shutil
from itertools import chain

import keras
import numpy as np
from keras import ops

from keras_lotr.inference.certainty import FREEDOM
from keras_lotr.layers.certainty_head import CertaintyHead
from keras_lotr.lotr import LOTR
from keras_lotr.presets.files import resolve
from keras_lotr.training.certainty_crops import crops_of_faces, see
from keras_lotr.training.false_boxes import crops_of_nothing

SHARES = {"faces": 0.5, "visibility": 0.35, "nothing": 0.15}  # of the crops
VISIBILITY_WEIGHT = 1.0  # of its cross-entropy, beside the landmarks' likelihood


def with_head(preset, hidden_dim=128):
    """The network of a preset with a fresh certainty head; its landmarks are the preset's.

    Raises:
        ValueError: as `LOTR.from_preset`.
    """
    source = LOTR.from_preset(preset, certainty_dim=None)
    model = LOTR.from_config({**source.get_config(), "certainty_dim": hidden_dim})
    others = [v for v in model.variables if "lotr_certainty" not in v.path]
    by_path = {v.path: v for v in source.variables}
    for variable in others:
        variable.assign(by_path[variable.path])
    return model


def training_crops(model, samples, visibility_samples, photos, count, seed=0):
    """What the head of a network is trained on.

    Args:
        model: `LOTR`.
        samples: list of `Sample` whose landmarks are true.
        visibility_samples: list of `Sample` that only say which landmarks are seen.
        photos: list of (path, (F, 4) boxes of faces), for boxes without a face.
        count: of crops.
        seed: of all that is random.

    Returns:
        `SeenCrops`.
    """
    rng, preprocessor = np.random.default_rng(seed), model.preprocessor
    given = {"faces": samples, "visibility": visibility_samples, "nothing": photos}
    whole = sum(SHARES[name] for name, found in given.items() if found)
    numbers = {name: round(count * SHARES[name] / whole) * bool(given[name]) for name in given}
    crops = chain(
        crops_of_faces(samples, numbers["faces"], preprocessor, rng),
        crops_of_faces(visibility_samples, numbers["visibility"], preprocessor, rng, False),
        crops_of_nothing(photos, numbers["nothing"], model, rng),
    )
    return see(model, crops, sum(numbers.values()))


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
    trainee = _Trainee(head, *(model.get_layer(name).table for name in _TABLES))
    trainee.build([(None, *x.shape[1:]) for x in (crops.landmarks, crops.memory)])
    steps = epochs * -(-len(crops.landmarks) // batch_size)
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-2, clipnorm=1.0)
    trainee.compile(optimizer, certainty_loss(head))
    truth = np.concatenate([crops.errors, crops.seen[..., None]], -1)
    features = [x.astype(np.float32) for x in (crops.landmarks, crops.memory)]
    trainee.fit(features, truth, batch_size, epochs, verbose=verbose)
    for target, source in zip(model.certainty.weights, head.weights, strict=True):
        target.assign(source)


_TABLES = ("landmark_places", "token_positions")


class _Trainee(keras.Model):
    """The head alone: landmarks and memory of the frozen network -> `CertaintyHead.raw`."""

    def __init__(self, head, query_positions, positions):
        super().__init__(name="trainee")
        self.head = head
        self.tables = [ops.convert_to_numpy(x)[None] for x in (query_positions, positions)]

    def build(self, shapes):
        landmarks, memory = shapes
        self.head.build(landmarks, landmarks, memory, memory)
        self.built = True

    def call(self, inputs):
        landmarks, memory = inputs
        query_positions, positions = self.tables
        return self.head.raw(landmarks, query_positions, memory, positions)


def save_beside(model, preset, folder):
    """Write the preset of a network with a trained head, with the files of the one it was.

    Args:
        model: `LOTR`.
        preset: short name or folder of the preset that it was.
        folder: to write.
    """
    source = resolve(preset).folder
    if source is not None:
        shutil.copytree(source, folder, dirs_exist_ok=True)
    model.save_to_preset(folder)
