"""Presets: a folder with a model's numbers, its preprocessor, its history and its weights."""

import warnings
from dataclasses import replace

from keras_lotr.arguments import arguments_of, refuse_unknown, with_current_names
from keras_lotr.configured_model import dtype_policy
from keras_lotr.layers.mean_shape import TABLES, UNTRAINED_ZERO, start_at_nearest
from keras_lotr.number_checks import check_counts
from keras_lotr.preprocessor import Preprocessor
from keras_lotr.presets.config import build, check_loadable, config_of, is_of, read_config
from keras_lotr.presets.files import (
    CONFIG,
    METADATA,
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
from keras_lotr.presets.saving import save_preset
from keras_lotr.presets.weights import load_arrays, load_fitting_weights
from keras_lotr.presets.weights import load_weights as load_safetensors
from keras_lotr.writing import check_folder

# What others import from here, so that they need not know in which of the files it is.
__all__ = [
    "CONFIG",
    "METADATA",
    "PREPROCESSOR",
    "RECIPE",
    "RESULTS",
    "WEIGHTS",
    "Preprocessor",
    "PresetFiles",
    "PresetMixin",
    "build",
    "config_of",
    "dtype_policy",
    "load_preprocessor",
    "local_presets",
    "read_config",
    "resolve",
    "shipped_folder",
    "write_json",
]


def load_preprocessor(files):
    """The `Preprocessor` of a preset; None if it has none."""
    entries = files.json(PREPROCESSOR)
    if entries is None:
        return None
    try:
        return Preprocessor.from_dict(entries)
    except ValueError as error:
        raise ValueError(
            f"{PREPROCESSOR} of {files.name} is not valid: {str(error)[:500]}"
        ) from None


class _Presets:
    """`LOTR.presets` without parentheses, as in keras_hub."""

    def __get__(self, instance, owner):
        """{name: metadata} of all local presets that the class can load."""
        files = [PresetFiles(name, folder) for name, folder in local_presets().items()]
        return {f.name: f.json_object(METADATA) or {} for f in files if is_of(f.kind, owner)}


class PresetMixin:
    """`from_preset`, `save_to_preset` and `presets` for a Keras model with `num_landmarks`."""

    presets = _Presets()

    @classmethod
    def from_preset(
        cls,
        preset,
        load_weights=True,
        num_landmarks=None,
        mean_shape=None,
        dtype=None,
        token=None,
        **overrides,
    ):
        """Load a model.

        Args:
            preset: short name, folder, or "hf://org/name[@revision]". A `Path` is a folder, and
                so is "./name" where a short name is the same.
            load_weights: False gives the network with fresh weights.
            num_landmarks: another number of landmarks than the preset's: each starts as the
                nearest of the preset's landmarks, all other weights are kept.
            mean_shape: (num_landmarks, 2), mean landmarks as fractions of the crop; each landmark
                starts as the nearest of the preset's. None: the preset's own, or for another
                number of landmarks spread over the face. A network of other landmarks has no head
                that says how sure they are, see `certainty_dim`.
            dtype: dtype policy of the model, such as "mixed_bfloat16"; None: the preset's, or
                Keras' own.
            token: access token of the Hub; None takes that of HF_TOKEN or `hf auth login`.
            **overrides: other arguments of the class instead of the preset's. Weights that do not
                fit the network any more start untrained, and a warning names them.

        Raises:
            ValueError: unknown preset, weights that do not fit, or no weights.
            TypeError: an override that is no argument of the class, or another backbone.
            OSError: the preset cannot be had from the Hub.

        Example:

        >>> import keras_lotr
        >>> model = keras_lotr.LOTR.from_preset("lotr_m_68", num_landmarks=21)
        >>> model.output_shape
        (None, 21, 2)
        """
        if num_landmarks is not None:
            check_counts(num_landmarks=num_landmarks)
            num_landmarks = int(num_landmarks)
        overrides = with_current_names(cls, overrides)
        refuse_unknown(cls, {k: v for k, v in overrides.items() if k not in arguments_of(cls)})
        if not isinstance(overrides.get("backbone", {}), dict):
            raise TypeError(
                "Expected no backbone: a preset's has the preset's weights, and no other takes its "
                f"place. Build {cls.__name__}(backbone, ...) instead. "
                f"Received: {overrides['backbone']!r}"
            )
        files = resolve(preset, token)
        config = with_current_names(cls, read_config(files, cls))
        if "num_landmarks" not in config:
            raise ValueError(f"{files.name}/{CONFIG} is not valid: it has no num_landmarks.")
        weights = files.path(WEIGHTS) if load_weights else None
        if load_weights and weights is None:
            raise ValueError(_no_weights(files, cls.presets))
        count = config["num_landmarks"] if num_landmarks is None else num_landmarks
        anew = count != config["num_landmarks"] or mean_shape is not None
        preset_shape = config.get("mean_shape")
        if anew:
            overrides |= {"num_landmarks": count, "mean_shape": mean_shape}
            if HEAD in config:  # it knows the errors of the preset's own landmarks
                overrides.setdefault(HEAD, None)
        headless = overrides.get(HEAD, config.get(HEAD)) is None
        preprocessor = _preprocessor_of(files, count, other=count != config["num_landmarks"])
        model = build(cls, {**config, **overrides}, files, dtype, weights)
        if preprocessor is not None and "preprocessor" not in overrides:
            try:
                model.preprocessor = preprocessor
            except ValueError as error:
                raise ValueError(
                    f"{PREPROCESSOR} of {files.name} is not valid: {str(error)[:500]}"
                ) from None
        if load_weights:
            skip = (*TABLES, UNTRAINED_ZERO) if anew else ()
            if headless:
                skip += (HEAD_WEIGHTS,)
            if set(overrides) <= _SAME_WEIGHTS | ({HEAD} if headless else set()):
                load_safetensors(model, weights, skip)
            else:
                _load_what_fits(model, weights, skip, files.name)
        if load_weights and anew:
            start_at_nearest(model, preset_shape, load_arrays(weights, TABLES))
        return model

    def save_to_preset(self, folder, dtype=None, plain=False):
        """Write config, preprocessor and weights into a folder that `from_preset` reads.

        What is frozen, the dtype policy and weights that were quantized are kept. Low-rank
        adapters (LoRA) are added to their kernels, so that the preset is the network that every
        runtime knows.

        Args:
            folder: created if missing; files of the same name are replaced, and .onnx files of
                other weights are taken away.
            dtype: "float16" or "bfloat16" for a file of half the size, "float32"; None keeps that
                of each weight.
            plain: forget what is frozen and the dtype policies, which are a training's and not
                the network's.

        Raises:
            ValueError: `folder` is a file; `dtype` is none of these; or the model could not be
                loaded again, has weights that are not finite or too large for `dtype`, or layers
                that presets do not hold.
            OSError: it cannot be written there; the sentence says why.

        After an error the folder is as it was.
        """
        check_folder(folder)
        content = config_of(self, plain)
        check_loadable(self, content)
        preprocessor = {**self.preprocessor.to_dict(), "channels": "RGB", "range": [0, 255]}
        save_preset(self, folder, {CONFIG: content, PREPROCESSOR: preprocessor}, dtype)


# The argument of the head that says how sure landmarks are, and how the keys of its weights begin.
HEAD, HEAD_WEIGHTS = "certainty_dim", "certainty/"

# Arguments that leave number and shape of the weights as they are.
_SAME_WEIGHTS = {"num_landmarks", "mean_shape", "dropout", "preprocessor", "name", "trainable"}


def _preprocessor_of(files, num_landmarks, other):
    """That of the preset, or None; for other landmarks with their usual scheme."""
    preprocessor = load_preprocessor(files)
    if preprocessor is None:
        return None
    if other:
        scheme = Preprocessor.default(num_landmarks, preprocessor.image_size).scheme
        preprocessor = replace(preprocessor, scheme=scheme)
    return preprocessor


def _load_what_fits(model, weights, skip, name):
    anew = [key for key in load_fitting_weights(model, weights) if not key.startswith(skip)]
    if anew:
        parts = sorted({"/".join(key.split("/")[:2]) for key in anew})
        warnings.warn(
            f"{name} has no weights that fit these parts of the network, which start untrained: "
            f"{', '.join(parts)}.",
            stacklevel=3,
        )


def _no_weights(files, known):
    wanted = load_preprocessor(files)
    others = [
        name
        for name in known
        if (other := resolve(name)).path(WEIGHTS) is not None
        and wanted is not None
        and (found := load_preprocessor(other)) is not None
        and found.scheme == wanted.scheme
    ]
    trained = f" Trained ones with the same landmarks: {', '.join(others)}." if others else ""
    return (
        f"The preset {files.name!r} has no trained weights yet.{trained} Train it with `keras-lotr "
        f"train {files.name} --data FOLDER`, or take the untrained network with "
        f"from_preset({files.name!r}, load_weights=False)."
    )
