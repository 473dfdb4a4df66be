"""A LOTR as a .tflite file for LiteRT, by Keras' own exporter; on the TensorFlow backend."""

import tempfile
from pathlib import Path

import keras
import numpy as np

from keras_lotr.export.check import check_points, one_sentence
from keras_lotr.export.float32 import in_float32
from keras_lotr.export.onnx import facts
from keras_lotr.export.onnx_layers import refuse_quantized
from keras_lotr.inference.onnx_model import FACTS
from keras_lotr.presets.files import write_file


def export_litert(model, path, batch=None):
    """Write a LOTR for LiteRT, after the content was run and compared with the model.

    The file takes crops (B, S, S, 3) float32 RGB 0..255 and gives landmarks (B, N, 2), crop pixels.
    The preprocessor is in its metadata "keras_lotr".

    Args:
        model: `LOTR`.
        path: the .tflite file; left as it was if the comparison fails.
        batch: number of crops that the file takes; None: any, after `resize_tensor_input`.

    Raises:
        ValueError: Keras runs on another backend than TensorFlow; the model cannot be written.
        ImportError: ai-edge-litert is missing.
        ExportDiffers: the file gives other points than the model.
    """
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise ValueError(f"Expected KERAS_BACKEND=tensorflow for litert. Received: {backend}")
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        raise ImportError(
            "Exporting for LiteRT needs ai-edge-litert: pip install 'keras-lotr[litert]'"
        ) from None
    with one_sentence("litert"):
        for layer in model._flatten_layers():
            refuse_quantized(layer)
        model = in_float32(model)
        content = _content(model, batch)

        def predict(crops):
            interpreter = Interpreter(model_content=content)
            (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
            interpreter.resize_tensor_input(taken["index"], crops.shape)
            interpreter.allocate_tensors()
            interpreter.set_tensor(taken["index"], crops)
            interpreter.invoke()
            return interpreter.get_tensor(given["index"])

        check_points(model, predict, batch or 3)
    write_file(path, content)


def _content(model, batch):
    size = model.image_size
    images = keras.InputSpec(shape=(batch, size, size, 3), dtype="float32", name="images")
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder, "model.tflite")
        model.export(written, format="litert", input_signature=[images], verbose=False)
        return _with_facts(written.read_bytes(), facts(model))


def litert_facts(content):
    """The preprocessor that a .tflite file holds, as JSON; None if it holds none.

    Args:
        content: of the file, bytes.
    """
    from ai_edge_litert.schema_py_generated import ModelT

    model = ModelT.InitFromPackedBuf(content)
    for entry in model.metadata or ():
        if entry.name.decode() == FACTS:
            return bytes(model.buffers[entry.buffer].data).decode()
    return None


def _with_facts(content, text):
    import flatbuffers
    from ai_edge_litert.schema_py_generated import BufferT, MetadataT, ModelT

    model = ModelT.InitFromPackedBuf(content)
    buffer, entry = BufferT(), MetadataT()
    buffer.data = np.frombuffer(text.encode(), np.uint8)
    entry.name, entry.buffer = FACTS, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or ()), entry]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
