"""Presets: a folder with a model's numbers, its crop contract, its history and its weights.

A preset is named by a short name (shipped with the library or found in a folder of
$KERAS_LOTR_PRESETS), by its folder, or by `hf://org/name[@revision]` on the Hugging Face Hub.
"""

import difflib
import json
import os
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import keras

from keras_lotr.safetensors_io import load_weights as load_safetensors
from keras_lotr.safetensors_io import save_weights
from keras_lotr.schemes import get_scheme

FORMAT_VERSION = 1
CONFIG, PREPROCESSOR, WEIGHTS = "config.json", "preprocessor.json", "model.safetensors"
METADATA, RECIPE, RESULTS = "metadata.json", "recipe.json", "results.json"

_SCHEME_OF_COUNT = {68: "ibug68", 98: "wflw98", 106: "jd106"}


@dataclass(frozen=True)
class CropContract:
    """What a model wants to see; `preprocessor.json` of a preset.

    Attributes:
        scheme: landmark scheme.
        image_size: side of the crop in pixels.
        margin: side of the crop over the longer side of the box around the landmarks.
    """

    scheme: str
    image_size: int
    margin: float = 1.3

    @classmethod
    def default(cls, num_landmarks, image_size):
        """The contract of a model about which only its sizes are known."""
        scheme = _SCHEME_OF_COUNT.get(num_landmarks, f"plain{num_landmarks}")
        return cls(scheme, image_size)


def shipped_folder():
    """Where the presets of the library lie: inside an installed wheel, or in the checkout."""
    package = Path(__file__).parent
    installed = package / "preset_files"
    return installed if installed.is_dir() else package.parent / "presets"


def local_presets():
    """{name: folder} of all shipped presets and those in the folders of $KERAS_LOTR_PRESETS."""
    parents = [shipped_folder()]
    parents += [Path(p) for p in os.environ.get("KERAS_LOTR_PRESETS", "").split(os.pathsep) if p]
    found = {}
    for parent in parents:
        for config in sorted(parent.glob(f"*/{CONFIG}")):
            found.setdefault(config.parent.name, config.parent)
    return found


@dataclass(frozen=True)
class PresetFiles:
    """The files of one preset, wherever they lie.

    Attributes:
        name: what the user called it.
        folder: local folder, or None for a preset on the Hub.
        repo, revision: Hub repository and revision, or None.
    """

    name: str
    folder: Path = None
    repo: str = None
    revision: str = None

    def path(self, filename):
        """The local path of a file of the preset, fetched if need be; None if it has none."""
        if self.folder is None:
            return _fetch(self.repo, self.revision, filename)
        path = self.folder / filename
        return path if path.is_file() else None

    def json(self, filename):
        """The content of a JSON file of the preset; None if it has none."""
        path = self.path(filename)
        if path is None:
            return None
        try:
            return json.loads(Path(path).read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"Expected JSON in {path}: {error}") from None


def resolve(preset):
    """Find a preset by short name, folder or hf:// handle.

    Returns:
        `PresetFiles`.

    Raises:
        ValueError: for an unknown name, with the nearest known ones.
    """
    preset = os.fspath(preset)
    if preset.startswith("hf://"):
        repo, _, revision = preset.removeprefix("hf://").partition("@")
        return PresetFiles(preset, repo=repo, revision=revision or None)
    known = local_presets()
    if preset in known:
        return PresetFiles(preset, folder=known[preset])
    if (Path(preset) / CONFIG).is_file():
        return PresetFiles(preset, folder=Path(preset))
    if Path(preset).is_dir():
        raise ValueError(f"Expected a preset folder. {preset} has no {CONFIG}.")
    near = difflib.get_close_matches(preset, known, 3, 0.5) or sorted(known)
    raise ValueError(
        f"There is no preset {preset!r}. Nearest: {', '.join(near)}. A preset is a name that "
        "`keras-lotr presets` lists, a folder, or hf://org/name[@revision]."
    )


