"""Keras network -> ONNX graph, layer by layer, the same from every backend.

Keras' own exporters go through TensorFlow, JAX or PyTorch, each with other limits; their graphs
keep the channels last and move them around every convolution. Here batch norms are folded into
the convolutions before them and channels come first, as ONNX runtimes want them.
"""

import numpy as np
from keras import layers, ops

from keras_lotr.preset_files import write_file

_OPSET, _IR_VERSION = 17, 8
_MANY = 256  # numbers; fewer are not worth a node


class OnnxGraph:
    """Nodes and constants of an ONNX graph that is being written.

    Feature maps (B, h, w, C) of Keras are (B, C, h, w) in the graph.

    Attributes:
        nodes: ONNX nodes.
        names: {id of a Keras tensor: its name in the graph}.
        constants: {name: array}.
    """

    def __init__(self):
        self.nodes, self.names, self.constants = [], {}, {}
        self._folded = {}  # id of a tensor: padding and scaling left to the layer that reads it
        self._convolutions = {}  # name: names of kernel and bias

    def constant(self, name, array):
        """Keep an array under a name; the name."""
        self.constants[name] = np.ascontiguousarray(array)
        return name

    def node(self, kind, inputs, outputs, **attributes):
        """Add a node; the name of its output, or of the first of several."""
        from onnx import helper

        outputs = [outputs] if isinstance(outputs, str) else outputs
        self.nodes.append(helper.make_node(kind, inputs, outputs, outputs[0], **attributes))
        return outputs[0]

    def write(self, keras_layers):
        """Write layers in the order of a functional model."""
        keras_layers = list(keras_layers)
        self._reads = [id(x) for layer in keras_layers for x in _inputs(layer)]
        for layer in keras_layers:
            if isinstance(layer, layers.InputLayer):
                self.names[id(layer.output)] = layer.name
                continue
            writers = [f for kind, f in _WRITERS.items() if isinstance(layer, kind)]
            if not writers:
                raise ValueError(
                    f"Expected layers that can be written as ONNX. {layer.name} is a "
                    f"{type(layer).__name__}; export the model with Keras' model.export instead."
                )
            names = [self.names[id(x)] for x in _inputs(layer)]
            self.names[id(layer.output)] = writers[0](self, layer, *names)

    def to_bytes(self, inputs, outputs, metadata=None, float16=False):
        """The content of the ONNX file, checked.

        Args:
            inputs, outputs: {name: shape}, sizes that may vary are strings.
            metadata: {str: str} that travels in the file.
            float16: keep weights in 16 bits; runtimes read them as float32 once, when they load.
        """
        from onnx import TensorProto, checker, helper, numpy_helper

        def described(shapes):
            return [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes]

        constants, casts = [], []
        for name, array in self.constants.items():
            if float16 and array.dtype == np.float32 and array.size >= _MANY:
                array, half = array.astype(np.float16), f"{name}/float16"
                casts.append(helper.make_node("Cast", [half], [name], name, to=TensorProto.FLOAT))
                name = half
            constants.append(numpy_helper.from_array(array, name))
        graph = helper.make_graph(
            casts + self.nodes,
            "keras_lotr",
            described(inputs.items()),
            described(outputs.items()),
            constants,
        )
        opsets = [helper.make_opsetid("", _OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
        helper.set_model_props(model, metadata or {})
        checker.check_model(model, full_check=True)
        return model.SerializeToString()

    def save(self, path, inputs, outputs, metadata=None):
        """Write the file; arguments as of `to_bytes`."""
        write_file(path, self.to_bytes(inputs, outputs, metadata))

    def _take(self, layer):
        """Padding of one side and scale that are left to a layer."""
        return self._folded.get(id(layer.input), (0, 1.0))

    # === Layers ===
    def _rescaling(self, layer, x):
        if not np.any(layer.offset) and not np.ndim(layer.scale):
            self._folded[id(layer.output)] = (0, layer.scale)
            return x
        for kind, value in (("Mul", layer.scale), ("Add", layer.offset)):
            value = np.asarray(value, np.float32).reshape(1, -1, 1, 1)
            name = f"{layer.name}/{kind}"
            x = self.node(kind, [x, self.constant(f"{name}/value", value)], name)
        return x

    def _zero_padding(self, layer, x):
        padding, scale = self._take(layer)
        self._folded[id(layer.output)] = (padding + layer.padding[0][0], scale)
        return x

    def _convolution(self, layer, x):
        depthwise = isinstance(layer, layers.DepthwiseConv2D)
        kernel = ops.convert_to_numpy(layer.kernel)
        kernel = kernel.transpose(2, 3, 0, 1) if depthwise else kernel.transpose(3, 2, 0, 1)
        padding, scale = self._take(layer)
        pads = _same_padding(layer) if layer.padding == "same" else [padding] * 4
        bias = layer.bias if layer.use_bias else np.zeros(len(kernel), np.float32)
        names = f"{layer.name}/kernel", f"{layer.name}/bias"
        self.constant(names[0], kernel * np.float32(scale))
        self.constant(names[1], ops.convert_to_numpy(bias))
        self._convolutions[layer.name] = (*names, (-1, 1, 1, 1))
        groups = len(kernel) if depthwise else 1
        x = self.node(
            "Conv", [x, *names], layer.name,
            group=groups, pads=pads, strides=list(layer.strides),
        )  # fmt: skip
        return self._activated(layer, x, f"{layer.name}/activation")

    def _deconvolution(self, layer, x):
        """Keras' "same" of a 4x4 kernel with stride 2 takes one pixel off each side."""
        if (*layer.kernel_size, *layer.strides, layer.padding) != (4, 4, 2, 2, "same"):
            raise ValueError(f"Expected 4x4, stride 2, same padding in {layer.name}.")
        kernel = ops.convert_to_numpy(layer.kernel).transpose(3, 2, 0, 1)
        bias = layer.bias if layer.use_bias else np.zeros(kernel.shape[1], np.float32)
        names = f"{layer.name}/kernel", f"{layer.name}/bias"
        self.constant(names[0], kernel)
        self.constant(names[1], ops.convert_to_numpy(bias))
        self._convolutions[layer.name] = (*names, (1, -1, 1, 1))
        return self.node("ConvTranspose", [x, *names], layer.name, pads=[1] * 4, strides=[2, 2])

    def _max_pooling(self, layer, x):
        padding, scale = self._take(layer)
        if layer.padding != "valid" or scale != 1:
            raise ValueError(f"Expected valid padding and no scaling before {layer.name}.")
        return self.node(
            "MaxPool", [x], layer.name,
            kernel_shape=list(layer.pool_size), strides=list(layer.strides), pads=[padding] * 4,
        )  # fmt: skip

    def _batch_norm(self, layer, x):
        """Into the convolution that it follows, if nothing else reads that."""
        weights = (layer.moving_mean, layer.moving_variance, layer.gamma, layer.beta)
        mean, variance, gamma, beta = map(ops.convert_to_numpy, weights)
        if x not in self._convolutions or self._reads.count(id(layer.input)) > 1:
            raise ValueError(f"Expected {layer.name} directly after a convolution.")
        kernel, bias, by_output = self._convolutions[x]
        factor = gamma / np.sqrt(variance + layer.epsilon)
        self.constants[kernel] = self.constants[kernel] * factor.reshape(by_output)
        self.constants[bias] = (self.constants[bias] - mean) * factor + beta
        return x

    def _activation(self, layer, x):
        return self._activated(layer, x, layer.name)

    def _activated(self, layer, x, output):
        kind = layer.activation.__name__
        if kind == "linear":
            return x
        if kind == "relu":
            return self.node("Relu", [x], output)
        if kind == "relu6":
            limits = [self.constant(f"relu6/{n}", np.float32(n)) for n in (0, 6)]
            return self.node("Clip", [x, *limits], output)
        raise ValueError(f"Expected the activation relu or relu6. {layer.name} has {kind}.")

    def _add(self, layer, *inputs):
        kind = "Add" if len(inputs) == 2 else "Sum"
        return self.node(kind, inputs, layer.name)

    def _upsampling(self, layer, x):
        scales = self.constant(f"{layer.name}/scales", np.array([1, 1, *layer.size], np.float32))
        return self.node(
            "Resize", [x, "", scales], layer.name,
            mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor",
        )  # fmt: skip

    def _reshape(self, layer, x):
        """(B, C, h, w) -> (B, h w, C)."""
        last = self.node("Transpose", [x], f"{layer.name}/channels_last", perm=[0, 2, 3, 1])
        return self.reshape(last, (0, *layer.target_shape), layer.name)

    # === For what is not a layer of Keras ===
    def reshape(self, x, shape, name):
        """Another shape; 0 keeps a size, -1 is the rest."""
        shape = self.constant(f"{name}/shape", np.array(shape, np.int64))
        return self.node("Reshape", [x, shape], name)


_WRITERS = {
    layers.Rescaling: OnnxGraph._rescaling,
    layers.ZeroPadding2D: OnnxGraph._zero_padding,
    layers.DepthwiseConv2D: OnnxGraph._convolution,
    layers.Conv2DTranspose: OnnxGraph._deconvolution,
    layers.Conv2D: OnnxGraph._convolution,
    layers.MaxPooling2D: OnnxGraph._max_pooling,
    layers.BatchNormalization: OnnxGraph._batch_norm,
    layers.Activation: OnnxGraph._activation,
    layers.Add: OnnxGraph._add,
    layers.UpSampling2D: OnnxGraph._upsampling,
    layers.Reshape: OnnxGraph._reshape,
}


def _same_padding(layer):
    """Top, left, bottom, right: what TensorFlow's SAME adds; the odd pixel at the end."""
    before, after = [], []
    for size, kernel, stride in zip(
        layer.input.shape[1:3], layer.kernel_size, layer.strides, strict=True
    ):
        if size is None and stride > 1:
            raise ValueError(f"Expected an input of known size for same padding in {layer.name}.")
        missing = kernel - (1 if stride == 1 else (size - 1) % stride + 1)
        before.append(max(missing, 0) // 2)
        after.append(max(missing, 0) - before[-1])
    return before + after


def _inputs(layer):
    if isinstance(layer, layers.InputLayer):
        return []
    return layer.input if isinstance(layer.input, list) else [layer.input]
