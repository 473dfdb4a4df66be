"""A LOTR as a SavedModel of TensorFlow, by Keras' own exporter; from TensorFlow or JAX."""

from pathlib import Path

import keras

from keras_lotr.export.check import check_points, one_sentence
from keras_lotr.export.float32 import in_float32
from keras_lotr.export.onnx import facts
from keras_lotr.unfinished import unfinished_folder
from keras_lotr.writing import check_folder_target, replace_folder

MARK = "saved_model.pb"  # what every SavedModel has
FACTS_FILE = "assets.extra/keras_lotr.json"  # the folder that SavedModels have for such files


def export_saved_model(model, path, batch=None):
    """Write a LOTR as a SavedModel, after it was loaded, run and compared with the model.

    Its endpoint `serve` takes crops (B, S, S, 3) float32 RGB 0..255 and gives landmarks (B, N, 2),
    crop pixels. The preprocessor is in `assets.extra/keras_lotr.json`.

    Args:
        model: `LOTR`.
        path: the folder; one with a SavedModel is replaced whole, and left as it was if the
            comparison fails.
        batch: number of crops that it takes; None: any.

    Raises:
        ValueError: Keras runs on PyTorch; the model cannot be written; something else than a
            SavedModel is there.
        ImportError: TensorFlow is missing.
        ExportDiffers: it gives other points than the model.
    """
    path = Path(path)
    check_folder_target(path, MARK)
    backend = keras.backend.backend()
    if backend not in ("tensorflow", "jax"):
        raise ValueError(
            f"Expected KERAS_BACKEND=tensorflow or jax for saved_model. Received: {backend}"
        )
    try:
        import tensorflow as tf
    except ImportError:
        raise ImportError(
            "Exporting a SavedModel needs tensorflow: pip install 'keras-lotr[tensorflow]'"
        ) from None
    with (
        one_sentence("a SavedModel"),
        unfinished_folder(path) as folder,
    ):
        model, written = in_float32(model), folder / "model"
        size = model.image_size
        images = keras.InputSpec(shape=(batch, size, size, 3), dtype="float32", name="images")
        model.export(written, format="tf_saved_model", input_signature=[images], verbose=False)
        (written / FACTS_FILE).parent.mkdir()
        (written / FACTS_FILE).write_text(facts(model) + "\n", encoding="utf-8")
        loaded = tf.saved_model.load(written)
        check_points(model, lambda crops: loaded.serve(crops).numpy(), batch or 3)
        replace_folder(written, path)
