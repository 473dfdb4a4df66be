"""What LOTR asks of its arguments: a backbone, numbers that fit each other."""

import keras

from keras_lotr.number_checks import check_counts


def transformer_width(projection_dim, deconv_filters, num_heads):
    """Width of tokens and landmarks: of the last deconvolution, or of the 1x1 convolution."""
    check_counts(projection_dim=projection_dim, num_heads=num_heads)
    for filters in deconv_filters:
        check_counts(deconv_filters=filters)
    name = "deconv_filters" if deconv_filters else "projection_dim"
    dim = int(deconv_filters[-1] if deconv_filters else projection_dim)
    if dim % 4:
        raise ValueError(f"Expected {name} to end in a multiple of 4. Received: {dim}")
    if dim % num_heads:
        raise ValueError(
            f"Expected num_heads to divide the width of the Transformer, {dim} (from {name}). "
            f"Received: {num_heads}"
        )
    return dim


def square_input(backbone):
    """Side of the square input of a backbone that LOTR can use."""
    if not isinstance(backbone, keras.Model):
        raise ValueError(f"Expected a keras.Model as backbone. Received: {backbone!r}")
    inputs = [tuple(x.shape) for x in getattr(backbone, "inputs", None) or ()]
    outputs = [tuple(x.shape) for x in getattr(backbone, "outputs", None) or ()]
    size = inputs[0][1] if inputs and len(inputs[0]) == 4 else None
    if inputs != [(None, size, size, 3)] or size is None:
        raise ValueError(
            "Expected a backbone with one input (B, S, S, 3) of fixed size S, channels last. "
            f"Received: {backbone.name} with input {inputs}"
        )
    if len(outputs) != 1 or len(outputs[0]) != 4:
        raise ValueError(
            "Expected a backbone with one feature map (B, h, w, C) as output. "
            f"Received: {backbone.name} with output {outputs}"
        )
    return size
