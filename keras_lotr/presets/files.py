"""Where the files of a preset are.

A preset is named by a short name, by its folder, or by `hf://org/name[@revision]` on the Hugging
Face Hub; a `Path` is always a folder. A short name is looked for among the presets that come with
the library, then in the folders of $KERAS_LOTR_PRESETS; where the preset of that name has no
weights, the next one that has some is taken. If none has, but its `hub.json` says where on the Hub
they are, they are fetched from there: that very commit, with that very sha256.
"""

import difflib
import json
import os
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from keras_lotr.presets import hub
from keras_lotr.writing import replaced

CONFIG, PREPROCESSOR, WEIGHTS = "config.json", "preprocessor.json", "model.safetensors"
ONNX = "model.onnx"  # the same weights as in WEIGHTS, for onnxruntime or OpenCV
ONNX_INT8 = "model_int8.onnx"  # the same network with a backbone of 8-bit integers
METADATA, RECIPE, RESULTS = "metadata.json", "recipe.json", "results.json"
MAX_JSON_BYTES = 16 * 2**20
FORMER_NAMES = {"lotr_m_300w": "lotr_m_68", "lotr_m_300w_98": "lotr_m_98"}  # they still load
LANDMARKS, DETECTOR = "keras_lotr>LOTR", "keras_lotr>DetectorNetwork"  # see `PresetFiles.kind`
PIN = "hub.json"  # {"handle": "hf://org/name@commit", "sha256": {"model.safetensors": "..."}}


def shipped_folder():
    """Where the presets of the library lie: inside an installed wheel, or in the checkout."""
    package = Path(__file__).parents[1]
    installed = package / "preset_files"
    return installed if installed.is_dir() else package.parent / "presets"


def local_presets():
    """{name: folder} of all shipped presets and those in the folders of $KERAS_LOTR_PRESETS."""
    parents = [shipped_folder()]
    parents += [Path(p) for p in os.environ.get("KERAS_LOTR_PRESETS", "").split(os.pathsep) if p]
    found = {}
    for parent in parents:
        for config in sorted(parent.glob(f"*/{CONFIG}")):
            name, folder = config.parent.name, config.parent
            if name not in found or not _has_weights(found[name]) and _has_weights(folder):
                found[name] = folder
    return found


def _has_weights(folder):
    return (folder / WEIGHTS).is_file()


@dataclass(frozen=True)
class PresetFiles:
    """The files of one preset, wherever they lie.

    Attributes:
        name: what the user called it.
        folder: local folder, or None for a preset on the Hub.
        handle: `hub.Handle`: of a preset on the Hub, or where files of a local one may be fetched.
        sha256: {filename: sha256} of what may be fetched for a local preset.
        token: access token of the Hub.
    """

    name: str
    folder: Path | None = None
    handle: hub.Handle | None = None
    sha256: dict = field(default_factory=dict)
    token: str | None = None

    @property
    def shipped(self):
        """Whether it comes with the library, and is no stranger's."""
        return self.folder is not None and self.folder.parent == shipped_folder()

    @property
    def kind(self):
        """`DETECTOR`, `LANDMARKS` or the registered name of another class; None if unknown."""
        return kind_of(self.json(CONFIG))

    def path(self, filename):
        """The local path of a file of the preset, fetched if need be; None if it has none.

        Raises:
            ValueError: the file is a link that leads out of the folder.
            OSError: it cannot be fetched.
        """
        if self.folder is None:
            return hub.fetch(self.handle, filename, self.token)
        path = self.folder / filename
        if path.is_file():
            return _inside(path, self.folder)
        if filename in self.sha256:
            return hub.fetch(self.handle, filename, self.token, self.sha256[filename])
        return None

    def json(self, filename):
        """The content of a JSON file of the preset; None if it has none."""
        path = self.path(filename)
        return None if path is None else read_json(path)

    def json_object(self, filename):
        """The same of a file that holds an object, {name: value}.

        Raises:
            ValueError: it holds something else.
        """
        content = self.json(filename)
        if content is not None and not isinstance(content, dict):
            raise ValueError(f"Expected an object, {{name: value}}, in {filename} of {self.name}.")
        return content


def kind_of(config):
    """`PresetFiles.kind` of what stands in its config.json."""
    return config.get("registered_name") if isinstance(config, dict) else None


def _inside(path, folder):
    """The path, if it stays in the folder, or in the Hub's cache of which the folder is part."""
    folder = folder.resolve()
    homes = [folder]
    if folder.parent.name == "snapshots":
        homes.append(folder.parent.parent / "blobs")
    if not any(path.resolve().is_relative_to(home) for home in homes):
        raise ValueError(
            f"Refused to read {path}: it is a link out of the preset's folder. Put the file itself "
            "there if you trust it."
        )
    return path


