"""`keras-lotr train`: a recipe, data and a folder become a preset; resumable after any kill."""

from dataclasses import asdict
from pathlib import Path

import keras

from keras_lotr.checkpoints import BEST, Run, check_out
from keras_lotr.datasets import NoFaces, read_samples
from keras_lotr.datasets.augment import Augmentation
from keras_lotr.datasets.batches import LandmarkBatches
from keras_lotr.losses import SmoothWing
from keras_lotr.mixture_training import PRESETS, parts_of_mixture
from keras_lotr.presets import RECIPE, dtype_policy, write_json
from keras_lotr.starting_model import build
from keras_lotr.validation import Validation

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
):
    """Train a LOTR and keep the best weights as a preset.

    Into `out` go `preset/` (the weights that were best on the validation faces so far),
    `history.csv` (a row for each epoch), `recipe.json` and `checkpoint.safetensors`. A recipe with
    a mixture trains one network for several landmark orders; `presets/GROUP/` then holds a model
    for each group, and best is what has the least mean NME over the groups.

    Args:
        recipe: `Recipe`.
        data: folders of data sets; an epoch draws the same number of faces from each. Those that
            have a "val" split are validated on; without any, a tenth of the first is held out.
            For a mixture also NAME=FOLDER; each group needs a "val" split.
        out: folder of the run; must be new or empty unless `resume`.
        init: what to start from: a preset, its network and its weights; or a safetensors file of
            a LOTR, of which the recipe's network takes what fits.
        reader: name of the reader for all of `data`; None recognises each.
        resume: go on from the checkpoint in `out`, exactly as if never stopped.
        workers: threads that prepare batches.
        verbose: of `keras.Model.fit`.

    Returns:
        The path of the preset, or of the folder with the presets of a mixture.
    """
    out = Path(out)
    check_out(out, resume)
    keras.utils.set_random_seed(recipe.seed)
    parts_of = parts_of_mixture if recipe.mixture else _parts
    model, batches, validate, keep = parts_of(recipe, data, out, init, reader, workers)
    optimizer = recipe.optimizer_for(model, steps=len(batches) * recipe.epochs)
    model.compile(optimizer, SmoothWing())
    optimizer.build(model.trainable_variables)
    run = Run(model, out, "val_nme", validate, keep)
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / RECIPE, asdict(recipe))
    run.fit(batches, recipe.epochs, resume, verbose)
    return out / (PRESETS if recipe.mixture else BEST)


def _parts(recipe, data, out, init, reader, workers):
    """The parts of a training of one scheme, as `parts_of_mixture` has them."""
    groups, validation = _read(data, recipe.scheme, reader)
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
    measured = Validation(validation, recipe.size, recipe.margin, recipe.scheme)

    def validate():
        return {"val_nme": measured.mean_nme(model.predict_points(measured.crops))}

    def keep():
        model.save_to_preset(out / BEST)
        write_json(out / BEST / RECIPE, asdict(recipe))

    return model, batches, validate, keep


def _read(data, scheme, reader):
    """Training samples of each folder, and validation samples: a "val" split, or every tenth."""
    groups = [read_samples(folder, "train", scheme, reader) for folder in data]
    validation = [s for folder in data for s in _validation_of(folder, scheme, reader)]
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


def _validation_of(folder, scheme, reader):
    try:
        return read_samples(folder, "val", scheme, reader)
    except NoFaces:
        return []
