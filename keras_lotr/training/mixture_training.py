"""What a training of a mixture consists of: its data, its model, its validation, its presets."""

from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import numpy as np

from keras_lotr.datasets import NoFaces, read_samples
from keras_lotr.datasets.mixture_batches import MixtureBatches
from keras_lotr.datasets.samples import paths_among
from keras_lotr.lotr import LOTR
from keras_lotr.metrics import NormalizedMeanError
from keras_lotr.presets.preset import RECIPE, Preprocessor, dtype_policy, write_json
from keras_lotr.seeds import seeded
from keras_lotr.training.mixture import Group, LOTRMixture
from keras_lotr.training.parts import TrainingParts, augmented_batches
from keras_lotr.training.run_files import PRESETS, name_and_folder
from keras_lotr.training.starting_model import (
    freeze,
    is_preset,
    mean_shape_of,
    part_of_face,
    start_of,
    starting_model,
    trained_model,
)
from keras_lotr.training.validation import padded, validation_crops


def mixture_parts(recipe, data, out, init, reader, workers):
    """The parts of a training of a recipe with groups; arguments as of `train`."""
    folders = named_folders(data, recipe.groups)
    read = [_faces_of(group, folders, reader) for group in recipe.groups]
    train = [by_name for by_name, _ in read]
    lists = [samples for by_name in train for samples in by_name.values()]
    trained_on = paths_among((s for _, samples in read for s in samples), lists)
    faces = [[s for s in samples if s.path not in trained_on] for _, samples in read]
    for group, by_name, samples in zip(recipe.groups, train, faces, strict=True):
        _check_faces(group, by_name, samples)
    with seeded(recipe.seed):
        mixture = build_mixture(recipe, [list(by_name.values()) for by_name in train], init)
    names = [group.name for group in recipe.groups]

    def measure(logs):
        # Keras names a metric without its output if there is only one.
        nme = {name: logs["nme" if len(names) == 1 else f"{name}_nme"] for name in names}
        weights = [group.val_weight for group in recipe.groups]
        mean = float(np.average(list(nme.values()), weights=weights))
        return {"val_nme": mean, **{f"val_nme_{name}": value for name, value in nme.items()}}

    model_of = cache(mixture.model_of)  # to make one takes as long as several batches

    def keep():
        for name in names:
            mixture.copy_weights(name, model_of(name))
            model_of(name).save_to_preset(out / PRESETS / name, plain=True)
            write_json(out / PRESETS / name / RECIPE, asdict(recipe))

    return TrainingParts(
        mixture.by_group(),
        _batches(recipe, train, mixture, workers),
        _validation_data(recipe, faces),
        {group.name: recipe.loss_for(group.scheme) for group in recipe.groups},
        {g.name: NormalizedMeanError(g.scheme, normalizer=g.normalizer) for g in recipe.groups},
        measure,
        keep,
        out / PRESETS,
        {n: sum(map(len, by_name.values())) for n, by_name in zip(names, train, strict=True)},
        dict(zip(names, map(len, faces), strict=True)),
        {group.name: group.weight for group in recipe.groups},
    )


def _validation_data(recipe, faces):
    """The faces of all groups, one group after the other: (crops, group), {name: points}."""
    crops, points, group = [], {}, []
    numbers = [len(samples) for samples in faces]
    for number, (of_group, samples) in enumerate(zip(recipe.groups, faces, strict=True)):
        arrays = validation_crops(samples, recipe, of_group.scheme, of_group.normalizer)
        crops.append(arrays[0])
        group += [number] * len(samples)
        before, after = sum(numbers[:number]), sum(numbers[number + 1 :])
        pads = ((before, after), (0, 0), (0, 0))
        points[of_group.name] = np.pad(arrays[1], pads, constant_values=np.nan)
    size = recipe.batch_size
    crops, group = np.concatenate(crops), np.array(group, np.int32)
    points = {name: padded(array, size, np.nan) for name, array in points.items()}
    return [padded(crops, size, 0), padded(group, size, 0)], points


