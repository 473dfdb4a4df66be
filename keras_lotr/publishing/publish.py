"""What makes a folder of weights a preset that one can hand out: card, list, upload to the Hub."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_lotr.detector_training.onnx import export_detector
from keras_lotr.export.calibration import calibration_crops
from keras_lotr.export.int8 import export_int8
from keras_lotr.export.onnx import export_onnx
from keras_lotr.layers.mean_shape import UNTRAINED_ZERO
from keras_lotr.lotr import LOTR
from keras_lotr.presets.files import ONNX, ONNX_INT8, PIN, to_json, write_file
from keras_lotr.presets.hub import PREFIX, Handle, sha256_of
from keras_lotr.presets.preset import (
    CONFIG,
    METADATA,
    PREPROCESSOR,
    RECIPE,
    WEIGHTS,
    local_presets,
    resolve,
    write_json,
)
from keras_lotr.presets.weights import named_weights
from keras_lotr.publishing import card_metadata
from keras_lotr.publishing.card import MARK, SAMPLES_PICTURE, SCHEME_PICTURE, card
from keras_lotr.publishing.card_pictures import samples_picture, scheme_picture
from keras_lotr.publishing.upload import listing, upload
from keras_lotr.training.run_files import HISTORY, best_of
from keras_lotr.unfinished import unfinished_folder
from keras_lotr.writing import check_folder, move_into

CARD = "README.md"

# The files of a preset that are uploaded; anything else in its folder stays at home.
UPLOADED = (
    *(CONFIG, PREPROCESSOR, WEIGHTS, METADATA, CARD, "LICENSE", "recipe*.json", "results*.json"),
    *("results*.csv", "history*.csv", SCHEME_PICTURE, SAMPLES_PICTURE),
    *("*.onnx", "*.tflite"),
)


def prepare(run, folder, dtype=None, calibration=None):
    """Turn the best weights of a training run into a preset folder.

    The same weights are written as ONNX, which needs no Keras to run.

    Args:
        run: folder that `train` or `train-detector` wrote, or `presets/GROUP` in that of a mixture.
        folder: the preset's; files that a person wrote there stay.
        dtype: "float16" halves the files of the weights.
        calibration: images of faces for a file in int8, see `export_preset`; None: without such a
            file, also where there was one.

    Raises:
        ValueError: it is no run, `folder` is a file, or the weights cannot be written or exported.
        OSError: the files cannot be written. After an error the preset is as it was.
    """
    run, folder = Path(run), Path(folder)
    best, history = best_of(run)
    best = resolve(best)
    kind = card_metadata.model_class(best)
    check_folder(folder)
    with unfinished_folder(folder / CONFIG) as new:
        kind.from_preset(best.folder).save_to_preset(new, dtype, plain=True)
        model = kind.from_preset(new)
        if kind is LOTR:
            export_onnx(model, new / ONNX, weights=new / WEIGHTS)
            if calibration:
                crops = calibration_crops(calibration, model.preprocessor)
                export_int8(model, new / ONNX_INT8, crops, weights=new / WEIGHTS)
        else:
            export_detector(model, new / ONNX)
        shutil.copy(best.folder / RECIPE, new / RECIPE)
        shutil.copy(history, new / HISTORY)
        (folder / ONNX_INT8).unlink(missing_ok=True)  # it would be of other weights
        move_into(new, folder)


def write_card(folder, examples=None):
    """Fill in `metadata.json`, draw the images and write the card `README.md` of a preset.

    Args:
        folder: the preset's.
        examples: folder of example images for `samples.jpg`, see `samples_picture`; None leaves
            the image as it is.

    Returns:
        The path of the card.

    Raises:
        ValueError: a fact that a person must write is missing, or a person wrote the card.
    """
    files = resolve(folder)
    check_folder(files.folder)
    path = files.folder / CARD
    if files.path(CARD) is not None and _is_own(path):
        raise ValueError(
            f"Expected no {CARD}, or one that `keras-lotr model-card` wrote, which is replaced. "
            f"Received: {path}, which is your own and is published as it is; rename it to get "
            "another"
        )
    model = card_metadata.untrained_model(files)
    facts = card_metadata.complete_facts(files, model)
    write_json(files.folder / METADATA, facts)
    if isinstance(model, LOTR):
        write_file(files.folder / SCHEME_PICTURE, scheme_picture(model))
        if examples is not None and facts["trained"]:
            samples = samples_picture(folder, examples)
            write_file(files.folder / SAMPLES_PICTURE, samples)
    there = {entry.name for entry in files.folder.iterdir()}
    name = Path(os.path.abspath(files.folder)).name  # of "." too
    write_file(path, card(name, files, facts, model, there).encode())
    return path


# === Upload ===
@dataclass(frozen=True)
class Publication:
    """What is to be uploaded where.

    Attributes:
        handle: `hub.Handle`; its revision is the branch.
        files: {filename: bytes or local path}.
    """

    handle: Handle
    files: dict

    def __str__(self):
        return f"{self.handle}: {listing(self.files)}"


def push_to_hub(source, handle, private=None, revision=None, tag=None, create_pr=False, token=None):
    """Publish a preset on the Hugging Face Hub, with a card written from its files.

    The preset is loaded before anything is uploaded, and untrained weights are refused. What is
    there already is not uploaded again.

    Args:
        source: preset folder or name, or a model with `save_to_preset`.
        handle: "hf://org/name".
        private: whether a new repository is private; None leaves it to the account's settings.
        revision: branch; None means "main".
        tag: name for this version, such as "v1".
        create_pr: whether to open a pull request instead.
        token: access token; None takes that of HF_TOKEN or `hf auth login`.

    Returns:
        The handle of exactly this version, "hf://org/name@commit", which `from_preset` loads.

    Raises:
        ValueError: there is no such preset, the handle is not valid, the weights are untrained, or
            the tag is in use.
        OSError: the Hub does not allow it or cannot be reached.

    Example:

    >>> import keras_lotr
    >>> keras_lotr.push_to_hub("my_model", "hf://me/my_model", tag="v1")  # doctest: +SKIP
    'hf://me/my_model@0123456789abcdef0123456789abcdef01234567'
    """
    if tag and create_pr:
        raise ValueError("Expected tag or create_pr: a pull request is tagged once it is merged.")
    with publication(source, handle, revision) as what:
        message = f"Upload {what.handle.repo.rpartition('/')[2]} with keras-lotr"
        done = upload(what.handle, what.files, UPLOADED, message, private, tag, create_pr, token)
    return str(done)


@contextmanager
def publication(source, handle, revision=None):
    """The `Publication` that `push_to_hub` uploads; checked, and valid within."""
    handle = Handle.parse(handle)
    if handle.revision and revision:
        raise ValueError(f"Expected one revision. Received: {handle} and {revision!r}")
    handle = Handle(handle.repo, handle.revision or revision)
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(source, keras.Model):
            if not hasattr(source, "save_to_preset"):
                raise ValueError(f"Expected a preset, or a LOTR. Received: {source.name}")
            source.save_to_preset(folder)
            source = folder
        yield Publication(handle, _files_of(source, f"{PREFIX}{handle.repo}"))


def publications(org):
    """(folder, handle, whether it has weights) of all local presets, for one organisation."""
    for name, folder in sorted(local_presets().items()):
        yield folder, f"{PREFIX}{org}/{name}", (folder / WEIGHTS).is_file()


def _files_of(source, name):
    """{filename: bytes or path} of a preset, after it has been loaded."""
    files = resolve(source)
    if files.folder is None:
        raise ValueError(f"Expected a local preset to publish. Received: {source}")
    model = _trained_model(files)
    facts = card_metadata.complete_facts(files, model, strict=False)
    found = {
        path.name: files.path(path.name)  # refuses links that lead out of the folder
        for pattern in UPLOADED
        for path in files.folder.glob(pattern)
        if path.is_file()
    }
    found |= {WEIGHTS: files.path(WEIGHTS), METADATA: to_json(facts)}
    if isinstance(model, LOTR):
        found.setdefault(SCHEME_PICTURE, scheme_picture(model))
    if CARD not in found or not _is_own(found[CARD]):
        found[CARD] = card(name, files, facts, model, found).encode()
    return found


def _is_own(path):
    """Whether a person wrote the card, not `write_card`."""
    try:
        return MARK not in path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(
            f"Expected {path} in UTF-8, as the Hub does. It has another encoding: save it anew."
        ) from None


def _trained_model(files):
    """The model with its weights, if somebody has trained them."""
    if files.path(WEIGHTS) is None:
        raise ValueError(f"Refused to publish {files.name}: it has no trained weights yet.")
    model = card_metadata.model_class(files).from_preset(files.folder)
    # Training moves what starts at zero.
    zero = UNTRAINED_ZERO if isinstance(model, LOTR) else "/moving_mean"
    arrays = {key: ops.convert_to_numpy(v.value) for key, v in named_weights(model).items()}
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise ValueError(f"Refused to publish {files.name}: some of its weights are not finite.")
    if not any(a.any() for key, a in arrays.items() if key.endswith(zero)):
        raise ValueError(
            f"Refused to publish {files.name}: its weights are those of a network that nobody has "
            "trained yet. Train it with `keras-lotr train` or `fit`."
        )
    return model


def pin(folder, handle):
    """Note in a preset's folder where on the Hub its weights are, so that they need not lie here.

    Args:
        folder: the preset's, or its name.
        handle: "hf://org/name@commit", as `push_to_hub` returns it.
    """
    folder = resolve(folder).folder
    large = [folder / WEIGHTS, *folder.glob("*.onnx"), *folder.glob("*.tflite")]
    sums = {path.name: sha256_of(path) for path in large}
    write_json(folder / PIN, {"handle": handle, "sha256": sums})
