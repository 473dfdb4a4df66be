"""Static int8 for ONNX files: the convolutions and what joins them.

The first convolution and the Transformer stay float: in int8 the one costs more accuracy than all
others together and saves no time, the other costs accuracy and saves little.
"""

import tempfile
from pathlib import Path

import numpy as np

from keras_lotr.export.check import check_same, one_sentence
from keras_lotr.export.onnx import onnx_content
from keras_lotr.export.onnx_external import with_external_weights
from keras_lotr.inference.onnx_model import OnnxModel
from keras_lotr.presets.files import write_file

# Clip and Relu vanish into the ranges of the convolutions before them; sums in int8 save the way
# to float and back.
_IN_INT8 = ["Conv", "Add", "Clip", "Relu"]


def export_int8(model, path, crops, batch=None, weights=None):
    """Write a LOTR as ONNX with a backbone of 8-bit weights (per channel) and activations.

    The float32 content is checked against the model first, then quantized with the ranges that
    onnxruntime measures on the crops.

    Args:
        model: `LOTR`.
        path: the .onnx file, otherwise like that of `export_onnx`.
        crops: (F, S, S, 3), RGB 0..255, as different as the faces that are to come.
        batch: number of crops that the file takes; None: any.
        weights: see `export_onnx`; the 8-bit weights are in the ONNX file in any case.

    Returns:
        Mean distance between its landmarks and those of the float32 file on the crops, in pixels.

    Raises:
        ImportError, ValueError, ExportDiffers: as of `export_onnx`.
    """
    content = onnx_content(model, batch)
    with one_sentence("int8"):
        quantized = _quantized(content, crops, batch or 1)
        exact, rounded = (OnnxModel(c).predict_points(crops) for c in (content, quantized))
        if weights is not None:
            quantized = with_external_weights(quantized, model, weights)
            found = OnnxModel(quantized, weights=weights).predict_points(crops)
            check_same(found, rounded)
    write_file(path, quantized)
    return float(np.linalg.norm(rounded - exact, axis=-1).mean())


def _quantized(content, crops, batch):
    import onnx
    from onnxruntime import quantization

    network = onnx.load_from_string(content)
    # What onnxruntime's own preparation would do, `OnnxGraph` has done: it need not be asked for.
    quantization.quant_utils.add_pre_process_metadata(network)
    names = [node.name for node in network.graph.node]
    tokens = names.index("tokens")
    convolutions = [i for i, n in enumerate(network.graph.node) if n.op_type == "Conv"]
    second = [*convolutions, tokens][1]
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder, "int8.onnx")
        quantization.quantize_static(
            network,
            written,
            _reader(crops, network.graph.input[0].name, batch),
            op_types_to_quantize=_IN_INT8,
            nodes_to_exclude=names[:second] + names[tokens:],
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
        )
        return written.read_bytes()


def _reader(crops, name, batch):
    """The crops in batches, as onnxruntime's calibration wants them."""
    from onnxruntime.quantization import CalibrationDataReader

    count = -(-len(crops) // batch)
    crops = np.resize(crops, (count, batch, *crops.shape[1:]))  # from the first again, if too few
    batches = ({name: np.float32(part.transpose(0, 3, 1, 2))} for part in crops)

    class Reader(CalibrationDataReader):
        def get_next(self):
            return next(batches, None)

    return Reader()
