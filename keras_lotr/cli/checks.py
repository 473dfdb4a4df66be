"""Mistakes on a command line that are told before Keras is started, which takes seconds."""

import contextlib
from pathlib import Path

from keras_lotr.presets.files import (
    DETECTOR,
    LANDMARKS,
    ONNX,
    RECIPE,
    WEIGHTS,
    local_presets,
    read_json,
    resolve,
)
from keras_lotr.presets.hub import PREFIX


def landmark_preset(preset, trained=True):
    """The `PresetFiles` of a preset of landmarks.

    Args:
        preset: short name, folder or hf:// handle.
        trained: it must have weights.

    Raises:
        ValueError: there is no such preset, it is a face detector's, or it has no weights.
        OSError: the Hub cannot be asked.
    """
    files = resolve(preset, usable=lambda: _usable(trained))
    if files.kind == DETECTOR:
        raise ValueError(
            f"Expected a preset of landmarks. {preset} is a face detector's. "
            f"Available: {', '.join(_usable(trained))}."
        )
    if trained and not (_has(files, WEIGHTS) or _has(files, ONNX)):
        raise ValueError(
            f"The preset {files.name!r} has no trained weights yet. Train them with `keras-lotr "
            f"train {files.name} --data FOLDER`, or take another preset. "
            f"Available: {', '.join(_usable(trained))}."
        )
    return files


def _usable(trained):
    """The short names of the presets of landmarks."""
    names = []
    for name, folder in sorted(local_presets().items()):
        with contextlib.suppress(ValueError):  # a broken preset beside the one that is asked for
            files = resolve(folder)
            if files.kind == LANDMARKS and (not trained or _has(files, WEIGHTS)):
                names.append(name)
    return names


def _has(files, filename):
    """Whether a preset has a file, as far as can be told without fetching it."""
    there = files.folder is None or (files.folder / filename).is_file()
    return there or filename in files.sha256


def check_recipe(recipe):
    """Refuse what is neither a recipe file nor a preset with a recipe."""
    if recipe.endswith(".json"):
        check_exists("recipe", recipe)
        entries = read_json(recipe)
    elif Path(recipe).is_file():
        raise ValueError(f"Expected a preset or a recipe in a .json file. Received: {recipe}")
    else:
        entries = landmark_preset(recipe, trained=False).json(RECIPE)
        if entries is None:
            raise ValueError(f"Expected a preset with a recipe. {recipe} has no {RECIPE}.")
    if not isinstance(entries, dict):
        raise ValueError(f"Expected an object, {{name: value}}, as the recipe {recipe}.")


def check_exists(what, *paths):
    """Refuse a file or folder that is not there.

    Example:

    >>> check_exists("data set", "no_such_folder")
    Traceback (most recent call last):
    FileNotFoundError: There is no data set no_such_folder.
    """
    for path in paths:
        if not Path(path).exists():
            raise FileNotFoundError(f"There is no {what} {path}.")


def check_start(init, backbone_weights):
    """Refuse starting weights that are not there, and both initial ones and the backbone's."""
    if init is not None and backbone_weights is not None:
        raise ValueError(
            "Expected --initial-weights or --backbone-weights, not both: the initial weights have "
            f"a backbone. Received: {init} and {backbone_weights}"
        )
    if init is not None and init.endswith(".safetensors"):
        check_exists("file of weights", init)
    elif init is not None:
        landmark_preset(init)
    if backbone_weights not in (None, "none") and not backbone_weights.startswith(PREFIX):
        check_exists("file of weights", backbone_weights)
