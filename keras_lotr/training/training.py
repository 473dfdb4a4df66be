"""`keras-lotr train`: a recipe, data and a folder become a preset; resumable after any kill."""

import json
import os
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from keras_lotr.datasets import NoFaces, read_samples
from keras_lotr.datasets.samples import paths_among
from keras_lotr.datasets.sets import given_tags
from keras_lotr.metrics import NormalizedMeanError
from keras_lotr.presets.preset import RECIPE, dtype_policy, write_json
from keras_lotr.seeds import seeded
from keras_lotr.training.checkpoint import BEST, HISTORY, Checkpoint, check_out, fit, only_run
from keras_lotr.training.mixture_training import mixture_parts
from keras_lotr.training.parts import TrainingParts, augmented_batches, header
from keras_lotr.training.recipe import Recipe
from keras_lotr.training.run_files import check_new_run, check_same
from keras_lotr.training.starting_model import build, with_size_of_start
from keras_lotr.training.torch_group import join_group, own_rows, place_in_group
from keras_lotr.training.validation import padded, validation_crops

__all__ = ["build", "train"]


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
    callbacks=(),
):
    """Train a LOTR and keep the best weights as a preset.

    The folder `out` gets `preset/` (the weights with the lowest NME on the validation faces so
    far), `history.csv` (a row for each epoch), `recipe.json` and `checkpoint.safetensors`. A recipe
    with a mixture trains one network for several landmark orders; `presets/GROUP/` then holds a
    model for each group, and the best weights are those with the lowest mean NME over the groups.

    Args:
        recipe: `Recipe`.
        data: folders of data sets, or a single one; an epoch draws the same number of faces from
            each. Faces of a split "val" are for validation; if there are none, a tenth of the first
            data set is held out. For a mixture, NAME=FOLDER gives a data set a name, and each group
            needs a split "val".
        out: folder of the run; unless `resume` is set, one without a training, a recipe.json or a
            preset.
        init: what to start from: a preset, with its network and its weights; or a safetensors file
            of a LOTR, from which the recipe's network takes what fits.
        reader: name of the reader for all of `data`; None recognises each data set.
        resume: whether to continue from the checkpoint in `out`, with the recipe and the start of
            that run. The result is that of an uninterrupted run.
        workers: number of threads that prepare batches.
        verbose: as in `keras.Model.fit`; "auto" shows a progress bar on a terminal, and a line per
            epoch elsewhere. Unless it is 0, what is trained is printed first.
        callbacks: more Keras callbacks. They find the NME as "val_nme" in the logs, and the last
            weights, not the averaged ones, in the model.
        only: tags, such as names of sets; other faces are left out, see `read_samples`. The groups
            of a mixture name their own.

    Returns:
        The path of the preset, or of the folder with the presets of a mixture.

    Raises:
        ValueError: the data or the recipe cannot be used, another training runs in the folder, the
            run to resume was begun with others, the loss became NaN, or no epoch had a finite
            NME.
        OSError: the folder cannot be written; the sentence says why. The last whole checkpoint
            stays.
    """
    data = [data] if isinstance(data, str | os.PathLike) else list(data)
    out, only = Path(out), given_tags(only)
    check_out(out, resume)
    if resume:
        recipe, init = _as_begun(out, recipe, init)
    elif init is not None:  # the recipe that is kept says what it started from
        recipe = replace(recipe, init=os.fspath(init), backbone_weights=None)
    recipe = with_size_of_start(recipe, init)
    if not resume:
        check_new_run(out, asdict(recipe))
    if recipe.mixture:
        if only:
            raise ValueError("Expected no `only` with a mixture: its groups name the sets to take.")
        parts = mixture_parts(recipe, data, out, init, reader, workers)
    else:
        parts = _parts(recipe, data, out, init, reader, workers, only)
    is_first = place_in_group()[0] == 0  # of processes that train together; it alone writes
    verbose = verbose if is_first else 0
    join_group(parts.model)
    steps = len(parts.batches)
    optimizer = recipe.optimizer_for(parts.model, steps * recipe.epochs)
    parts.model.compile(optimizer, parts.losses, parts.loss_weights, metrics=parts.metrics)
    schedule = recipe.schedule_of(steps * recipe.epochs)
    begun = {
        "faces to train on": list(parts.train_faces.values()),
        "faces to validate with": list(parts.val_faces.values()),
    }
    checkpoint = Checkpoint(out, parts.measure, parts.keep, schedule, begun)
    with only_run(out, resume) if is_first else nullcontext():
        if is_first:
            write_json(out / RECIPE, asdict(recipe))
        if verbose:
            print(header(recipe, parts, out))
        fit(
            parts.model, parts.batches, own_rows(parts.validation), recipe.epochs, checkpoint,
            resume, verbose, callbacks,
        )  # fmt: skip
    if is_first:
        _check_finite(checkpoint.history, parts.preset, out)
    return parts.preset