def resolve(preset, token=None, usable=None):
    """Find a preset by short name, folder or hf:// handle.

    Args:
        preset: see above. A text that is both a short name and a folder means the name, of which
            a warning tells.
        token: access token of the Hub; None takes that of HF_TOKEN or `hf auth login`.
        usable: function that gives the short names that an error suggests, of presets that the
            caller can use; None: all.

    Returns:
        `PresetFiles`. Those of a preset on the Hub are all of one commit.

    Raises:
        ValueError: for an unknown name, with the nearest usable ones, and for a file.
        OSError: the Hub cannot be asked; the sentence says why.
        TypeError: no name and no path.
    """
    if not isinstance(preset, str | os.PathLike):
        raise TypeError(
            "Expected a preset: a name that `keras-lotr presets` lists, a folder, or "
            f"hf://org/name[@revision]. Received: {preset!r}"
        )
    is_text = isinstance(preset, str)
    if is_text and preset.startswith(hub.PREFIX):
        return _on_the_hub(preset, token)
    known = local_presets()
    preset, folder = _named(preset, known) if is_text else (os.fspath(preset), Path(preset))
    if (folder / CONFIG).is_file():
        pin = None if _has_weights(folder) else PresetFiles(preset, folder).json(PIN)
        if pin is None:
            return PresetFiles(preset, folder)
        return PresetFiles(preset, folder, *_read_pin(pin, preset), token)
    if folder.is_dir():
        inner = next(folder.glob(f"*/{CONFIG}"), None)  # of a training's folder, "preset"
        hint = f" {inner.parent} is one." if inner else ""
        raise ValueError(f"Expected a preset folder. {preset} has no {CONFIG}.{hint}")
    if folder.is_file():
        raise ValueError(_of_file(preset))
    if not is_text:
        hint = f" The preset of that name is {preset!r} as text." if preset in known else ""
        raise ValueError(f"There is no preset folder {preset}.{hint}")
    usable = sorted(known) if usable is None else usable()
    near = difflib.get_close_matches(preset, usable, 3, 0.5)
    hint = f"Nearest: {', '.join(near)}" if near else f"Available: {', '.join(usable)}"
    raise ValueError(
        f"There is no preset {preset!r}. {hint}. A preset is a name that `keras-lotr presets` "
        "lists, a folder, or hf://org/name[@revision]."
    )


def _named(preset, known):
    """The name and the folder that a text means, with the presets of `local_presets`."""
    beside = Path(preset)
    if preset not in known:
        name = preset if beside.is_dir() else FORMER_NAMES.get(preset, preset)
        return name, known.get(name, Path(name))
    folder = known[preset]
    if (beside / CONFIG).is_file() and not beside.samefile(folder):
        # At this place, so that Python shows it once, however often the preset is looked for.
        warnings.warn(
            f"{preset!r} is the preset of that name in {folder.parent}, not the folder of that "
            f"name here, which is './{preset}'.",
            stacklevel=1,
        )
    return preset, folder


def _of_file(preset):
    hint = "take the folder that it is in, if that is a preset"
    if preset.endswith(".keras"):
        hint = (
            "write one with model = keras.saving.load_model(FILE), and model.save_to_preset(FOLDER)"
        )
    return f"Expected a preset, which is a folder. {preset} is a file; {hint}."


def _read_pin(pin, name):
    try:
        return hub.Handle.parse(pin["handle"]), dict(pin["sha256"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{PIN} of {name} is not valid: {error!r}") from None


def _on_the_hub(preset, token):
    handle = hub.Handle.parse(preset)
    config = hub.fetch(handle, CONFIG, token)
    if config is None:
        raise ValueError(f"Expected a preset. {preset} has no {CONFIG}.")
    return PresetFiles(preset, handle=hub.at_commit(handle, config), token=token)


def write_json(path, content):
    """Write JSON so that a reader sees the old file or the new one, never half."""
    write_file(path, to_json(content))


def to_json(content):
    """What the JSON files of presets look like, as bytes."""
    return (json.dumps(content, indent=1) + "\n").encode()


def write_file(path, content):
    """Write bytes, likewise; see `replaced`."""
    with replaced(path) as unfinished:
        unfinished.write_bytes(content)


def read_json(path):
    """The content of a JSON file of a size that a preset's file can have.

    Raises:
        ValueError: too large, too deep, or no JSON.
    """
    path = Path(path)
    if path.stat().st_size > MAX_JSON_BYTES:
        raise ValueError(
            f"Expected a JSON file of at most {MAX_JSON_BYTES >> 20} MB. "
            f"Received: {path} of {path.stat().st_size >> 20} MB"
        )
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"Expected JSON in {path}: {error}") from None
