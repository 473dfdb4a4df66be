"""What a LOTR costs: multiply-accumulates, part by part, as tables of networks count them."""

import math

import keras
from keras import layers

_CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, layers.DepthwiseConv2D)


def multiply_accumulates(model):
    """Multiply-accumulates of one crop in each part of a LOTR.

    Counted are convolutions, deconvolutions, matrix products of dense layers and projections, and
    the two products of attention; biases, norms, activations and scalings are not. The paper's
    0.23, 0.44 and 3.23 G (LOTR-M, M+, R+) are backbone + tokens + encoder: its count leaves the
    decoder and the head out.

    Args:
        model: `LOTR`.

    Returns:
        {"backbone", "tokens", "encoder", "decoder", "head", "total"}, ints.

    Example:

    >>> from keras_lotr import LOTR
    >>> counts = multiply_accumulates(LOTR.from_variant("lotr_m", 68))
    >>> round(sum(counts[part] for part in ("backbone", "tokens", "encoder")) / 1e9, 2)
    0.23
    """
    dim, ffn = model.get_layer("landmark_queries").dim, model.ffn_dim
    tokens, landmarks = math.prod(model.token_grid), model.num_landmarks
    in_backbone = {id(layer) for layer in model.backbone.layers}
    added = [layer for layer in model.layers if id(layer) not in in_backbone]
    encoder = _attention(tokens, tokens, dim) + _feed_forward(tokens, dim, ffn)
    decoder = _attention(landmarks, landmarks, dim) + _attention(landmarks, tokens, dim)
    decoder += _feed_forward(landmarks, dim, ffn)
    hidden = model.head_hidden_dim
    counts = {
        "backbone": _of_layers(model.backbone.layers),
        "tokens": _of_layers(added),
        "encoder": model.num_encoder_layers * encoder,
        "decoder": model.num_decoder_layers * decoder,
        "head": landmarks * (dim * hidden + hidden * hidden + hidden * 2),
    }
    return {**counts, "total": sum(counts.values())}


def _of_layers(all_layers):
    return sum(_of_layer(layer) for layer in all_layers)


def _of_layer(layer):
    if isinstance(layer, keras.Model):
        return _of_layers(layer.layers)
    if isinstance(layer, layers.Conv2DTranspose):
        return _places(layer.input) * math.prod(layer.kernel.shape)
    if isinstance(layer, layers.SeparableConv2D):
        kernels = (layer.depthwise_kernel, layer.pointwise_kernel)
        return _places(layer.output) * sum(math.prod(k.shape) for k in kernels)
    if isinstance(layer, (*_CONVOLUTIONS, layers.Dense)):
        return _places(layer.output) * math.prod(layer.kernel.shape)
    return 0


def _places(features):
    """Pixels of a (B, h, w, C) map; vectors of (B, ..., C) in general."""
    places = features.shape[1:-1]
    if None in places:
        raise ValueError(f"Expected layers of known size. Received: shape {features.shape}")
    return math.prod(places)


def _attention(queries, keys, dim):
    """Projections of queries, keys, values and output, and the products q k' and a v."""
    return 2 * queries * dim**2 + 2 * keys * dim**2 + 2 * queries * keys * dim


def _feed_forward(count, dim, hidden):
    return 2 * count * dim * hidden