def _check_finite(history, preset, out):
    """Raise ValueError if the loss became NaN, or no epoch had weights to keep."""
    kept = f"{preset} has the best weights before" if preset.exists() else "there are none to keep"
    advice = (
        "lower the learning rate, or look for numbers in the data, or in the weights that the "
        f"training starts from, that are not finite. {out / HISTORY} has the losses."
    )
    if history and np.isnan(history[-1]["loss"]):
        epoch = history[-1]["epoch"]
        raise ValueError(
            f"The training was stopped, as its loss in epoch {epoch} is NaN ({kept}): {advice}"
        )
    if not preset.exists():
        raise ValueError(
            f"No epoch of the training had a finite NME, so there are no best weights: {advice}"
        )


def _as_begun(out, recipe, init):
    """The recipe and the start of the run in a folder, with the epochs that are asked for.

    Raises:
        ValueError: the recipe or the start is another one.
    """
    begun = Recipe.load(out / RECIPE)
    given = json.loads(json.dumps(asdict(recipe)))
    # A start that is given replaces the recipe's, whose own is then no contradiction.
    given |= {"init": init and os.fspath(init), "epochs": None, "notes": None}
    if begun.backbone_weights is None:
        given["backbone_weights"] = None
    check_same(out, asdict(begun), given)
    start = begun.init if begun.backbone_weights is None else None
    return replace(begun, epochs=recipe.epochs), start


def _parts(recipe, data, out, init, reader, workers, only):
    """The parts of a training of one scheme."""
    groups, faces = _read(data, recipe.scheme, reader, only)
    with seeded(recipe.seed), dtype_policy(recipe.dtype):
        model = build(recipe, groups, init)
    number = len(groups[0]) * len(groups)
    settings = {"workers": workers, "max_queue_size": 16}
    parts = [model.preprocessor.landmarks_in_box] * len(groups)
    batches = augmented_batches(recipe, groups, number, parts, **settings)
    crops, points = validation_crops(faces, recipe, recipe.scheme)

    def keep():
        model.save_to_preset(out / BEST, plain=True)
        write_json(out / BEST / RECIPE, asdict(recipe))

    return TrainingParts(
        model,
        batches,
        (padded(crops, recipe.batch_size, 0), padded(points, recipe.batch_size, np.nan)),
        recipe.loss_for(recipe.scheme),
        [NormalizedMeanError(recipe.scheme)],
        lambda logs: {"val_nme": logs["nme"]},
        keep,
        out / BEST,
        {os.fspath(folder): len(group) for folder, group in zip(data, groups, strict=True)},
        {"all": len(faces)},
    )


def _read(data, scheme, reader, only):
    """Training samples of each folder, and validation samples: a "val" split, or every tenth."""
    groups = [read_samples(folder, "train", scheme, reader, only) for folder in data]
    validation = [s for folder in data for s in _validation_of(folder, scheme, reader, only)]
    trained_on = paths_among(validation, groups)
    # A data set that tells no split hands out the same faces for every split.
    validation = [s for s in validation if s.path not in trained_on]
    if not validation:
        if len(groups[0]) < 2:
            raise ValueError(
                f"Expected at least two faces to train on and to validate with in {data[0]}. "
                f"Received: {len(groups[0])}"
            )
        validation = list(groups[0][::10])
        rows = np.flatnonzero(np.arange(len(groups[0])) % 10)
        is_list = isinstance(groups[0], list)
        groups[0] = [groups[0][row] for row in rows] if is_list else groups[0][rows]
    return groups, validation


def _validation_of(folder, scheme, reader, only):
    try:
        return read_samples(folder, "val", scheme, reader, only)
    except NoFaces:
        return []
