"""ONNX files that read their float weights from a preset's model.safetensors: external data.

A preset therefore holds these weights once. The 8-bit kernels of an int8 file stay in the file.
"""

from pathlib import Path

import numpy as np

from keras_lotr.export.float32 import in_float32
from keras_lotr.export.onnx_fold import fold
from keras_lotr.export.onnx_graph import OnnxGraph
from keras_lotr.export.onnx_lotr import lotr_graph
from keras_lotr.export.onnx_weights import weight_name, write_constant
from keras_lotr.inference.onnx_session import WEIGHTS_DIGEST, WEIGHTS_SHA256
from keras_lotr.presets.hub import sha256_of
from keras_lotr.presets.layout import layout_of
from keras_lotr.presets.weights import named_weights


def with_external_weights(content, model, weights):
    """An ONNX file of a LOTR, with weights that are in another file taken out.

    Args:
        content: of the ONNX file of the model, in float32 or int8.
        model: `LOTR`.
        weights: path of the safetensors file of the model's weights, which will lie beside the
            ONNX file.

    Returns:
        The content of the ONNX file that reads them.
    """
    import onnx

    network, layout = onnx.load_from_string(content), layout_of(weights)
    metadata = {WEIGHTS_DIGEST: layout.digest}
    if any(node.op_type == "QuantizeLinear" for node in network.graph.node):
        # Its 8-bit kernels are right for these numbers only, not for all of the same layout.
        metadata[WEIGHTS_SHA256] = sha256_of(weights)
    _take_out(network.graph, model, layout, Path(weights).name)
    for key, value in metadata.items():
        network.metadata_props.add(key=key, value=value)
    return network.SerializeToString()


def _take_out(graph, model, layout, filename):
    """Constants that can be computed from the weights become nodes at the beginning."""
    from onnx import helper, numpy_helper

    model = in_float32(model)
    own, _, outputs = lotr_graph(model)
    fold(own.nodes, own.constants, outputs)
    places = {id(variable): key for key, variable in named_weights(model).items()}
    written, keys, others = OnnxGraph(), set(), []
    for tensor in graph.initializer:
        constant = own.constants.get(tensor.name)
        if constant is None or not np.array_equal(constant, numpy_helper.to_array(tensor)):
            others.append(tensor)
        else:
            keys |= write_constant(written, tensor.name, constant, places)
    kept = [numpy_helper.from_array(np.asarray(a), n) for n, a in written.constants.items()]
    external = [_external(key, layout.places[key], filename) for key in sorted(keys)]
    nodes = [
        helper.make_node(n.kind, n.inputs, n.outputs, n.outputs[0], **n.attributes)
        for n in written.nodes
    ]
    nodes, initializers = [*nodes, *graph.node], [*kept, *others, *external]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(initializers)


def _external(key, place, filename):
    """A constant of which only the place is in the ONNX file."""
    from onnx import TensorProto

    kinds = {"F16": TensorProto.FLOAT16, "BF16": TensorProto.BFLOAT16, "F32": TensorProto.FLOAT}
    dtype, shape, offset, length = place
    tensor = TensorProto(
        name=weight_name(key), data_type=kinds[dtype], dims=shape,
        data_location=TensorProto.EXTERNAL,
    )  # fmt: skip
    for name, value in (("location", filename), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=name, value=str(value))
    return tensor