def named_folders(data, groups):
    """{name: folder} of the data sets, of which each must be one that a group takes.

    Args:
        data: list of folders, or of NAME=FOLDER.
        groups: list of `GroupRecipe`.

    Raises:
        ValueError: two have one name, a group's data set is not there, or none takes it.
    """
    folders = {}
    for name, folder in map(name_and_folder, data):
        name = Path(folder).resolve().name if name is None else name
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


def _faces_of(group, folders, reader):
    """{data set: samples to train on}, where a group has any, and all samples to validate with."""
    train, validation = {}, []
    for name in group.data:
        split = {kind: _read(group, name, folders[name], kind, reader) for kind in ("train", "val")}
        if not split["train"] and not split["val"]:
            sets = ", ".join(group.only.get(name, ()))
            raise ValueError(
                f"Expected faces with {group.scheme} landmarks for group {group.name} in "
                f"{folders[name]}. It has none{' of the sets ' + sets if sets else ''}."
            )
        if split["train"]:
            train[name] = split["train"]
        validation += split["val"]
    return train, validation


def _read(group, name, folder, split, reader):
    sets = group.sets_of(name, split)
    if sets == []:
        return []
    try:
        return read_samples(folder, split, group.scheme, reader, sets or ())
    except NoFaces:
        return []


def _check_faces(group, train, validation):
    for kind, faces in (("train", train), ("validate", validation)):
        if not faces:
            raise ValueError(
                f"Expected faces to {kind} group {group.name} with. {', '.join(group.data)} has "
                f"none with {group.scheme} landmarks"
                + (' in a split "val" that is not trained on.' if kind == "validate" else ".")
            )


def build_mixture(recipe, faces, init):
    """The mixture of a recipe with its starting weights; what is frozen is frozen.

    Args:
        recipe: `Recipe` with groups.
        faces: for each group, lists or other sequences of `Sample` that it is trained on.
        init: as of `train`.
    """
    init = start_of(recipe, init)
    with dtype_policy(recipe.dtype):
        if init is not None and is_preset(init):
            trunk = trained_model(recipe, init)
            scheme = trunk.preprocessor.scheme
        else:
            scheme = recipe.groups[0].scheme
            trunk = starting_model(recipe, mean_shape_of(faces[0], recipe.margin), init)
        trunk.preprocessor = Preprocessor(scheme, recipe.size, recipe.margin)
        freeze(trunk, recipe, init)
        start = Group.of_model("trunk", trunk)
        groups = []
        for group, of_group in zip(recipe.groups, faces, strict=True):
            source = start
            if group.tables is not None:
                source = Group.of_model(
                    group.tables, LOTR.from_preset(group.tables, certainty_dim=None)
                )
            if group.scheme != source.scheme:
                mean_shape = mean_shape_of(of_group, recipe.margin)
                source = source.as_scheme(group.scheme, mean_shape)
            part = part_of_face(group.scheme, of_group)
            groups.append(replace(source, name=group.name, landmarks_in_box=part))
        return LOTRMixture(trunk, groups)


def _batches(recipe, train, model, workers):
    """Batches of {data set: its samples}, one for each group."""
    lists = [samples for by_name in train for samples in by_name.values()]
    group_of_list = [i for i, by_name in enumerate(train) for _ in by_name]
    shares = sum(
        (g.shares_of(by_name) for g, by_name in zip(recipe.groups, train, strict=True)), []
    )
    parts = [model.groups[i].landmarks_in_box for i in group_of_list]
    faces = augmented_batches(recipe, lists, sum(map(len, lists)), parts, shares=shares)
    sizes = {group.name: len(group.mean_shape) for group in model.groups}
    return MixtureBatches(faces, group_of_list, sizes, workers=workers, max_queue_size=16)
