"""A LOTR as an ONNX graph: `OnnxGraph` writes the convolutions, this the Transformer and the head.

What does not depend on the picture is computed here once: positions go through the projections of
attention beforehand, so that each attention is one matrix product for queries, keys and values, and
all that the decoder does before it first looks at the picture becomes constants.
"""

import numpy as np
from keras import ops

from keras_lotr.onnx_graph import OnnxGraph


def lotr_graph(model, batch=None):
    """The graph of a LOTR, input (B, 3, S, S) RGB 0..255, output "points_crop" (B, N, 2).

    Args:
        model: `LOTR`.
        batch: B; None: any.

    Returns:
        `OnnxGraph`, its inputs and its outputs as `OnnxGraph.to_bytes` takes them.

    Raises:
        ValueError: for a backbone with layers that cannot be written.
    """
    graph = OnnxGraph()
    names = [layer.name for layer in model.layers]
    graph.write(layer for layer in model.layers[: names.index("tokens") + 1])
    x = graph.names[id(model.get_layer("tokens").output)]
    positions = _table(model, "token_positions")
    for i in range(model.num_encoder_layers):
        layer = model.get_layer(f"encoder{i + 1}")
        x = _attend_to_self(graph, layer, x, positions)
        x = _feed_forward(graph, layer, x)
    memory = _norm(graph, model.get_layer("encoder_norm"), x, "encoder_norm")
    x = graph.constant("landmark_queries", _table(model, "landmark_queries")[None])
    places = _table(model, "landmark_places")
    for i in range(model.num_decoder_layers):
        layer = model.get_layer(f"decoder{i + 1}")
        x = _attend_to_self(graph, layer, x, places)
        x = _attend_to_memory(graph, layer, x, places, memory, positions)
        x = _feed_forward(graph, layer, x)
    x = _norm(graph, model.get_layer("decoder_norm"), x, "decoder_norm")
    _head(graph, model.get_layer("head"), x)
    size, batch = model.image_size, batch or "batch"
    inputs = {model.inputs[0].name: [batch, 3, size, size]}
    return graph, inputs, {"points_crop": [batch, model.num_landmarks, 2]}


def _table(model, name):
    return _array(model.get_layer(name).table)


def _array(variable):
    return np.array(ops.convert_to_numpy(variable), np.float32)


def _attend_to_self(graph, layer, x, places):
    """x + attention(x' + places, x' + places, x') of the normed x'."""
    name, attention = f"{layer.name}/self_attention", layer.self_attention
    y = _norm(graph, layer.self_attention_norm, x, f"{name}_norm")
    kernels, offsets = _projections(attention)
    kernel = np.concatenate(kernels, axis=1)
    at_places = np.concatenate(
        [places @ kernels[0], places @ kernels[1], np.zeros_like(places)], axis=1
    )
    all_three = _linear(graph, y, kernel, at_places + np.concatenate(offsets), f"{name}/qkv")
    query, key, value = _split(graph, all_three, [kernel.shape[0]] * 3, f"{name}/split")
    return _add_attended(graph, attention, x, query, key, value, name)


def _attend_to_memory(graph, layer, x, places, memory, positions):
    """x + attention(x' + places, memory + positions, memory) of the normed x'."""
    name, attention = f"{layer.name}/cross_attention", layer.cross_attention
    y = _norm(graph, layer.cross_attention_norm, x, f"{name}_norm")
    kernels, offsets = _projections(attention)
    query = _linear(graph, y, kernels[0], places @ kernels[0] + offsets[0], f"{name}/q")
    kernel = np.concatenate(kernels[1:], axis=1)
    at_positions = np.concatenate([positions @ kernels[1], np.zeros_like(positions)], axis=1)
    both = _linear(graph, memory, kernel, at_positions + np.concatenate(offsets[1:]), f"{name}/kv")
    key, value = _split(graph, both, [kernel.shape[0]] * 2, f"{name}/split")
    return _add_attended(graph, attention, x, query, key, value, name)


def _projections(attention):
    """Kernels (D, D) and biases (D,) of query, key and value; queries with 1 / sqrt(D / heads)."""
    dense = attention.query_dense, attention.key_dense, attention.value_dense
    dim = dense[0].kernel.shape[0]
    kernels = [_array(layer.kernel).reshape(dim, dim) for layer in dense]
    offsets = [_array(layer.bias).reshape(dim) for layer in dense]
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
    kernel = _array(output.kernel).reshape(heads * width, -1)
    found = _linear(graph, found, kernel, _array(output.bias), f"{name}/output")
    return graph.node("Add", [x, found], f"{name}/sum")


def _feed_forward(graph, layer, x):
    name = f"{layer.name}/ffn"
    y = _norm(graph, layer.ffn_norm, x, f"{name}_norm")
    y = _linear(graph, y, _array(layer.ffn1.kernel), _array(layer.ffn1.bias), f"{name}1")
    y = graph.node("Relu", [y], f"{name}_relu")
    y = _linear(graph, y, _array(layer.ffn2.kernel), _array(layer.ffn2.bias), f"{name}2")
    return graph.node("Add", [x, y], f"{name}/sum")


def _norm(graph, layer, x, name):
    weights = [
        graph.constant(f"{name}/{n}", _array(v))
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
        x = _linear(graph, x, _array(layer.kernel), _array(layer.bias), name)
        x = graph.node("Relu", [x], f"{name}_relu")
    unit = head.image_size / 8
    mean_points = head.mean_shape * head.image_size - 0.5
    kernel = _array(head.coordinates.kernel) * np.float32(unit)
    offset = mean_points + _array(head.coordinates.bias) * np.float32(unit)
    _linear(graph, x, kernel, offset.astype(np.float32), "points_crop")