def load_crop_contract(files):
    """The `CropContract` of a preset; None if it has none."""
    entries = files.json(PREPROCESSOR)
    if entries is None:
        return None
    names = {field.name for field in fields(CropContract)}
    try:
        contract = CropContract(**{k: v for k, v in entries.items() if k in names})
        get_scheme(contract.scheme)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{PREPROCESSOR} of {files.name} is not valid: {error}") from None
    return contract


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

    # What depends on the number of landmarks, and the head, start anew for another number.
    new_for_other_landmarks = ("landmark_queries/", "landmark_places/", "head/")

    @classmethod
    def from_preset(
        cls, preset, load_weights=True, num_landmarks=None, mean_shape=None, dtype=None
    ):
        """Load a model.

        Args:
            preset: short name, folder, or "hf://org/name[@revision]".
            load_weights: False gives the network with fresh weights.
            num_landmarks: another number of landmarks than the preset's: queries and head start
                anew, everything else is kept.
            mean_shape: (num_landmarks, 2), mean landmarks for the new queries, as fractions of the
                crop; None spreads them over the face.
            dtype: dtype policy of the model, such as "mixed_bfloat16"; None: Keras' own.

        Raises:
            ValueError: unknown preset, weights that do not fit, or no weights.

        Example:

        >>> import keras_lotr
        >>> model = keras_lotr.LOTR.from_preset("lotr_m_300w", num_landmarks=21)
        >>> model.output_shape
        (None, 21, 2)
        """
        files = resolve(preset)
        config = read_config(files, cls.__name__)
        if "num_landmarks" not in config:
            raise ValueError(f"{files.name}/{CONFIG} is not valid: it has no num_landmarks.")
        weights = files.path(WEIGHTS) if load_weights else None
        if load_weights and weights is None:
            raise ValueError(_no_weights(files))
        anew = num_landmarks not in (None, config["num_landmarks"])
        if anew:
            config |= {"num_landmarks": num_landmarks, "mean_shape": mean_shape}
        model = build(cls, config, files.name, dtype)
        if load_weights:
            load_safetensors(model, weights, skip=cls.new_for_other_landmarks if anew else ())
        contract = load_crop_contract(files)
        if contract is not None and anew:
            scheme = CropContract.default(num_landmarks, contract.image_size).scheme
            contract = replace(contract, scheme=scheme)
        model.crop_contract = contract or model.crop_contract
        return model

    def save_to_preset(self, folder, dtype=None):
        """Write config, crop contract and weights into a folder that `from_preset` reads.

        Args:
            folder: created if missing; files of the same name are replaced.
            dtype: "float16" for a file of half the size.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        save_config(self, folder)
        contract = {**asdict(self.crop_contract), "channels": "RGB", "range": [0, 255]}
        write_json(folder / PREPROCESSOR, contract)
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
    _refuse_foreign_code(config, files.name)
    if not isinstance(config.get("config"), dict):
        raise ValueError(f"{files.name}/{CONFIG} is not valid: it has no arguments.")
    return config["config"]


def build(cls, config, name, dtype=None):
    """The network of a preset called `name`, under a dtype policy."""
    policy = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy(dtype or policy)
        return cls.from_config(config)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{name}/{CONFIG} is not valid: {error!r}") from None
    finally:
        keras.config.set_dtype_policy(policy)


def save_config(model, folder):
    """Write `config.json` of a model."""
    config = keras.saving.serialize_keras_object(model)
    _strip(config)
    write_json(folder / CONFIG, {"format_version": FORMAT_VERSION, **config})


def write_json(path, content):
    """Write JSON so that a reader sees the old file or the new one, never half."""
    unfinished = Path(path).with_name(f".{Path(path).name}.{os.getpid()}")
    unfinished.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    os.replace(unfinished, path)


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


def _refuse_foreign_code(config, name):
    """Keras imports the modules that a config names: allow those of Keras and ours only."""
    if isinstance(config, list):
        for value in config:
            _refuse_foreign_code(value, name)
    elif isinstance(config, dict):
        module, class_name = config.get("module"), config.get("class_name")
        root = str(module or "keras").split(".")[0]
        if root not in ("keras", "keras_lotr", "keras_hub", "builtins") or class_name == "Lambda":
            raise ValueError(
                f"Refused to load {name}: its config asks for {class_name!r} of {module!r}. "
                "Presets may use layers of keras, keras_hub and keras_lotr, and no Lambda."
            )
        for value in config.values():
            _refuse_foreign_code(value, name)


def _no_weights(files):
    return (
        f"The preset {files.name!r} has no trained weights yet. Train them with `keras-lotr train "
        f"{files.name} --data FOLDER`, or take the untrained network with "
        f"from_preset({files.name!r}, load_weights=False)."
    )


def _fetch(repo, revision, filename):
    """The path of a file of a Hub repository, from the cache or downloaded; None if it has none."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(repo, filename, revision=revision, library_name="keras-lotr"))
    except LocalEntryNotFoundError:
        raise OSError(
            f"{filename} of hf://{repo} is not in the local cache and the Hub cannot be reached. "
            "Load it once while online, or give a local folder."
        ) from None
    except EntryNotFoundError:
        return None
