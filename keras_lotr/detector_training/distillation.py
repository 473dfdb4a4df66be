"""`keras-lotr train-detector`: the small face detector learns to see what its teacher sees."""

from pathlib import Path

import keras
from keras import layers, ops

from keras_lotr.detector_training.batches import (
    FEATURES,
    NUM_FEATURES,
    DetectorBatches,
    KeptBatches,
    Teacher,
)
from keras_lotr.detector_training.network import DetectorNetwork
from keras_lotr.fused.graph import FusedModel
from keras_lotr.number_checks import check_counts
from keras_lotr.presets.preset import RECIPE, write_json
from keras_lotr.seeds import seeded
from keras_lotr.training.checkpoint import BEST, Checkpoint, check_out, fit, only_run
from keras_lotr.training.run_files import check_new_run

_STEPS_PER_EPOCH, _VALIDATION_STEPS = 200, 20
_SCORES, _POINTS = 3.0, 2.0  # weights in the loss; that of the boxes is 1


def distill(
    photos,
    teacher,
    out,
    held_out,
    epochs=40,
    learning_rate=4e-3,
    init=None,
    freeze_batch_norm=False,
    features_weight=1.0,
    resume=False,
    verbose="auto",
    callbacks=(),
):
    """Train a `DetectorNetwork` to have the output maps of YuNet on random views of photos.

    No annotations are needed. Faces are few, so that the maps alone teach slowly; hence the
    student's features, mixed by convolutions that are left out afterwards, learn the teacher's
    (Romero et al., FitNets, ICLR 2015), which say something about each cell.

    Into `out` go `preset/` (the best weights so far), `history.csv` and a checkpoint.

    Args:
        photos: paths of images to learn from.
        teacher: path of face_detection_yunet_2023mar.onnx.
        out: folder of the run; unless `resume`, one without a training, a recipe.json or a preset.
        held_out: paths of images to validate on.
        epochs: of 200 batches.
        learning_rate: the highest; it falls to zero along a cosine.
        init: preset whose weights to start from.
        freeze_batch_norm: batch norm uses the statistics of `init`, in training as afterwards.
        features_weight: of the teacher's features in the loss; its maps have 1. Less of it in the
            end lets the student use its own for the maps.
        resume: go on from the checkpoint in `out`.
        verbose, callbacks: of `keras.Model.fit`; "auto" as of `keras_lotr.training.train`.

    Returns:
        The path of the preset.
    """
    check_counts(epochs=epochs)
    out = Path(out)
    check_out(out, resume)
    with seeded(0):
        model = DetectorNetwork() if init is None else DetectorNetwork.from_preset(init)
        student = with_features(model)
    teacher_file, teacher = teacher, Teacher(teacher)
    batches = DetectorBatches(photos, teacher, _STEPS_PER_EPOCH, workers=1, max_queue_size=8)
    checked = DetectorBatches(held_out, teacher, _VALIDATION_STEPS, change=False)
    checked = KeptBatches([checked[i] for i in range(_VALIDATION_STEPS)])
    steps = _STEPS_PER_EPOCH * epochs
    warmup = min(100, steps // 2)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps - warmup, warmup_target=learning_rate, warmup_steps=warmup
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-4, clipnorm=10.0, name="optimizer")
    optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.99  # batches are small and unlike each other
            layer.trainable = not freeze_batch_norm
    losses = {"cells": maps_loss, **dict.fromkeys(FEATURES, features_loss)}
    weights = {"cells": 1.0, **dict.fromkeys(FEATURES, features_weight)}
    student.compile(optimizer, losses, loss_weights=weights)

    recipe = {
        "teacher": Path(teacher_file).name,
        "photos": len(photos),
        "epochs": epochs,
        "batches_per_epoch": _STEPS_PER_EPOCH,
        "views_per_batch": batches.batch_size,
        "learning_rate": learning_rate,
        "freeze_batch_norm": freeze_batch_norm,
        "features_weight": features_weight,
        "notes": f"Started from {init}." if init else "",
    }
    if not resume:
        check_new_run(out, recipe)

    def keep():
        model.save_to_preset(out / BEST, plain=True)
        write_json(out / BEST / RECIPE, recipe)

    begun = {name: value for name, value in recipe.items() if name != "epochs"}
    checkpoint = Checkpoint(out, lambda logs: {"val_loss": logs["cells_loss"]}, keep, rate, begun)
    with only_run(out, resume):
        write_json(out / RECIPE, recipe)
        fit(student, batches, checked, epochs, checkpoint, resume, verbose, callbacks)
    return out / BEST


def with_features(model):
    """The detector, as {"cells", and the features that its teacher's are compared with}."""
    outputs = {"cells": model.output}
    for name in FEATURES:
        x = model.get_layer(f"{name}_relu").output
        outputs[name] = layers.Conv2D(
            NUM_FEATURES, 1, data_format="channels_last", name=f"{name}_features"
        )(x)
    return FusedModel(model.input, outputs, name="student")


def maps_loss(y_true, y_pred):
    """How far the student's maps are from the teacher's, over the teacher's faces in the batch.

    Scores: quality focal loss (Li et al., NeurIPS 2020, Eq. 5, beta = 2), as most cells are empty.
    Boxes and points: absolute differences in sides of the box, where the teacher sees a face.
    Crops suffer little from a box that is a little off; points and scores weigh more.

    Args:
        y_true: (B, cells, 15) the teacher's maps, scores 0..1.
        y_pred: (B, cells, 15) the student's, logits.

    Returns:
        A number.
    """
    y_true = ops.convert_to_tensor(y_true)
    score, logit = y_true[..., 0], y_pred[..., 0]
    entropy = ops.maximum(logit, 0) - logit * score + ops.softplus(-ops.abs(logit))
    focal = ops.square(ops.sigmoid(logit) - score) * entropy
    weight = ops.where(score > 0.1, score, 0.0)[..., None]
    side = ops.exp((y_true[..., 3:4] + y_true[..., 4:5]) / 2)
    distance = ops.abs(y_true[..., 1:] - y_pred[..., 1:]) * weight
    boxes = ops.sum(distance[..., :2] / side) + ops.sum(distance[..., 2:4])
    points = ops.sum(distance[..., 4:] / side)
    return (_SCORES * ops.sum(focal) + boxes + _POINTS * points) / (1 + ops.sum(weight))


def features_loss(y_true, y_pred):
    """Squared error over variance; (B, h, w, 64)."""
    variance = ops.mean(ops.var(y_true, axis=(0, 1, 2)))
    return ops.mean(ops.square(y_pred - y_true)) / variance
