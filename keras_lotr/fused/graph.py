"""A functional network, run with convolutions that include what follows them."""

import keras
from keras import layers

from keras_lotr.fused import torch_layers
from keras_lotr.fused.convolution import Convolution, fusible_chain


class FusedModel(keras.Model):
    """A functional model that computes convolutions together with what follows them.

    Its layers, weights and config are those of `keras.Model`, and its numbers to float32's
    accuracy. Layers in another precision, quantized ones, and those with a hook of PyTorch are
    called as Keras calls them.

    Args:
        inputs, outputs, name: as of `keras.Model`.

    Example:

    >>> import numpy as np
    >>> images = keras.Input((8, 8, 3))
    >>> x = layers.Conv2D(4, 3, padding="same", data_format="channels_last")(images)
    >>> x = layers.BatchNormalization(axis=-1)(x)
    >>> model = FusedModel(images, layers.Activation("relu")(x))
    >>> tuple(model(np.ones((2, 8, 8, 3))).shape)
    (2, 8, 8, 4)
    """

    def __init__(self, inputs, outputs, name=None):
        super().__init__(inputs, outputs, name=name)
        self._graph = FusedGraph(self)

    def call(self, inputs, training=None, mask=None):
        # Keras' own accepts and ignores every further argument. Of several inputs without a mask
        # it passes a list of None.
        masked = any(part is not None for part in keras.tree.flatten(mask))
        if masked or isinstance(keras.tree.flatten(inputs)[0], keras.KerasTensor):
            return super().call(inputs, training=training, mask=mask)
        return self._graph(self._standardize_inputs(inputs), training)


class FusedGraph:
    """The layers of a functional model in their order.

    Args:
        model: `keras.Model`.

    Call arguments:
        values: list of the model's inputs.
        training: as of the model.

    Returns:
        As the model.
    """

    def __init__(self, model):
        self.inputs, self.outputs = [id(tensor) for tensor in model.inputs], model.output
        by_depth = sorted(model._nodes_by_depth.items(), reverse=True)
        nodes = [node for _, nodes in by_depth for node in nodes if not node.is_input]
        users = {}
        for node in nodes:
            for tensor in node.input_tensors:
                users.setdefault(id(tensor), []).append(node)
        for tensor in model.outputs:  # what the model returns has to be there
            users.setdefault(id(tensor), []).append(None)
        self.steps, done = [], set()
        for node in nodes:
            if node not in done:
                chain = fusible_chain(node, users)
                done.update(chain)
                self.steps.append(_Step(node, chain))

    def __call__(self, values, training=None):
        tensors = dict(zip(self.inputs, values, strict=True))
        for step in self.steps:
            step(tensors, training)
        if isinstance(self.outputs, keras.KerasTensor):
            return tensors[id(self.outputs)]
        return keras.tree.map_structure(lambda output: tensors[id(output)], self.outputs)


class _Step:
    """A convolution with what follows it, or any other layer."""

    def __init__(self, node, chain):
        self.arguments, self.layer = node.arguments, node.operation
        self.convolution = Convolution([part.operation for part in chain]) if chain else None
        self.input = id(node.input_tensors[0])
        self.outputs = [id(tensor) for tensor in (chain[-1] if chain else node).output_tensors]

    def __call__(self, tensors, training):
        if self.convolution is not None:
            tensors[self.outputs[0]] = self.convolution(tensors[self.input], training)
            return
        args, kwargs = self.arguments.fill_in(tensors)
        if type(self.layer) is layers.Add and torch_layers.nobody_watches(self.layer):
            outputs = sum(args[0][1:], args[0][0])
        else:
            # As Keras does: `stateless_call` sets no context that layers could ask.
            if training is not None and isinstance(self.layer, layers.Layer):
                kwargs["training"] = training
            outputs = self.layer(*args, **kwargs)
        if len(self.outputs) == 1 and not isinstance(outputs, list | tuple | dict):
            tensors[self.outputs[0]] = outputs
        else:
            tensors.update(zip(self.outputs, keras.tree.flatten(outputs), strict=True))
