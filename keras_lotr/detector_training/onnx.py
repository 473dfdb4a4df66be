"""The face detector as an ONNX file that OpenCV's FaceDetectorYN reads, with YuNet's outputs."""

import cv2
import keras
import numpy as np
from keras import ops

from keras_lotr.export.check import check_features, one_sentence
from keras_lotr.export.onnx_graph import OnnxGraph
from keras_lotr.export.onnx_layers import write_model
from keras_lotr.inference.detector_network import STRIDES
from keras_lotr.presets.files import write_file

_KERNEL = "stem_conv/kernel"  # of the first convolution
_CHECKED = (1, 64, 96, 3)  # shape of the noise on which file and network are compared


def export_detector(model, path):
    """Write a `DetectorNetwork` as ONNX, after OpenCV has run the content as the network does.

    Input "images" is (B, 3, H, W) BGR 0..255, as YuNet's. For each stride there are four outputs
    (B, cells, C): "cls_8" and "obj_8", whose product is the square of the score (here they are
    equal), "bbox_8" and "kps_8".

    Args:
        model: `DetectorNetwork`.
        path: the file; left as it was if the comparison fails.

    Raises:
        ValueError: a layer cannot be written.
        ImportError: onnx is missing.
        ExportDiffers: the file computes something else than the network.
    """
    with one_sentence("onnx"):
        content = _content(model)
        _check(model, content)
    write_file(path, content)


def _content(model):
    graph, outputs = OnnxGraph(), {}
    cells = [model.get_layer(f"stride{stride}_cells").output for stride in STRIDES]
    levels = write_model(graph, keras.Model(model.input, cells), ["images"])
    graph.constants[_KERNEL] = np.ascontiguousarray(graph.constants[_KERNEL][:, ::-1])  # RGB to BGR
    sizes = graph.constant("sizes", np.array([1, 4, 10], np.int64))
    for stride, level in zip(STRIDES, levels, strict=True):
        score, is_face, box, points = (f"{n}_{stride}" for n in ("cls", "obj", "bbox", "kps"))
        logit = graph.node("Split", [level, sizes], [f"logit_{stride}", box, points], axis=2)
        graph.node("Sigmoid", [logit], score)
        graph.node("Identity", [score], is_face)
        channels = {score: 1, is_face: 1, box: 4, points: 10}
        outputs |= {n: ["batch", f"cells_{stride}", c] for n, c in channels.items()}
    return graph.to_bytes({"images": ["batch", 3, "height", "width"]}, outputs)


def _check(model, content):
    images = np.random.default_rng(0).uniform(0, 255, _CHECKED).astype(np.float32)
    cells = model(images, training=False)
    expected, scores = map(ops.convert_to_numpy, (cells, ops.sigmoid(cells[..., :1])))
    network = cv2.dnn.readNetFromONNX(np.frombuffer(content, np.uint8))
    network.setInput(cv2.dnn.blobFromImages(list(images[..., ::-1])))
    names = network.getUnconnectedOutLayersNames()
    found = dict(zip(names, network.forward(names), strict=True))
    kinds = {"cls": scores, "obj": scores, "bbox": expected[..., 1:5], "kps": expected[..., 5:]}
    for kind, numbers in kinds.items():
        parts = [found[f"{kind}_{stride}"].reshape(1, -1, numbers.shape[-1]) for stride in STRIDES]
        check_features(np.concatenate(parts, axis=1), numbers, kind)
