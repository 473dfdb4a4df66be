"""A LOTR as a SavedModel of TensorFlow, by Keras' own exporter; from TensorFlow or JAX."""

import os
import tempfile
from pathlib import Path

import keras

from keras_lotr.export_check import check_points
from keras_lotr.export_onnx import facts

FACTS_FILE = "assets.extra/keras_lotr.json"  # the folder that SavedModels have for such files


def export_saved_model(model, path, batch=None):
    """Write a LOTR as a SavedModel, after it was loaded, run and compared with the model.

    Its endpoint `serve` takes crops (B, S, S, 3) float32 RGB 0..255 and gives landmarks (B, N, 2),
    crop pixels. The crop contract is in `assets.extra/keras_lotr.json`.

    Args:
        model: `LOTR`.
        path: the folder, which must not be there yet.
        batch: number of crops that it takes; None: any.

    Raises:
        FileExistsError: the folder is there already.
        ValueError: Keras runs on PyTorch.
        ImportError: TensorFlow is missing.
        ExportDiffers: it gives other points than the model.
    """
    path = Path(path)
    if path.exists():
        raise FileExistsError(f"Expected a folder that is not there yet. Received: {path}")
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
    size = model.image_size
    images = keras.InputSpec(shape=(batch, size, size, 3), dtype="float32", name="images")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export") as folder:
        written = Path(folder, "model")
        model.export(written, format="tf_saved_model", input_signature=[images], verbose=False)
        (written / FACTS_FILE).parent.mkdir()
        (written / FACTS_FILE).write_text(facts(model) + "\n", encoding="utf-8")
        loaded = tf.saved_model.load(written)
        check_points(model, lambda crops: loaded.serve(crops).numpy(), batch or 3)
        os.replace(written, path)
