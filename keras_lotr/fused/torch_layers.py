"""Layers of Keras computed by PyTorch's own functions, on the layers' weights.

PyTorch runs line by line, and Keras' part of a layer's call takes longer than the computation of a
small one. Keras also copies the features between its memory layout and PyTorch's around each
convolution; here a convolution sees the same memory as a PyTorch tensor in channels_last layout.
"""

import keras

if keras.backend.backend() == "torch":
    import torch
    from torch.nn import functional

_HOOKS = ("forward", "forward_pre", "backward", "backward_pre")
_FEW_PIXELS = 256  # a matrix product of so few rows is faster than oneDNN's convolution


def is_plain(x, *layers):
    """Whether layers of x may be computed here: PyTorch, float32, and as `nobody_watches` says."""
    on_torch = keras.backend.backend() == "torch"
    return on_torch and x.dtype == torch.float32 and nobody_watches(*layers)


def nobody_watches(*layers):
    """Whether layers are float32, not quantized, and no hook of PyTorch waits for their call."""
    return not _all_are_watched() and not any(
        layer.dtype_policy.name != "float32"
        or any(getattr(layer, f"_{kind}_hooks", None) for kind in _HOOKS)
        for layer in layers
    )


def _all_are_watched():
    """Whether there is a hook for each module, as profilers register one."""
    if keras.backend.backend() != "torch":
        return False
    module = torch.nn.modules.module
    return any(getattr(module, f"_global_{kind}_hooks", None) for kind in _HOOKS)


def tensor_of(variable):
    """The tensor of a variable; the kernel of a layer with LoRA is a tensor already."""
    return variable.value if isinstance(variable, keras.Variable) else variable


def convolution(x, kernel, bias, stride, padding, depthwise, activations):
    """Convolution with PyTorch's symmetric padding, and activations of Keras.

    Args:
        x: (B, h, w, C).
        kernel: (k, k, C, F), or (k, k, C, 1) if depthwise.
        bias: (F,) or None.

    Returns:
        (B, h', w', F).
    """
    pointwise = kernel.shape[:2] == (1, 1) and stride == 1 and padding == 0
    pixels = x.shape[0] * x.shape[1] * x.shape[2]
    if pointwise and pixels <= _FEW_PIXELS:
        return linear(x, kernel[0, 0], bias, activations)
    kernel = kernel.permute(*((2, 3, 0, 1) if depthwise else (3, 2, 0, 1)))
    groups = x.shape[-1] if depthwise else 1
    x = x.permute(0, 3, 1, 2)
    if pointwise and _takes_onednn(x):
        x = torch.mkldnn_convolution(x, kernel, bias, [0, 0], [1, 1], [1, 1], 1)
    else:
        x = functional.conv2d(x, kernel, bias, stride, padding, 1, groups)
    return _activated(x, activations).permute(0, 2, 3, 1)


def _takes_onednn(x):
    """Whether oneDNN is asked for by name: PyTorch takes it from 16 images or two threads up only.

    That operator has no rule for compilers and exporters, and on processors without AVX-512 none
    for 16 bits, which `torch.autocast` makes of x.
    """
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and not torch.compiler.is_compiling()
        and torch.backends.mkldnn.is_available()
    )


def linear(x, kernel, bias, activations):
    """A matrix product with the last axis of x, and activations of Keras."""
    y = functional.linear(x.flatten(0, -2), kernel.T, bias)
    return _activated(y, activations).unflatten(0, x.shape[:-1])


def _activated(x, activations):
    """x is overwritten: nobody else may have it. Were it a view, autograd would copy all of it."""
    for function in activations:
        if function is keras.activations.relu6:
            x = functional.relu6(x, inplace=True)
        elif function is keras.activations.relu:
            x = functional.relu(x, inplace=True)
        else:
            x = function(x)
    return x


def dense(layer, x):
    """`keras.layers.Dense` of x."""
    if not is_plain(x, layer):
        return layer(x)
    bias = layer.bias.value if layer.use_bias else None
    return linear(x, tensor_of(layer.kernel), bias, [layer.activation])


def layer_norm(layer, x):
    """`keras.layers.LayerNormalization` of x's last axis."""
    if not is_plain(x, layer):
        return layer(x)
    gamma, beta = layer.gamma.value, layer.beta.value
    return functional.layer_norm(x, gamma.shape, gamma, beta, layer.epsilon)


def attention(layer, query, key, value, mask=None):
    """`keras.layers.MultiHeadAttention` of (B, Q, D) and twice (B, K, D)."""
    dense_layers = layer.query_dense, layer.key_dense, layer.value_dense, layer.output_dense
    if layer.dropout or not is_plain(query, layer, *dense_layers):
        return layer(query, value=value, key=key, attention_mask=mask)
    heads = (_of_heads(part, x) for part, x in zip(dense_layers, (query, key, value), strict=False))
    mask = mask if mask is None else mask[:, None]
    x = functional.scaled_dot_product_attention(*heads, attn_mask=mask)
    output = layer.output_dense
    kernel = tensor_of(output.kernel).flatten(0, 1)
    return functional.linear(x.transpose(1, 2).flatten(2), kernel.T, output.bias.value)


def _of_heads(layer, x):
    """The part of x that each attention head sees: (B, P, D) -> (B, heads, P, D / heads)."""
    kernel, bias = tensor_of(layer.kernel), layer.bias.value
    x = functional.linear(x, kernel.flatten(1).T, bias.flatten())
    return x.unflatten(-1, bias.shape).transpose(1, 2)
