"""A preset's folder is written as a whole: an error leaves the one that was there as it was."""

from contextlib import ExitStack
from pathlib import Path

from keras_lotr.presets.files import ONNX, ONNX_INT8, WEIGHTS, to_json
from keras_lotr.presets.weights import arrays_of, facts_of, save_arrays
from keras_lotr.writing import check_folder, replaced


def save_preset(model, folder, contents, dtype=None):
    """Write the weights of a model and the JSON files that belong to them.

    Args:
        model: a built Keras model.
        folder: created if missing; .onnx files of other weights are taken away.
        contents: {filename: content} of the JSON files.
        dtype: see `arrays_of`.

    Raises:
        ValueError: `folder` is a file.
        OSError: the files cannot be written; those that were there are unchanged.
    """
    folder = Path(folder)
    check_folder(folder)
    arrays = arrays_of(model, dtype)
    with ExitStack() as replacing:
        for name, content in contents.items():
            replacing.enter_context(replaced(folder / name)).write_bytes(to_json(content))
        # The largest is the likeliest to fail. The others take their places after it.
        save_arrays(arrays, folder / WEIGHTS, facts_of(model))
    for name in (ONNX, ONNX_INT8):
        (folder / name).unlink(missing_ok=True)
