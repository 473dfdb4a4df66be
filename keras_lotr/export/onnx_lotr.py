"""A LOTR as an ONNX graph: `write_model` writes the backbone, this the rest of Fig. 1.

What does not depend on the image is computed here once: positions go through the projections of
attention beforehand, so that each attention is one matrix product for queries, keys and values, and
all that the decoder does before it first looks at the image becomes constants.
"""

import keras
import numpy as np

from keras_lotr.export.onnx_convolutions import array
from keras_lotr.export.onnx_graph import OnnxGraph
from keras_lotr.export.onnx_layers import refuse_quantized, write_model
from keras_lotr.inference.onnx_model import CERTAINTY
from keras_lotr.layers.certainty_head import LIMITS

IMAGES, POINTS = "images", "points_crop"
# Names of tensors of the graph, and of the layers whose outputs they are.
FEATURES = ("tokens", "decoder_norm")
_NONE = np.float32(0)  # of the positions in attention's values


def lotr_graph(model, batch=None):
    """The graph of a LOTR, input (B, 3, S, S) RGB 0..255, output "points_crop" (B, N, 2).

    If the network says how sure it is, there is a second output "certainty" (B, N, 4), see
    `CertaintyHead`.

    Args:
        model: `LOTR`.
        batch: B; None: any.

    Returns:
        `OnnxGraph`, its inputs and its outputs as `OnnxGraph.to_bytes` takes them.

    Raises:
        ValueError: for a backbone with layers that cannot be written.
    """
    graph = OnnxGraph()
    for layer in model._flatten_layers():
        refuse_quantized(layer)
    x = _tokens(graph, model)
    positions = _table(model, "token_positions")
    for i in range(1, model.num_encoder_layers + 1):
        layer = _layer(model, f"encoder{i}")
        x = _attend_to_self(graph, layer, x, positions, f"encoder{i}")
        x = _feed_forward(graph, layer, x, f"encoder{i}")
    memory = _norm(graph, _layer(model, "encoder_norm"), x, "encoder_norm")
    x = graph.constant("landmark_queries", _table(model, "landmark_queries")[None])
    query_positions = _table(model, "landmark_places")
    for i in range(1, model.num_decoder_layers + 1):
        layer = _layer(model, f"decoder{i}")
        x = _attend_to_self(graph, layer, x, query_positions, f"decoder{i}")
        x = _attend_to_memory(graph, layer, x, query_positions, memory, positions, f"decoder{i}")
        x = _feed_forward(graph, layer, x, f"decoder{i}")
    x = _norm(graph, _layer(model, "decoder_norm"), x, "decoder_norm")
    _head(graph, _layer(model, "head"), x)
    size, batch = model.image_size, batch or "batch"
    inputs = {IMAGES: [batch, 3, size, size]}
    outputs = {POINTS: [batch, model.num_landmarks, 2]}
    if model.certainty is not None:
        _certainty(graph, model, x, memory)
        outputs[CERTAINTY] = [batch, model.num_landmarks, 4]
    return graph, inputs, outputs


def features(model, batch=None):
    """What of a LOTR can be compared with its graph before the head makes points of it.

    Args:
        model: `LOTR`.
        batch: B; None: any.

    Returns:
        Model: images -> features; and their {name: shape} in the graph.
    """
    outputs = [_layer(model, name).output for name in FEATURES]
    shapes = [[batch or "batch", *x.shape[1:]] for x in outputs]
    return keras.Model(model.input, outputs), dict(zip(FEATURES, shapes, strict=True))


def _layer(model, name):
    return model.get_layer(name)


def _tokens(graph, model):
    """Backbone, 1x1 convolution and deconvolutions, then the map as a row."""
    tokens, graph.left_out = _layer(model, "tokens"), model.layer_prefix
    (x,) = write_model(graph, keras.Model(model.input, tokens.input), [IMAGES])
    x = graph.node("Transpose", [x], "tokens/channels_last", perm=[0, 2, 3, 1])
    return graph.reshape(x, (0, *tokens.output.shape[1:]), "tokens")


def _table(model, name):
    return array(_layer(model, name).table)


