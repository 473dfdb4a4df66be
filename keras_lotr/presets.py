"""Presets: a folder with a model's numbers, its crop contract, its history and its weights."""

from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import keras

from keras_lotr import preset_checks
from keras_lotr.crop_contract import CropContract
from keras_lotr.mean_shape import TABLES, UNTRAINED_ZERO, start_at_nearest
from keras_lotr.preset_files import (
    CONFIG,
    METADATA,
    ONNX,
    PREPROCESSOR,
    RECIPE,
    RESULTS,
    WEIGHTS,
    PresetFiles,
    local_presets,
    resolve,
    shipped_folder,
    write_json,
)
from keras_lotr.safetensors_io import count_numbers, load_arrays, save_weights
from keras_lotr.safetensors_io import load_weights as load_safetensors

# What others import from here, so that they need not know in which of the files it is.
__all__ = [
    "CONFIG",
    "METADATA",
    "PREPROCESSOR",
    "RECIPE",
    "RESULTS",
    "WEIGHTS",
    "CropContract",
    "PresetFiles",
    "PresetMixin",
    "build",
    "load_crop_contract",
    "local_presets",
    "read_config",
    "resolve",
    "save_config",
    "shipped_folder",
    "write_json",
]

FORMAT_VERSION = 1


def load_crop_contract(files):
    """The `CropContract` of a preset; None if it has none."""
    entries = files.json(PREPROCESSOR)
    if entries is None:
        return None
    try:
        return CropContract.from_dict(entries)
    except ValueError as error:
        raise ValueError(f"{PREPROCESSOR} of {files.name} is not valid: {error}") from None


class _Presets:
    """`LOTR.presets` without parentheses, as in keras_hub."""

    def __get__(self, instance, owner):
        """{name: metadata} of all local presets."""
        return {
            name: PresetFiles(name, folder=folder).json(METADATA) or {}
            for name, folder in local_presets().items()
        }


class PresetMixin:
    """`from_preset`, `save_to_preset` and `presets` for a Keras model with `num_landmarks`."""

    presets = _Presets()

    @classmethod
    def from_preset(
        cls, preset, load_weights=True, num_landmarks=None, mean_shape=None, dtype=None, token=None
    ):
        """Load a model.

        Args:
            preset: short name, folder, or "hf://org/name[@revision]".
            load_weights: False gives the network with fresh weights.
            num_landmarks: another number of landmarks than the preset's: each starts as the
                nearest of the preset's landmarks, all other weights are kept.
            mean_shape: (num_landmarks, 2), mean landmarks for another number, as fractions of the
                crop; None spreads them over the face.
            dtype: dtype policy of the model, such as "mixed_bfloat16"; None: Keras' own.
            token: access token of the Hub; None takes that of HF_TOKEN or `hf auth login`.

        Raises:
            ValueError: unknown preset, weights that do not fit, or no weights.
            OSError: the preset cannot be had from the Hub.

        Example:

        >>> import keras_lotr
        >>> model = keras_lotr.LOTR.from_preset("lotr_m_300w", num_landmarks=21)
        >>> model.output_shape
        (None, 21, 2)
        """
        files = resolve(preset, token)
        config = read_config(files, cls.__name__)
        if "num_landmarks" not in config:
            raise ValueError(f"{files.name}/{CONFIG} is not valid: it has no num_landmarks.")
        contract = load_crop_contract(files)
        weights = files.path(WEIGHTS) if load_weights else None
        if load_weights and weights is None:
            raise ValueError(_no_weights(files))
        anew = num_landmarks not in (None, config["num_landmarks"])
        preset_shape = config.get("mean_shape")
        if anew:
            config = {**config, "num_landmarks": num_landmarks, "mean_shape": mean_shape}
        model = build(cls, config, files.name, dtype, weights)
        if contract is not None and contract.image_size != model.image_size:
            raise ValueError(
                f"{files.name} is not valid: {PREPROCESSOR} has image_size {contract.image_size}, "
                f"the network takes {model.image_size}."
            )
        if load_weights:
            load_safetensors(model, weights, skip=(*TABLES, UNTRAINED_ZERO) if anew else ())
        if load_weights and anew:
            start_at_nearest(model, preset_shape, load_arrays(weights, TABLES))
        if contract is not None and anew:
            scheme = CropContract.default(num_landmarks, contract.image_size).scheme
            contract = replace(contract, scheme=scheme)
        model.crop_contract = contract or model.crop_contract
        return model

    def save_to_preset(self, folder, dtype=None):
        """Write config, crop contract and weights into a folder that `from_preset` reads.

        Args:
            folder: created if missing; files of the same name are replaced, and model.onnx of
                other weights is taken away.
            dtype: "float16" for a file of half the size.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        save_config(self, folder)
        contract = {**asdict(self.crop_contract), "channels": "RGB", "range": [0, 255]}
        write_json(folder / PREPROCESSOR, contract)
        (folder / ONNX).unlink(missing_ok=True)  # it would be of other weights
        save_weights(self, folder / WEIGHTS, dtype)


def read_config(files, class_name):
    """The arguments of the model of a preset, from a config that may be loaded."""
    config = files.json(CONFIG)
    if config is None:
        raise ValueError(f"Expected a preset. {files.name} has no {CONFIG}.")
    if not isinstance(config, dict) or config.get("registered_name") != f"keras_lotr>{class_name}":
        raise ValueError(f"Expected a {class_name} in {files.name}/{CONFIG}.")
    if config.get("format_version", 0) > FORMAT_VERSION:
        raise ValueError(
            f"{files.name} was made by a newer keras-lotr: update it to load this preset."
        )
    preset_checks.check_config(config, files.name)
    if not isinstance(config.get("config"), dict):
        raise ValueError(f"{files.name}/{CONFIG} is not valid: it has no arguments.")
    return config["config"]


def build(cls, config, name, dtype=None, weights=None):
    """The network of a preset called `name`, under a dtype policy.

    Args:
        weights: the file that is to fill it, so that it cannot be much larger than that; None: no
            larger than `MAX_WEIGHTS_WITHOUT_FILE`.
    """
    limit = preset_checks.MAX_WEIGHTS_WITHOUT_FILE
    if weights is not None:
        limit = min(limit, 2 * count_numbers(weights) + 2**22)
    try:
        with dtype_policy(dtype), preset_checks.at_most(limit, name):
            return cls.from_config(config)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{name}/{CONFIG} is not valid: {error!r}") from None


@contextmanager
def dtype_policy(dtype):
    """Layers that are built meanwhile have this dtype policy; None: Keras' own."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype or policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)


def save_config(model, folder):
    """Write `config.json` of a model."""
    config = keras.saving.serialize_keras_object(model)
    _strip(config)
    write_json(folder / CONFIG, {"format_version": FORMAT_VERSION, **config})


def _strip(config):
    """Leave out how the model was built and compiled: a preset is numbers, not a session."""
    if isinstance(config, list):
        for value in config:
            _strip(value)
    elif isinstance(config, dict):
        for key in ("build_config", "compile_config"):
            config.pop(key, None)
        for value in config.values():
            _strip(value)


def _no_weights(files):
    return (
        f"The preset {files.name!r} has no trained weights yet. Train them with `keras-lotr train "
        f"{files.name} --data FOLDER`, or take the untrained network with "
        f"from_preset({files.name!r}, load_weights=False)."
    )
