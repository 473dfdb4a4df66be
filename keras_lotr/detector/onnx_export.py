"""The face detector as an ONNX file that OpenCV's FaceDetectorYN reads, with YuNet's outputs."""

import numpy as np

from keras_lotr.detector.network import STRIDES
from keras_lotr.onnx_graph import OnnxGraph

_STEM = "stem_conv/kernel"


def export_detector(model, path):
    """Write a `DetectorNetwork` as ONNX.

    Input "images" is (B, 3, H, W) BGR 0..255, as YuNet's. For each stride there are four outputs
    (B, cells, C): "cls_8" and "obj_8", whose product is the square of the score (here they are
    equal), "bbox_8" and "kps_8".

    Args:
        model: `DetectorNetwork`.
        path: the file.
    """
    graph = OnnxGraph()
    graph.write(layer for layer in model.layers if layer.name != "cells")
    graph.constants[_STEM] = np.ascontiguousarray(graph.constants[_STEM][:, ::-1])  # RGB to BGR
    sizes = graph.constant("sizes", np.array([1, 4, 10], np.int64))
    outputs = {}
    for stride in STRIDES:
        score, is_face, box, points = (f"{n}_{stride}" for n in ("cls", "obj", "bbox", "kps"))
        logit = graph.node(
            "Split", [f"stride{stride}_cells", sizes], [f"logit_{stride}", box, points], axis=2
        )
        graph.node("Sigmoid", [logit], score)
        graph.node("Identity", [score], is_face)
        channels = {score: 1, is_face: 1, box: 4, points: 10}
        outputs |= {n: ["batch", f"cells_{stride}", c] for n, c in channels.items()}
    graph.save(path, {model.inputs[0].name: ["batch", 3, "height", "width"]}, outputs)
