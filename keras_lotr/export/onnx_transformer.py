"""The layers of the Transformer as ONNX nodes, of rows: x is (B * P, D), P positions of each crop.

Rows let runtimes add biases and apply ReLU within the matrix products. What does not depend on the
image is computed here once: positions go through the projections of attention beforehand, so that
each attention is one matrix product for queries, keys and values, and all that the decoder does
before it first looks at the image becomes constants.
"""

import numpy as np

from keras_lotr.export.onnx_convolutions import array

_NONE = np.float32(0)  # of the positions in attention's values


def table(model, name):
    return array(model.get_layer(name).table)


def attend_to_self(graph, layer, x, positions, name):
    """x + attention(x' + positions, x' + positions, x') of the normed x'."""
    name, attention = f"{name}/self_attention", layer.self_attention
    y = norm(graph, layer.self_attention_norm, x, f"{name}_norm")
    kernels, offsets = _projections(attention)
    at_positions = positions @ np.concatenate([*kernels[:2], kernels[2] * _NONE], axis=1)
    offset = at_positions + np.concatenate(offsets)
    kernel = np.concatenate(kernels, axis=1)
    parts = _by_head(graph, y, kernel, offset, attention.key_dim, f"{name}/qkv")
    query, key, value = split(graph, parts, [attention.num_heads] * 3, f"{name}/split", axis=1)
    found = _attended(graph, attention, query, key, value, name)
    return graph.node("Add", [x, found], f"{name}/sum")


def attend_to_memory(graph, layer, x, places, key_and_value, name, repeated=False):
    """x + attention(x' + places, ...) of the normed x'; see `_keys_and_values`.

    Args:
        repeated: whether x is (N, D), the same for all crops.
    """
    name, attention = f"{name}/cross_attention", layer.cross_attention
    y = norm(graph, layer.cross_attention_norm, x, f"{name}_norm")
    kernels, offsets = _projections(attention)
    offset = places @ kernels[0] + offsets[0]
    query = _by_head(graph, y, kernels[0], offset, attention.key_dim, f"{name}/q")
    found = _attended(graph, attention, query, *key_and_value, name)
    if not repeated:
        return graph.node("Add", [x, found], f"{name}/sum")
    found = graph.reshape(found, (-1, *places.shape), f"{name}/of_each")
    both = graph.node("Add", [x, found], f"{name}/sum_of_each")
    return graph.reshape(both, (-1, places.shape[1]), f"{name}/sum")


def keys_and_values(graph, attentions, memory, positions):
    """Keys of memory + positions and values of memory, for all layers that look at it, in a row."""
    kernels, at_positions = [], []
    for attention in attentions:
        (_, *pair), (_, *offsets) = _projections(attention)
        kernels += pair
        moved = positions @ np.concatenate([pair[0], pair[1] * _NONE], axis=1)
        at_positions.append(moved + np.concatenate(offsets))
    kernel, offset = np.concatenate(kernels, axis=1), np.concatenate(at_positions, axis=1)
    parts = _by_head(graph, memory, kernel, offset, attentions[0].key_dim, "memory/kv")
    heads = [attention.num_heads for attention in attentions for _ in range(2)]
    return split(graph, parts, heads, "memory/split", axis=1)


def _projections(attention):
    """Kernels (D, D) and biases (D,) of query, key and value; queries with 1 / sqrt(D / heads)."""
    dense = attention.query_dense, attention.key_dense, attention.value_dense
    dim = dense[0].kernel.shape[0]
    kernels = [array(layer.kernel).reshape(dim, dim) for layer in dense]
    offsets = [array(layer.bias).reshape(dim) for layer in dense]
    scale = np.float32(1 / np.sqrt(attention.key_dim))
    return [kernels[0] * scale, *kernels[1:]], [offsets[0] * scale, *offsets[1:]]


def _by_head(graph, x, kernel, offset, width, name):
    """x @ kernel + offset, (B * P, D) and (P, E) -> (B, E / width, P, width)."""
    places, size = offset.shape
    product = graph.node("MatMul", [x, graph.constant(f"{name}/kernel", kernel)], f"{name}/product")
    parts = graph.reshape(product, (-1, places, size // width, width), f"{name}/heads")
    offset = graph.constant(f"{name}/offset", offset.reshape(places, size // width, width))
    parts = graph.node("Add", [parts, offset], f"{name}/sum")
    return graph.node("Transpose", [parts], name, perm=[0, 2, 1, 3])


def _attended(graph, attention, query, key, value, name):
    key = graph.node("Transpose", [key], f"{name}/key", perm=[0, 1, 3, 2])
    scores = graph.node("MatMul", [query, key], f"{name}/scores")
    weights = graph.node("Softmax", [scores], f"{name}/weights", axis=-1)
    found = graph.node("MatMul", [weights, value], f"{name}/found")
    found = graph.node("Transpose", [found], f"{name}/found_last", perm=[0, 2, 1, 3])
    width = attention.num_heads * attention.key_dim
    found = graph.reshape(found, (-1, width), f"{name}/joined")
    output = attention.output_dense
    kernel = array(output.kernel).reshape(width, -1)
    return linear(graph, found, kernel, array(output.bias), f"{name}/output")


def feed_forward(graph, layer, x, name):
    name = f"{name}/ffn"
    y = norm(graph, layer.ffn_norm, x, f"{name}_norm")
    y = linear(graph, y, array(layer.ffn1.kernel), array(layer.ffn1.bias), f"{name}1")
    y = graph.node("Relu", [y], f"{name}_relu")
    y = linear(graph, y, array(layer.ffn2.kernel), array(layer.ffn2.bias), f"{name}2")
    return graph.node("Add", [x, y], f"{name}/sum")


def norm(graph, layer, x, name):
    weights = [
        graph.constant(f"{name}/{n}", array(v))
        for n, v in (("gamma", layer.gamma), ("beta", layer.beta))
    ]
    return graph.node("LayerNormalization", [x, *weights], name, axis=-1, epsilon=layer.epsilon)


def linear(graph, x, kernel, offset, name):
    """x @ kernel + offset of rows x; the offset (D,)."""
    weights = (("kernel", kernel), ("offset", offset))
    constants = [graph.constant(f"{name}/{label}", value) for label, value in weights]
    return graph.node("Gemm", [x, *constants], name)


def split(graph, x, sizes, name, axis=-1):
    outputs = [f"{name}/{i}" for i in range(len(sizes))]
    sizes = graph.constant(f"{name}/sizes", np.array(sizes))
    graph.node("Split", [x, sizes], outputs, axis=axis)
    return outputs
