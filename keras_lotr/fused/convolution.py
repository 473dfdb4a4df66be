"""Padding, convolution, batch norm and activation as one step."""

import keras
from keras import layers, ops

from keras_lotr.fused import jax_layers, torch_layers
from keras_lotr.fused.torch_layers import tensor_of


def fusible_chain(node, users):
    """Nodes of a functional network that are one `Convolution`; [] if it does not begin here.

    Args:
        node: the first of them: padding or a convolution.
        users: {id of a tensor: nodes that take it}.
    """
    chain = [node]
    if _is_padding(node.operation):
        chain = _followed_by(_is_convolution, chain, users)
    if not _is_convolution(chain[-1].operation):
        return []
    if chain[-1].operation.activation is keras.activations.linear:
        chain = _followed_by(_is_batch_norm, chain, users)
    chain = _followed_by(_is_activation, chain, users)
    arguments = [part.arguments for part in chain]
    one_tensor = all(len(a.args) == 1 and not any(a.kwargs.values()) for a in arguments)
    return chain if one_tensor else []


def _followed_by(fits, chain, users):
    """A chain with the only layer that takes what it gives, if that fits."""
    following = users.get(id(chain[-1].output_tensors[0]), [])
    if len(following) == 1 and following[0] is not None and fits(following[0].operation):
        return [*chain, following[0]]
    return chain


def _is_padding(layer):
    of_all_sides = getattr(layer, "padding", None)
    return (
        type(layer) is layers.ZeroPadding2D
        and layer.data_format == "channels_last"
        and len({pixels for side in of_all_sides for pixels in side}) == 1
    )


def _is_convolution(layer):
    if type(layer) not in (layers.Conv2D, layers.DepthwiseConv2D):
        return False
    symmetric = layer.padding == "valid" or (
        layer.padding == "same" and layer.strides == (1, 1) and layer.kernel_size[0] % 2 == 1
    )
    return (
        symmetric
        and layer.data_format == "channels_last"
        and len(set(layer.kernel_size)) == len(set(layer.strides)) == 1
        and layer.dilation_rate == (1, 1)
        and getattr(layer, "groups", 1) == getattr(layer, "depth_multiplier", 1) == 1
        and layer.activity_regularizer is None
    )


def _is_batch_norm(layer):
    is_one = type(layer) is layers.BatchNormalization
    return is_one and layer.axis in (3, -1) and layer.center and layer.scale


def _is_activation(layer):
    return type(layer) is layers.Activation and layer.activity_regularizer is None


class Convolution:
    """A convolution and what belongs to it, with as few passes over the features as possible.

    A batch norm whose statistics are fixed (prediction, or frozen in training) is a factor and an
    offset of each channel, and becomes part of the kernel and of the bias.

    Args:
        chain: layers that follow each other: padding or none, convolution, batch norm or none,
            activation or none.

    Call arguments:
        x: (B, h, w, C).
        training: whether batch norm that is not frozen computes its statistics from x.
    """

    def __init__(self, chain):
        self.chain = chain
        by_kind = {type(layer): layer for layer in chain}
        self.depthwise = layers.DepthwiseConv2D in by_kind
        self.conv = by_kind[layers.DepthwiseConv2D if self.depthwise else layers.Conv2D]
        self.bn = by_kind.get(layers.BatchNormalization)
        after = by_kind.get(layers.Activation)
        self.activations = [self.conv.activation, *([after.activation] if after else [])]
        pad = by_kind.get(layers.ZeroPadding2D)
        self.padding = pad.padding[0][0] if pad else 0
        if self.conv.padding == "same":
            self.padding += self.conv.kernel_size[0] // 2

    def __call__(self, x, training=False):
        if not torch_layers.nobody_watches(*self.chain):
            for layer in self.chain:
                x = layer(x, training=training)
            return x
        learns = self.bn is not None and training and self.bn.trainable
        kernel, bias = self._folded() if self.bn is not None and not learns else self._plain()
        geometry = self.conv.strides[0], self.padding, self.depthwise
        if not learns:
            return convolution(x, kernel, bias, *geometry, self.activations)
        x = self.bn(convolution(x, kernel, bias, *geometry), training=training)
        for activation in self.activations:
            x = activation(x)
        return x

    def _plain(self):
        """Kernel and bias of the convolution."""
        bias = self.conv.bias
        return tensor_of(self.conv.kernel), bias if bias is None else tensor_of(bias)

    def _folded(self):
        """Kernel and bias of convolution and batch norm together."""
        (kernel, bias), bn = self._plain(), self.bn
        factor = tensor_of(bn.gamma) * (tensor_of(bn.moving_variance) + bn.epsilon) ** -0.5
        mean = tensor_of(bn.moving_mean)
        offset = tensor_of(bn.beta) - (mean if bias is None else mean - bias) * factor
        return kernel * (factor[:, None] if self.depthwise else factor), offset


def convolution(x, kernel, bias, stride, padding, depthwise, activations=()):
    """Convolution with PyTorch's symmetric padding, in the way that is fastest on the backend.

    What JAX does on a CPU is slower on TensorFlow, and was not measured on a GPU.

    Args:
        x: (B, h, w, C).
        kernel: (k, k, C, F), or (k, k, C, 1) if depthwise.
        bias: (F,) or None.
        activations: of Keras, which follow.

    Returns:
        (B, h', w', F).
    """
    if keras.backend.backend() == "torch":
        return torch_layers.convolution(x, kernel, bias, stride, padding, depthwise, activations)
    on_a_cpu_of_jax = jax_layers.on_a_cpu()
    shifted = depthwise and on_a_cpu_of_jax
    # SAME is symmetric at stride 1, and saves a copy.
    same = stride == 1 and padding == kernel.shape[0] // 2 and not shifted
    if padding and not same:
        x = ops.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    if shifted:
        x = jax_layers.depthwise(x, kernel[..., 0], stride)
    elif on_a_cpu_of_jax and kernel.shape[:2] == (1, 1) and stride == 1:
        x = jax_layers.pointwise(x, kernel[0, 0])
    else:
        run = ops.depthwise_conv if depthwise else ops.conv
        x = run(x, kernel, stride, "same" if same else "valid", "channels_last")
    x = x if bias is None else x + bias
    for activation in activations:
        x = activation(x)
    return x
