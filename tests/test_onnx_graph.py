"""Keras networks written as ONNX compute the same."""

import cv2
import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_lotr.backbones.blocks import conv_bn
from keras_lotr.onnx_graph import OnnxGraph

pytest.importorskip("onnx")


def shake(model):
    """Weights and batch norm statistics that a slip would not leave alone."""
    rng = np.random.default_rng(0)
    for variable in model.variables:
        variable.assign(rng.uniform(0.2, 0.9, variable.shape))
    return model


def small_network():
    images = keras.Input((None, None, 3), name="images")
    x = layers.Rescaling(1 / 64, name="scaling")(images)
    x = conv_bn(x, 8, 3, stride=2, conv="stem", bn="stem_bn", activation="relu")
    fine = conv_bn(x, None, 3, conv="depthwise", bn="depthwise_bn", activation="relu6")
    coarse = conv_bn(fine, 8, 3, stride=2, conv="down", bn="down_bn")
    coarse = layers.UpSampling2D(name="up")(coarse)
    x = layers.Add(name="sum")([fine, coarse])
    x = layers.Conv2D(5, 1, name="maps")(x)
    return shake(keras.Model(images, layers.Reshape((-1, 5), name="cells")(x)))


def run(path, images):
    network = cv2.dnn.readNetFromONNX(str(path))
    network.setInput(cv2.dnn.blobFromImages(list(images)))
    return network.forward()


@pytest.mark.parametrize("shape", [(1, 32, 48, 3), (2, 16, 16, 3)])
def test_same_numbers(shape, tmp_path):
    model, images = small_network(), np.random.default_rng(1).uniform(0, 255, shape)
    graph = OnnxGraph()
    graph.write(model.layers)
    path = tmp_path / "model.onnx"
    graph.save(path, {"images": ["batch", 3, "h", "w"]}, {"cells": ["batch", "cells", 5]})
    expected = ops.convert_to_numpy(model(images.astype("float32"), training=False))
    written = run(path, images.astype("float32")).reshape(expected.shape)
    np.testing.assert_allclose(written, expected, rtol=1e-4)


def test_batch_norms_are_folded(tmp_path):
    graph = OnnxGraph()
    graph.write(small_network().layers)
    kinds = [node.op_type for node in graph.nodes]
    assert kinds.count("Conv") == 4
    assert set(kinds) == {"Conv", "Relu", "Clip", "Resize", "Add", "Transpose", "Reshape"}


def test_metadata_travels(tmp_path):
    import onnx

    graph = OnnxGraph()
    graph.write(small_network().layers)
    path = tmp_path / "model.onnx"
    shapes = {"images": ["batch", 3, "h", "w"]}, {"cells": ["batch", "cells", 5]}
    graph.save(path, *shapes, metadata={"scheme": "ibug68"})
    assert [(p.key, p.value) for p in onnx.load(path).metadata_props] == [("scheme", "ibug68")]


def test_layer_that_cannot_be_written():
    images = keras.Input((8, 8, 3), name="images")
    model = keras.Model(images, layers.GaussianNoise(1.0, name="noise")(images))
    with pytest.raises(ValueError, match=r"noise is a GaussianNoise.*model\.export"):
        OnnxGraph().write(model.layers)
