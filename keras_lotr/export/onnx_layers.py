"""Keras network -> ONNX graph, layer by layer.

A layer is known by its exact class: a subclass may compute something else and is refused by name.
Feature maps (B, h, w, C) of Keras are (B, C, h, w) in the graph; all else has the same axes.
"""

import keras
from keras import layers, tree

from keras_lotr.export import onnx_arithmetic as arithmetic
from keras_lotr.export import onnx_convolutions as convolutions
from keras_lotr.export.onnx_activations import ACTIVATION_LAYERS
from keras_lotr.fused.graph import FusedModel


class Tensor(str):
    """The name of a tensor in the graph, with the shape that it has in Keras."""

    def __new__(cls, name, shape):
        tensor = super().__new__(cls, name)
        tensor.shape = tuple(shape)
        return tensor


def write_model(graph, model, inputs, prefix=""):
    """Write a functional model into a graph; models inside of it, too.

    Args:
        graph: `OnnxGraph`.
        model: functional `keras.Model`.
        inputs: names of its inputs in the graph.
        prefix: of the names of its layers in the graph.

    Returns:
        List of `Tensor`, the model's outputs.

    Raises:
        ValueError: a layer that cannot be written.

    Example:

    >>> from keras_lotr.export.onnx_graph import OnnxGraph
    >>> images = keras.Input((32, 32, 3))
    >>> model = keras.Model(images, layers.Conv2D(8, 3, name="conv")(images))
    >>> graph = OnnxGraph()
    >>> features, = write_model(graph, model, ["images"])
    >>> features, features.shape, [node.kind for node in graph.nodes]
    ('conv', (None, 30, 30, 8), ['Conv'])
    """
    if not _is_functional(model):
        raise ValueError(f"Expected a functional model. {model.name} is {_kind(model)}.")
    inputs = [Tensor(name, x.shape) for name, x in zip(inputs, model.inputs, strict=True)]
    return tree.flatten(_run(graph, model, inputs, prefix))


def _run(graph, model, inputs, prefix):
    # As Keras calls a functional model, with names of tensors instead of tensors: layers that are
    # called twice and operations that are no layers come along.
    def writer_of(operation):
        return lambda *args, **kwargs: _write(graph, operation, prefix, *args, **kwargs)

    return model._run_through_graph(inputs, writer_of)


def _is_functional(model):
    """Whether calling it runs its graph, and nothing else."""
    call = getattr(type(model), "call", None)
    return call is FusedModel.call or getattr(call, "__qualname__", None) == "Functional.call"


def _write(graph, operation, prefix, *args, training=None, **kwargs):
    """One call of a layer, an operation or a model; its output."""
    name = graph.unused(prefix + operation.name)
    if _is_functional(operation):
        return _run(graph, operation, tree.flatten(args), f"{name}/")
    if type(operation) is keras.Sequential:
        (x,) = args
        for layer in operation.layers:
            x = _write(graph, layer, f"{name}/", x)
        return x
    writer = _WRITERS.get(type(operation)) or _UNNAMED.get(_path(operation))
    if writer is None:
        raise ValueError(
            f"Expected layers that can be written as ONNX. {operation.name} is {_kind(operation)}. "
            "The formats saved_model and litert of `keras-lotr export` take every layer, on "
            "TensorFlow (KERAS_BACKEND=tensorflow)."
        )
    kwargs = {key: value for key, value in kwargs.items() if value is not None}
    if kwargs and isinstance(operation, layers.Layer):
        raise ValueError(f"Expected no argument {', '.join(kwargs)} of {operation.name}.")
    refuse_quantized(operation)
    if getattr(operation, "data_format", None) == "channels_first":
        raise ValueError(f"Expected channels last. {operation.name} has them first.")
    specs = tree.map_structure(
        lambda x: keras.KerasTensor(x.shape) if isinstance(x, Tensor) else x, args
    )
    shape = operation.compute_output_spec(*specs, **kwargs).shape
    return Tensor(writer(graph, operation, name, *args, **kwargs), shape)


def refuse_quantized(layer):
    """Raise a ValueError for a layer whose weights `quantize` has turned into integers."""
    mode = getattr(layer, "quantization_mode", None)
    if mode is not None:
        raise ValueError(
            f"Expected a model that is not quantized. {layer.name} is {mode}: export the model "
            "before `quantize`; `keras-lotr export --int8` makes an ONNX file of 8 bits."
        )


def _kind(operation):
    kind = type(operation).__name__
    return f"{'an' if kind[0] in 'AEIOU' else 'a'} {kind}"


def _path(operation):
    return f"{type(operation).__module__}.{type(operation).__qualname__}"


_WRITERS = {
    **ACTIVATION_LAYERS,
    layers.Conv2D: convolutions.convolution,
    layers.DepthwiseConv2D: convolutions.depthwise_convolution,
    layers.SeparableConv2D: convolutions.separable_convolution,
    layers.Conv2DTranspose: convolutions.deconvolution,
    layers.Dense: convolutions.dense,
    layers.MaxPooling2D: convolutions.max_pooling,
    layers.AveragePooling2D: convolutions.average_pooling,
    layers.GlobalAveragePooling2D: convolutions.global_average_pooling,
    layers.GlobalMaxPooling2D: convolutions.global_max_pooling,
    layers.ZeroPadding2D: convolutions.zero_padding,
    layers.Cropping2D: convolutions.cropping,
    layers.UpSampling2D: convolutions.upsampling,
    layers.Rescaling: arithmetic.rescaling,
    layers.Normalization: arithmetic.normalization,
    layers.BatchNormalization: arithmetic.batch_norm,
    layers.LayerNormalization: arithmetic.layer_norm,
    layers.Add: arithmetic.add,
    layers.Subtract: arithmetic.merge("Sub"),
    layers.Multiply: arithmetic.multiply,
    layers.Maximum: arithmetic.merge("Max"),
    layers.Minimum: arithmetic.merge("Min"),
    layers.Average: arithmetic.merge("Mean"),
    layers.Concatenate: arithmetic.concatenate,
    layers.Reshape: arithmetic.reshape,
    layers.Flatten: arithmetic.flatten,
    **dict.fromkeys(
        [
            layers.Identity,
            layers.Dropout,
            layers.SpatialDropout2D,
            layers.AlphaDropout,
            layers.GaussianDropout,
            layers.GaussianNoise,
            layers.ActivityRegularization,
        ],
        arithmetic.same,
    ),
}
# Classes that Keras has no public name for.
_UNNAMED = {
    "keras.src.ops.numpy.Add": arithmetic.operation("Add"),
    "keras.src.ops.numpy.Subtract": arithmetic.operation("Sub"),
    "keras.src.ops.numpy.Multiply": arithmetic.operation("Mul"),
    "keras.src.ops.numpy.Divide": arithmetic.operation("Div"),
    "keras.src.ops.numpy.TrueDivide": arithmetic.operation("Div"),
    "keras.src.ops.numpy.Pad": arithmetic.pad_operation,
    "keras.src.applications.convnext.LayerScale": arithmetic.layer_scale,
    "keras.src.applications.convnext.StochasticDepth": arithmetic.same,
}