def _attend_to_self(graph, layer, x, query_positions, name):
    """x + attention(x' + query_positions, x' + query_positions, x') of the normed x'."""
    name, attention = f"{name}/self_attention", layer.self_attention
    y = _norm(graph, layer.self_attention_norm, x, f"{name}_norm")
    kernels, offsets = _projections(attention)
    kernel = np.concatenate(kernels, axis=1)
    at_positions = query_positions @ np.concatenate([*kernels[:2], kernels[2] * _NONE], axis=1)
    all_three = _linear(graph, y, kernel, at_positions + np.concatenate(offsets), f"{name}/qkv")
    query, key, value = _split(graph, all_three, [kernel.shape[0]] * 3, f"{name}/split")
    return _add_attended(graph, attention, x, query, key, value, name)


def _attend_to_memory(graph, layer, x, query_positions, memory, positions, name):
    """x + attention(x' + query_positions, memory + positions, memory) of the normed x'."""
    name, attention = f"{name}/cross_attention", layer.cross_attention
    y = _norm(graph, layer.cross_attention_norm, x, f"{name}_norm")
    kernels, offsets = _projections(attention)
    query = _linear(graph, y, kernels[0], query_positions @ kernels[0] + offsets[0], f"{name}/q")
    kernel = np.concatenate(kernels[1:], axis=1)
    at_positions = positions @ np.concatenate([kernels[1], kernels[2] * _NONE], axis=1)
    both = _linear(graph, memory, kernel, at_positions + np.concatenate(offsets[1:]), f"{name}/kv")
    key, value = _split(graph, both, [kernel.shape[0]] * 2, f"{name}/split")
    return _add_attended(graph, attention, x, query, key, value, name)


def _projections(attention):
    """Kernels (D, D) and biases (D,) of query, key and value; queries with 1 / sqrt(D / heads)."""
    dense = attention.query_dense, attention.key_dense, attention.value_dense
    dim = dense[0].kernel.shape[0]
    kernels = [array(layer.kernel).reshape(dim, dim) for layer in dense]
    offsets = [array(layer.bias).reshape(dim) for layer in dense]
    scale = np.float32(1 / np.sqrt(attention.key_dim))
    return [kernels[0] * scale, *kernels[1:]], [offsets[0] * scale, *offsets[1:]]


def _add_attended(graph, attention, x, query, key, value, name):
    heads, width = attention.num_heads, attention.key_dim

    def by_head(part, perm, label):
        part = graph.reshape(part, (0, -1, heads, width), f"{name}/{label}_heads")
        return graph.node("Transpose", [part], f"{name}/{label}", perm=perm)

    query = by_head(query, [0, 2, 1, 3], "query")
    key = by_head(key, [0, 2, 3, 1], "key")
    value = by_head(value, [0, 2, 1, 3], "value")
    scores = graph.node("MatMul", [query, key], f"{name}/scores")
    weights = graph.node("Softmax", [scores], f"{name}/weights", axis=-1)
    found = graph.node("MatMul", [weights, value], f"{name}/found")
    found = graph.node("Transpose", [found], f"{name}/found_last", perm=[0, 2, 1, 3])
    found = graph.reshape(found, (0, -1, heads * width), f"{name}/joined")
    output = attention.output_dense
    kernel = array(output.kernel).reshape(heads * width, -1)
    found = _linear(graph, found, kernel, array(output.bias), f"{name}/output")
    return graph.node("Add", [x, found], f"{name}/sum")


def _feed_forward(graph, layer, x, name):
    name = f"{name}/ffn"
    y = _norm(graph, layer.ffn_norm, x, f"{name}_norm")
    y = _linear(graph, y, array(layer.ffn1.kernel), array(layer.ffn1.bias), f"{name}1")
    y = graph.node("Relu", [y], f"{name}_relu")
    y = _linear(graph, y, array(layer.ffn2.kernel), array(layer.ffn2.bias), f"{name}2")
    return graph.node("Add", [x, y], f"{name}/sum")


def _norm(graph, layer, x, name):
    weights = [
        graph.constant(f"{name}/{n}", array(v))
        for n, v in (("gamma", layer.gamma), ("beta", layer.beta))
    ]
    return graph.node("LayerNormalization", [x, *weights], name, axis=-1, epsilon=layer.epsilon)


def _linear(graph, x, kernel, offset, name):
    """x @ kernel + offset; the offset (D,) or (P, D)."""
    product = graph.node("MatMul", [x, graph.constant(f"{name}/kernel", kernel)], f"{name}/product")
    return graph.node("Add", [product, graph.constant(f"{name}/offset", offset)], name)


