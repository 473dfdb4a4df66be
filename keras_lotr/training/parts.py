"""What a training consists of, of one landmark scheme or of a mixture, and how it is announced."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras

from keras_lotr.datasets.augmentation import Augmentation
from keras_lotr.datasets.batches import LandmarkBatches
from keras_lotr.datasets.detector_boxes import with_detector_boxes
from keras_lotr.training.torch_group import place_in_group


@dataclass(frozen=True)
class TrainingParts:
    """What `train` compiles, fits and keeps.

    Attributes:
        model: what is trained.
        batches: of training faces.
        validation: `validation_data` of `fit`.
        losses, metrics, loss_weights: of `compile`.
        measure: makes of the logs of a validation the numbers for the history; the first decides.
        keep: writes the weights, called when they are the best so far.
        preset: what `keep` writes.
        train_faces, val_faces: number of faces by the names of data sets or groups.
    """

    model: keras.Model
    batches: keras.utils.PyDataset
    validation: tuple
    losses: object
    metrics: object
    measure: Callable
    keep: Callable
    preset: Path
    train_faces: dict
    val_faces: dict
    loss_weights: dict | None = None


def augmented_batches(recipe, groups, number, landmarks_in_box, **settings):
    """The batches that a recipe trains on.

    Args:
        recipe: `Recipe`.
        groups: lists of `Sample`.
        number: faces of an epoch, if the recipe does not say it.
        landmarks_in_box: of the `Preprocessor`, for each list.
        **settings: further arguments of `LandmarkBatches`.
    """
    parts = zip(groups, landmarks_in_box, strict=True)
    groups = [_with_boxes_of(recipe, samples, part) for samples, part in parts]
    return LandmarkBatches(
        groups,
        recipe.size,
        recipe.margin,
        Augmentation(**recipe.augmentation),
        recipe.batch_size,
        recipe.samples_per_epoch or number,
        recipe.seed,
        part=place_in_group(),
        **settings,
    )


def _with_boxes_of(recipe, samples, part):
    """Samples with the boxes that a recipe asks for, of landmarks that cover a part of the face."""
    wanted = part is not None if recipe.detector_boxes is None else recipe.detector_boxes
    return with_detector_boxes(samples, landmarks_in_box=part) if wanted else samples


def header(recipe, parts, out):
    """What is about to be trained, as lines of text."""
    every, trained = (_count(w) for w in (parts.model.weights, parts.model.trainable_weights))
    steps = len(parts.batches)
    return "\n".join(
        [
            f"Training faces: {_numbers(parts.train_faces)}",
            f"Validation faces: {_numbers(parts.val_faces)}",
            f"Model: {every:,} parameters, {trained:,} trainable; "
            f"starts from {recipe.backbone_weights or recipe.init or 'random weights'}",
            f"Schedule: {recipe.epochs} epochs of {steps} batches of {recipe.batch_size} crops "
            f"({recipe.size} pixels), {recipe.optimizer}, learning rate {recipe.learning_rate:g}, "
            f"{recipe.schedule}",
            f"Run: {out}",
        ]
    )


def _count(weights):
    return sum(math.prod(weight.shape) for weight in weights)


def _numbers(faces):
    return ", ".join(f"{name} {number:,}" for name, number in faces.items())
