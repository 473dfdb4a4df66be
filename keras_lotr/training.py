"""`keras-lotr train`: a recipe, data and a folder become a preset; resumable after any kill."""

from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_lotr.backbones.loading import load_backbone_weights
from keras_lotr.checkpoints import BEST, Run, check_out
from keras_lotr.datasets import NoFaces, read_samples
from keras_lotr.datasets.augment import Augmentation
from keras_lotr.datasets.batches import LandmarkBatches, load_crops
from keras_lotr.losses import SmoothWing
from keras_lotr.lotr import LOTR
from keras_lotr.metrics import normalized_mean_error
from keras_lotr.presets import RECIPE, CropContract, dtype_policy, write_json
from keras_lotr.safetensors_io import load_fitting_weights


def train(
    recipe,
    data,
    out,
    init=None,
    reader=None,
    resume=False,
    workers=1,
    verbose="auto",
    only=(),
):
    """Train a LOTR and keep the best weights as a preset.

    Into `out` go `preset/` (the weights that were best on the validation faces so far),
    `history.csv` (a row for each epoch), `recipe.json` and `checkpoint.safetensors`.

    Args:
        recipe: `Recipe`.
        data: folders of data sets; an epoch draws the same number of faces from each. Those that
            have a "val" split are validated on; without any, a tenth of the first is held out.
        out: folder of the run; must be new or empty unless `resume`.
        init: what to start from: a preset, its network and its weights; or a safetensors file of
            a LOTR, of which the recipe's network takes what fits.
        reader: name of the reader for all of `data`; None recognises each.
        resume: go on from the checkpoint in `out`, exactly as if never stopped.
        workers: threads that prepare batches.
        verbose: of `keras.Model.fit`.
        only: tags, such as names of sets: other faces are left out, see `read_samples`.

    Returns:
        The path of the preset.
    """
    out = Path(out)
    check_out(out, resume)
    keras.utils.set_random_seed(recipe.seed)
    groups, validation = _read(data, recipe.scheme, reader, only)
    with dtype_policy(recipe.dtype):
        model = build(recipe, groups, init)
    batches = LandmarkBatches(
        groups,
        recipe.size,
        recipe.margin,
        Augmentation(**recipe.augmentation),
        recipe.batch_size,
        recipe.samples_per_epoch,
        recipe.seed,
        workers=workers,
        max_queue_size=16,
    )
    optimizer = recipe.optimizer_for(model, steps=len(batches) * recipe.epochs)
    model.compile(optimizer, SmoothWing())
    optimizer.build(model.trainable_variables)
    crops, points = load_crops(validation, recipe.size, recipe.margin)
    if not np.isfinite(_nme(points, points, recipe.scheme)).any():
        raise ValueError(
            "Expected a validation face whose NME can be had: with labels of what it is divided "
            f"by. Received: {len(points)} faces, none of them such a face."
        )

    def validate():
        return float(np.nanmean(_nme(points, model.predict_points(crops), recipe.scheme)))

    def keep():
        model.save_to_preset(out / BEST)
        write_json(out / BEST / RECIPE, asdict(recipe))

    run = Run(model, out, "val_nme", validate, keep)
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / RECIPE, asdict(recipe))
    return run.fit(batches, recipe.epochs, resume, verbose)


def _nme(truth, predicted, scheme):
    return ops.convert_to_numpy(normalized_mean_error(truth, predicted, scheme))


def _read(data, scheme, reader, only=()):
    """Training samples of each folder, and validation samples: a "val" split, or every tenth."""
    groups = [read_samples(folder, "train", scheme, reader, only) for folder in data]
    validation = [s for folder in data for s in _validation_of(folder, scheme, reader, only)]
    trained_on = {s.path for group in groups for s in group}
    # A data set that tells no split hands out the same faces for every split.
    validation = [s for s in validation if s.path not in trained_on]
    if not validation:
        if len(groups[0]) < 2:
            raise ValueError(
                f"Expected at least two faces to train on and to validate with in {data[0]}. "
                f"Received: {len(groups[0])}"
            )
        validation = groups[0][::10]
        groups[0] = [s for i, s in enumerate(groups[0]) if i % 10]
    return groups, validation


def _validation_of(folder, scheme, reader, only):
    try:
        return read_samples(folder, "val", scheme, reader, only)
    except NoFaces:
        return []


def build(recipe, groups, init):
    """The model of the recipe with its starting weights."""
    num_landmarks = len(groups[0][0].points_image)
    mean_shape = _mean_shape(groups[0], recipe.margin)
    contract = CropContract(recipe.scheme, recipe.size, recipe.margin)
    if init is not None and not str(init).endswith(".safetensors"):
        model = LOTR.from_preset(init, num_landmarks=num_landmarks, mean_shape=mean_shape)
    else:
        model = LOTR.from_variant(
            recipe.variant, num_landmarks, recipe.size, mean_shape=mean_shape, **recipe.model
        )
        if init is None and recipe.backbone_weights not in (None, "none"):
            load_backbone_weights(model.backbone, recipe.backbone_weights)
        if init is not None:
            anew = load_fitting_weights(model, init)
            layers = sorted({key.split("/")[0] for key in anew})
            print(f"Start anew: {', '.join(layers) or 'none'}. All else is that of {init}.")
    model.crop_contract = contract
    if recipe.backbone_rate == 0:
        model.backbone.trainable = False  # weight decay has one rate for all weights
    for layer in model.backbone.layers:
        normalizes = isinstance(layer, keras.layers.BatchNormalization)
        if layer.name.startswith(tuple(recipe.frozen_layers)) or (
            normalizes and recipe.freeze_batch_norm
        ):
            layer.trainable = False
    if recipe.ema:
        _average_statistics(model, recipe.ema)
    return model


def _average_statistics(model, momentum):
    """Average the statistics of batch norm as slowly as the weights: they have to fit each other.

    An epoch's last batches gave a LOTR-M+ whose last weights had 4.6 % one of 5.8 %.
    """
    for layer in [*model.backbone.layers, *model.layers]:
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable:
            layer.momentum = momentum


def _mean_shape(samples, margin):
    """Mean landmarks as fractions of the crop, (N, 2); of each landmark over the faces with it."""
    points = np.stack([s.points_image for s in samples])
    never = np.flatnonzero(np.isnan(points).all(axis=(0, 2)))
    if len(never):
        raise ValueError(
            f"Expected each landmark to have a label on some face. {len(never)} of "
            f"{points.shape[1]} have none on any of the {len(samples)} training faces, the first "
            f"is landmark {never[0]}."
        )
    boxes = np.stack([s.box for s in samples])
    center = (boxes[:, :2] + boxes[:, 2:]) / 2
    side = margin * (boxes[:, 2:] - boxes[:, :2]).max(-1)
    return np.nanmean(0.5 + (points - center[:, None]) / side[:, None, None], axis=0)
