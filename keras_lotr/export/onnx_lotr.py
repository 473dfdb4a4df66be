"""A LOTR as an ONNX graph: `write_model` writes the backbone, this the rest of Fig. 1."""

import keras
import numpy as np

from keras_lotr.export.onnx_certainty import certainty_nodes
from keras_lotr.export.onnx_convolutions import array
from keras_lotr.export.onnx_graph import OnnxGraph
from keras_lotr.export.onnx_layers import refuse_quantized, write_model
from keras_lotr.export.onnx_transformer import (
    attend_to_memory,
    attend_to_self,
    feed_forward,
    keys_and_values,
    linear,
    norm,
    table,
)
from keras_lotr.inference.onnx_model import CERTAINTY

IMAGES, POINTS = "images", "points_crop"
# Names of tensors of the graph, and of the layers whose outputs they are.
FEATURES = ("tokens", "decoder_norm")


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
    graph, has_certainty = OnnxGraph(), model.has_certainty
    for layer in model._flatten_layers():
        refuse_quantized(layer)
    count, positions = model.num_landmarks, table(model, "token_positions")
    x = _tokens(graph, model)
    for i in range(1, model.num_encoder_layers + 1):
        layer = _layer(model, f"encoder{i}")
        x = attend_to_self(graph, layer, x, positions, f"encoder{i}")
        x = feed_forward(graph, layer, x, f"encoder{i}")
    memory = norm(graph, _layer(model, "encoder_norm"), x, "encoder_norm")
    names = [f"decoder{i}" for i in range(1, model.num_decoder_layers + 1)]
    decoders = {name: _layer(model, name) for name in names}
    looks = [layer.cross_attention for layer in decoders.values()]
    if has_certainty:
        looks.append(model.certainty.decoder.cross_attention)
    seen = keys_and_values(graph, looks, memory, positions)
    x = graph.constant("landmark_queries", table(model, "landmark_queries"))
    places = table(model, "landmark_places")
    for i, (name, layer) in enumerate(decoders.items()):
        x = attend_to_self(graph, layer, x, places, name)
        x = attend_to_memory(graph, layer, x, places, seen[2 * i : 2 * i + 2], name, i == 0)
        x = feed_forward(graph, layer, x, name)
    x = norm(graph, _layer(model, "decoder_norm"), x, "decoder_norm")
    _head(graph, _layer(model, "head"), x, count)
    size, batch = model.image_size, batch or "batch"
    inputs = {IMAGES: [batch, 3, size, size]}
    outputs = {POINTS: [batch, model.num_landmarks, 2]}
    if has_certainty:
        certainty_nodes(graph, model, x, memory, seen[-2:], POINTS)
        outputs[CERTAINTY] = [batch, model.num_landmarks, 4]
    return graph, inputs, outputs


def features(model):
    """What of a LOTR can be compared with its graph before the head makes points of it.

    Args:
        model: `LOTR`.

    Returns:
        Model: images -> features; and their {name: shape} in the graph, where they are rows.
    """
    outputs = [_layer(model, name).output for name in FEATURES]
    shapes = [[f"{name}_rows", x.shape[-1]] for name, x in zip(FEATURES, outputs, strict=True)]
    return keras.Model(model.input, outputs), dict(zip(FEATURES, shapes, strict=True))


def _layer(model, name):
    return model.get_layer(name)


def _tokens(graph, model):
    """Backbone, 1x1 convolution and deconvolutions, then the map as rows (B * T, D)."""
    tokens, graph.left_out = _layer(model, "tokens"), model.layer_prefix
    (x,) = write_model(graph, keras.Model(model.input, tokens.input), [IMAGES])
    x = graph.node("Transpose", [x], "tokens/channels_last", perm=[0, 2, 3, 1])
    return graph.reshape(x, (-1, tokens.output.shape[-1]), "tokens")


def _head(graph, head, x, count):
    """The linear output's unit and the mean points go into its kernel and offset."""
    for layer in (head.hidden1, head.hidden2):
        name = f"head/{layer.name}"
        x = linear(graph, x, array(layer.kernel), array(layer.bias), name)
        x = graph.node("Relu", [x], f"{name}_relu")
    unit = head.image_size / 8
    mean_points = np.float32(head.mean_shape * head.image_size - 0.5)
    kernel = graph.constant(f"{POINTS}/kernel", array(head.coordinates.kernel) * np.float32(unit))
    offset = mean_points + array(head.coordinates.bias) * np.float32(unit)
    moves = graph.node("MatMul", [x, kernel], f"{POINTS}/product")
    moves = graph.reshape(moves, (-1, count, 2), f"{POINTS}/of_each")
    graph.node("Add", [moves, graph.constant(f"{POINTS}/offset", offset)], POINTS)
