"""The head that says how sure landmarks are as ONNX nodes, in as few as can be: each takes time."""

import numpy as np

from keras_lotr.export.onnx_convolutions import array
from keras_lotr.export.onnx_transformer import (
    attend_to_memory,
    attend_to_self,
    feed_forward,
    linear,
    norm,
    split,
    table,
)
from keras_lotr.inference.onnx_model import CERTAINTY
from keras_lotr.layers.certainty_head import LIMITS


def certainty_nodes(graph, model, x, memory, key_and_value, points):
    """What `CertaintyHead.call` computes; its node is called `CERTAINTY`.

    Args:
        graph: `OnnxGraph`.
        model: `LOTR`.
        x: of the last decoder layer, rows (B * N, D).
        memory: of the encoder, rows (B * T, D).
        key_and_value: see `onnx_transformer.keys_and_values`.
        points: (B, N, 2), crop pixels.
    """
    name, head, layer = "certainty", model.certainty, model.certainty.decoder
    places, count = table(model, "landmark_places"), model.num_landmarks
    x = attend_to_self(graph, layer, x, places, name)
    x = attend_to_memory(graph, layer, x, places, key_and_value, name)
    x = norm(graph, head.norm, feed_forward(graph, layer, x, name), f"{name}/norm")
    x = linear(graph, x, array(head.hidden.kernel), array(head.hidden.bias), f"{name}/hidden")
    x = graph.node("Relu", [x], f"{name}/hidden_relu")
    kernel = graph.constant(f"{name}/numbers/kernel", array(head.numbers.kernel))
    x = graph.node("MatMul", [x, kernel], f"{name}/numbers")
    shape = (-1, *table(model, "token_positions").shape)
    tokens = graph.reshape(memory, shape, f"{name}/tokens")
    x = graph.node("Add", [x, _of_face(graph, head, tokens, points, count, name)], f"{name}/sum")
    scales, across, logit = split(graph, x, [2, 1, 1], f"{name}/split")
    limits = [graph.constant(f"{name}/limit{i}", np.float32(x)) for i, x in enumerate(LIMITS)]
    scales = graph.node("Clip", [scales, *limits], f"{name}/limited")
    scales = graph.node("Exp", [scales], f"{name}/scales")
    low, high = split(graph, scales, [1, 1], f"{name}/split_scales")
    across = graph.node("Mul", [across, high], f"{name}/across")
    seen = graph.node("Sigmoid", [logit], f"{name}/seen")
    x = graph.node("Concat", [low, across, high, seen], f"{name}/uncalibrated", axis=-1)
    x = graph.reshape(x, (-1, count, 4), f"{name}/of_each")
    factor = array(head.calibration) * np.float32(head.image_size / 64)
    factors = np.concatenate([factor] * 3 + [np.ones((count, 1), np.float32)], axis=1)
    graph.node("Mul", [x, graph.constant(f"{name}/factors", factors)], CERTAINTY)


def _of_face(graph, head, tokens, points, count, name):
    """What all landmarks and the mean token add to the numbers of each, (B * N, 4).

    That the landmarks are taken around their centre, in eighths of the crop, is in the kernel.
    """
    token = graph.node("ReduceMean", [tokens], f"{name}/token", axes=[1], keepdims=0)
    shape = graph.node("Flatten", [points], f"{name}/shape", axis=1)
    x = graph.node("Concat", [shape, token], f"{name}/of_all", axis=-1)
    kernel = array(head.face.kernel)
    of_axis = np.zeros((len(kernel), 2), np.float32)
    of_axis[: 2 * count : 2, 0] = of_axis[1 : 2 * count : 2, 1] = 1
    unit = np.where(of_axis.any(axis=1, keepdims=True), np.float32(8 / head.image_size), 1)
    around_centre = kernel - of_axis @ (of_axis.T / np.float32(count) @ kernel)
    kernel = around_centre * np.float32(unit)
    x = linear(graph, x, kernel, array(head.face.bias), f"{name}/face")
    x = graph.node("Relu", [x], f"{name}/face_relu")
    bias = np.ones((count, 1), np.float32) @ array(head.numbers.bias).reshape(1, 4)
    x = linear(graph, x, array(head.of_face.kernel), bias.reshape(-1), f"{name}/of_face")
    return graph.reshape(x, (-1, 4), f"{name}/of_face_each")
