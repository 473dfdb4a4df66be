"""What a training of a mixture consists of: its data, its model, its validation, its presets."""

import os
from dataclasses import asdict, replace
from pathlib import Path

from keras_lotr.datasets import NoFaces, read_samples
from keras_lotr.datasets.augment import Augmentation
from keras_lotr.datasets.batches import LandmarkBatches
from keras_lotr.datasets.mixture_batches import MixtureBatches
from keras_lotr.lotr import LOTR
from keras_lotr.mixture import Group, LOTRMixture
from keras_lotr.presets import RECIPE, CropContract, dtype_policy, write_json
from keras_lotr.starting_model import (
    freeze,
    is_preset,
    mean_shape_of,
    start_of,
    starting_model,
)
from keras_lotr.validation import Validation

PRESETS = "presets"  # in the folder of a run: one preset for each group


def parts_of_mixture(recipe, data, out, init, reader, workers):
    """The parts of the training of a recipe with groups.

    Args:
        recipe, data, out, init, reader, workers: as of `train`.

    Returns:
        model, batches, a function that validates and one that keeps, as `Run` takes them.
    """
    folders = named_folders(data, recipe.groups)
    train = [_train_lists(group, folders, reader) for group in recipe.groups]
    trained_on = {s.path for lists in train for samples in lists for s in samples}
    validation = [_validation(g, folders, reader, trained_on) for g in recipe.groups]
    model = build_mixture(recipe, [sum(lists, []) for lists in train], init)
    batches = _batches(recipe, train, model, workers)
    measured = {
        group.name: Validation(samples, recipe.size, recipe.margin, group.scheme, group.normalizer)
        for group, samples in zip(recipe.groups, validation, strict=True)
    }

    def validate():
        nme = {
            name: faces.mean_nme(model.predict_points(faces.crops, name))
            for name, faces in measured.items()
        }
        return {"val_nme": _mean(nme, recipe.groups), **{f"val_nme_{k}": v for k, v in nme.items()}}

    def keep():
        for group in recipe.groups:
            model.model_of(group.name).save_to_preset(out / PRESETS / group.name)
            write_json(out / PRESETS / group.name / RECIPE, asdict(recipe))

    return model, batches, validate, keep


def _mean(nme, groups):
    total = sum(group.val_weight for group in groups)
    return sum(nme[group.name] * group.val_weight for group in groups) / total


def named_folders(data, groups):
    """{name: folder} of the data sets, of which each must be one that a group takes.

    Args:
        data: list of folders, or of NAME=FOLDER.
        groups: list of `GroupRecipe`.

    Raises:
        ValueError: two have one name, a group's data set is not there, or none takes it.
    """
    folders = {}
    for entry in map(os.fspath, data):
        name, is_named, folder = entry.partition("=")
        if not is_named or os.path.exists(entry):
            name, folder = Path(entry).resolve().name, entry
        if name in folders:
            raise ValueError(
                f"Expected data sets of different names. {folders[name]} and {folder} are both "
                f"{name}: give one another name, --data NAME={folder}."
            )
        folders[name] = folder
    for group in groups:
        for name in group.data:
            if name not in folders:
                raise ValueError(
                    f"Group {group.name} of the mixture takes the data set {name}, which is not "
                    f"given: {', '.join(folders)}. Add --data {name}=FOLDER."
                )
    unused = [name for name in folders if not any(name in group.data for group in groups)]
    if unused:
        raise ValueError(f"No group of the mixture takes the data set {', '.join(unused)}.")
    return folders


def _train_lists(group, folders, reader):
    """Samples of each of the group's data sets that has any."""
    lists = [_read(group, name, folders[name], "train", reader) for name in group.data]
    lists = [samples for samples in lists if samples]
    if not lists:
        raise ValueError(f"Expected faces to train group {group.name} on. Its data has none.")
    return lists


def _validation(group, folders, reader, trained_on):
    samples = [
        sample
        for name in group.data
        for sample in _read(group, name, folders[name], "val", reader)
        if sample.path not in trained_on
    ]
    if not samples:
        raise ValueError(
            f"Expected faces to validate group {group.name} with. {', '.join(group.data)} has no "
            f'split "val" with {group.scheme} landmarks that is not trained on.'
        )
    return samples


def _read(group, name, folder, split, reader):
    try:
        samples = read_samples(folder, split, group.scheme, reader)
    except NoFaces:
        return []
    sets = group.sets_of(name, split)
    return samples if sets is None else [s for s in samples if set(sets) & set(s.tags)]


def build_mixture(recipe, samples, init):
    """The mixture of a recipe with its starting weights; what is frozen is frozen.

    Args:
        recipe: `Recipe` with groups.
        samples: for each group, the faces that it is trained on.
        init: as of `train`.
    """
    init = start_of(recipe, init)
    with dtype_policy(recipe.dtype):
        if init is not None and is_preset(init):
            trunk = LOTR.from_preset(init)
            scheme = trunk.crop_contract.scheme
        else:
            scheme = recipe.groups[0].scheme
            trunk = starting_model(recipe, mean_shape_of(samples[0], recipe.margin), init)
        trunk.crop_contract = CropContract(scheme, recipe.size, recipe.margin)
        freeze(trunk, recipe, init)
        start = Group.of_model("trunk", trunk)
        groups = []
        for group, of_group in zip(recipe.groups, samples, strict=True):
            source = start
            if group.tables is not None:
                source = Group.of_model(group.tables, LOTR.from_preset(group.tables))
            if group.scheme != source.scheme:
                mean_shape = mean_shape_of(of_group, recipe.margin)
                source = source.as_scheme(group.scheme, mean_shape)
            groups.append(replace(source, name=group.name))
        return LOTRMixture(trunk, groups)


def _batches(recipe, train, model, workers):
    """Batches of lists of samples, several for each group."""
    lists = [samples for lists in train for samples in lists]
    group_of_list = [i for i, lists in enumerate(train) for _ in lists]
    shares = [recipe.groups[i].share / len(train[i]) for i in group_of_list]
    faces = LandmarkBatches(
        lists,
        recipe.size,
        recipe.margin,
        Augmentation(**recipe.augmentation),
        recipe.batch_size,
        recipe.samples_per_epoch or sum(map(len, lists)),
        recipe.seed,
        shares=shares,
    )
    sizes = [len(group.mean_shape) for group in model.groups]
    weights = [group.weight for group in recipe.groups]
    return MixtureBatches(faces, group_of_list, sizes, weights, workers=workers, max_queue_size=16)