def _split(graph, x, sizes, name):
    outputs = [f"{name}/{i}" for i in range(len(sizes))]
    graph.node("Split", [x, graph.constant(f"{name}/sizes", np.array(sizes))], outputs, axis=-1)
    return outputs


def _head(graph, head, x):
    """The linear output's unit and the mean points go into its kernel and offset."""
    for layer in (head.hidden1, head.hidden2):
        name = f"head/{layer.name}"
        x = _linear(graph, x, array(layer.kernel), array(layer.bias), name)
        x = graph.node("Relu", [x], f"{name}_relu")
    unit = head.image_size / 8
    mean_points = np.float32(head.mean_shape * head.image_size - 0.5)
    kernel = array(head.coordinates.kernel) * np.float32(unit)
    offset = mean_points + array(head.coordinates.bias) * np.float32(unit)
    _linear(graph, x, kernel, offset, POINTS)


def _certainty(graph, model, x, memory):
    """As `CertaintyHead.call`."""
    name, head, layer = "certainty", model.certainty, model.certainty.decoder
    places, positions = _table(model, "landmark_places"), _table(model, "token_positions")
    x = _attend_to_self(graph, layer, x, places, name)
    x = _attend_to_memory(graph, layer, x, places, memory, positions, name)
    x = _norm(graph, head.norm, _feed_forward(graph, layer, x, name), f"{name}/norm")
    x = _linear(graph, x, array(head.hidden.kernel), array(head.hidden.bias), f"{name}/hidden")
    x = graph.node("Relu", [x], f"{name}/hidden_relu")
    x = _linear(graph, x, array(head.numbers.kernel), array(head.numbers.bias), f"{name}/numbers")
    x = graph.node("Add", [x, _of_face(graph, head, memory, name)], f"{name}/sum_of_both")
    low, high, across, logit = _split(graph, x, [1, 1, 1, 1], f"{name}/split")
    calibration = graph.constant(f"{name}/calibration", array(head.calibration))
    unit = graph.constant(f"{name}/unit", np.float32([head.image_size / 64]))
    limits = [graph.constant(f"{name}/limit{i}", np.float32(x)) for i, x in enumerate(LIMITS)]

    def scale(log, label):
        log = graph.node("Clip", [log, *limits], f"{name}/{label}_limited")
        factor = graph.node("Exp", [log], f"{name}/{label}_factor")
        return graph.node("Mul", [factor, unit], f"{name}/{label}")

    low, high = scale(low, "a"), scale(high, "c")
    across = graph.node("Mul", [across, high], f"{name}/b")
    triangle = graph.node("Concat", [low, across, high], f"{name}/triangle", axis=-1)
    triangle = graph.node("Mul", [triangle, calibration], f"{name}/calibrated")
    seen = graph.node("Sigmoid", [logit], f"{name}/seen")
    graph.node("Concat", [triangle, seen], CERTAINTY, axis=-1)


def _of_face(graph, head, memory, name):
    """What all landmarks and the mean token add to the numbers of each, (B, N, 4)."""
    scale = graph.constant(f"{name}/face_scale", np.float32([8 / head.image_size]))
    mean = graph.node("ReduceMean", [POINTS], f"{name}/centre", axes=[1], keepdims=1)
    shape = graph.node("Sub", [POINTS, mean], f"{name}/around_centre")
    shape = graph.node("Mul", [shape, scale], f"{name}/scaled")
    shape = graph.node("Flatten", [shape], f"{name}/shape", axis=1)
    token = graph.node("ReduceMean", [memory], f"{name}/token", axes=[1], keepdims=0)
    x = graph.node("Concat", [shape, token], f"{name}/of_all", axis=-1)
    x = _linear(graph, x, array(head.face.kernel), array(head.face.bias), f"{name}/face")
    x = graph.node("Relu", [x], f"{name}/face_relu")
    kernel = graph.constant(f"{name}/of_face/kernel", array(head.of_face.kernel))
    x = graph.node("MatMul", [x, kernel], f"{name}/of_face")
    shape = graph.constant(f"{name}/of_face/shape", np.array([0, -1, 4]))
    return graph.node("Reshape", [x, shape], f"{name}/of_each")
