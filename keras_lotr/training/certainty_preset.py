"""The preset whose network is taught how sure it is, and the one that it becomes."""

import shutil
from dataclasses import replace
from pathlib import Path

from keras import ops

from keras_lotr.lotr import LOTR
from keras_lotr.presets.files import CONFIG, METADATA, ONNX, ONNX_INT8, WEIGHTS, resolve, write_json
from keras_lotr.presets.hub import sha256_of
from keras_lotr.presets.layout import layout_of
from keras_lotr.unfinished import unfinished_folder
from keras_lotr.writing import move_into


def with_head(preset, hidden_dim=128, detector_decides=False):
    """The network of a preset with a fresh certainty head; its landmarks are the preset's.

    Args:
        preset: name or folder.
        hidden_dim: width of the head.
        detector_decides: see `Preprocessor`.

    Raises:
        ValueError: as `LOTR.from_preset`.
    """
    source = LOTR.from_preset(preset, certainty_dim=None)
    preprocessor = replace(source.preprocessor, detector_decides=detector_decides)
    changes = {"certainty_dim": hidden_dim, "preprocessor": preprocessor.to_dict()}
    model = LOTR.from_config({**source.get_config(), **changes})
    others = [v for v in model.variables if "lotr_certainty" not in v.path]
    by_path = {v.path: v for v in source.variables}
    for variable in others:
        # A copy: on JAX a model gives its arrays away while it runs.
        variable.assign(ops.convert_to_numpy(by_path[variable.path]))
    return model


def save_beside(model, preset, folder, told):
    """Write the preset of a network with a trained head, with the files of the one that it was.

    Its weights have 16 bits if those of the other have.

    Args:
        model: `LOTR`.
        preset: short name or folder of the preset that it was.
        folder: to write; after an error it is as it was.
        told: dict, for the metadata.
    """
    files, folder = resolve(preset), Path(folder)
    in_16_bits = any(place[0] == "F16" for place in layout_of(files.path(WEIGHTS)).places.values())
    with unfinished_folder(folder / CONFIG) as new:
        for path in files.folder.iterdir() if files.folder is not None else ():
            if path.is_file():
                shutil.copyfile(path, new / path.name)  # without the rights of an installed one
        model.save_to_preset(new, "float16" if in_16_bits else None)
        metadata = {**(files.json(METADATA) or {}), "certainty": told}
        if "weights_sha256" in metadata:
            metadata["weights_sha256"] = sha256_of(new / WEIGHTS)
        if "parameters" in metadata:
            metadata["parameters"] = model.count_params()
        write_json(new / METADATA, metadata)
        for name in (ONNX, ONNX_INT8):  # of other weights
            (folder / name).unlink(missing_ok=True)
        move_into(new, folder)
