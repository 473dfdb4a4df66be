"""Convolutions on JAX's CPU as what XLA computes well there: shifted products and matrix products.

XLA's depthwise convolution on a CPU takes 10 to 40 times as long as the sum of nine shifted
products, and what XLA derives for training from that sum takes 30 times as long as the sum. So the
derivatives are written out here (those of `jax.grad` and `jax.vjp`; there is no `jax.jvp` then).
"""

from functools import partial

import keras

if keras.backend.backend() == "jax":
    import jax
    from jax import lax
    from jax import numpy as jnp


_IMAGES_AT_ONCE = 16  # more make the program of a training step long to compile


def on_a_cpu():
    """Whether this is JAX without any other device."""
    if keras.backend.backend() != "jax":
        return False
    return all(name.startswith("cpu") for name in keras.distribution.list_devices())


def depthwise(x, kernel, stride):
    """Depthwise convolution without padding as a sum of shifted products.

    Args:
        x: (B, h, w, C).
        kernel: (k, k, C).

    Returns:
        (B, h', w', C).
    """
    if keras.backend.backend() != "jax":
        return _shifted_products(x, kernel, stride)
    run = partial(_shifted_products, stride=stride)
    return _with_derivatives(run, partial(_of_shifted_products, stride=stride))(x, kernel)


def pointwise(x, kernel):
    """Convolution of single pixels, whose derivatives are faster as matrix products.

    Args:
        x: (B, h, w, C).
        kernel: (C, F).

    Returns:
        (B, h, w, F).
    """
    return _with_derivatives(_product_of_pixels, _of_product)(x, kernel)


def _with_derivatives(function, derivatives):
    """A function of features and kernel, whose derivatives are `derivatives(g, x, kernel)`."""
    run = jax.custom_vjp(function)
    run.defvjp(
        lambda x, kernel: (function(x, kernel), (x, kernel)),
        lambda kept, g: derivatives(g, *kept),
    )
    return run


def _product_of_pixels(x, kernel):
    axes = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, kernel[None, None], (1, 1), "VALID", dimension_numbers=axes)


def _of_product(g, x, kernel):
    return g @ kernel.T, jnp.einsum("bhwc,bhwf->cf", x, g)


def _shifted_products(x, kernel, stride):
    side = kernel.shape[0]
    size = [(length - side) // stride + 1 for length in x.shape[1:3]]
    return sum(
        _shifted(x, i, j, size, stride) * kernel[i, j] for i in range(side) for j in range(side)
    )


def _shifted(x, i, j, size, stride):
    rows, columns = (stride * (length - 1) + 1 for length in size)
    return x[:, i : i + rows : stride, j : j + columns : stride]


def _of_shifted_products(g, x, kernel, stride):
    g, x, kernel = lax.optimization_barrier((g, x, kernel))
    return _of_features(g, x, kernel, stride), _of_kernel(g, x, kernel, stride)


def _of_features(g, x, kernel, stride):
    """The derivative for x.

    Every stride-th row and column of x, from the first, the second, ... on, meets only a part of
    the kernel: its derivative is a convolution of g with that part.
    """
    side, (height, width) = kernel.shape[0], x.shape[1:3]
    rows, columns = -(-height // stride), -(-width // stride)
    back = (side - 1) // stride  # how far back in g the kernel reaches
    g = jnp.pad(g, ((0, 0), (back, rows - g.shape[1]), (back, columns - g.shape[2]), (0, 0)))

    def phase(p, q):
        products = (
            g[:, back - i : back - i + rows, back - j : back - j + columns] * factors
            for i, row in enumerate(kernel[p::stride])
            for j, factors in enumerate(row[q::stride])
        )
        return sum(products, jnp.zeros_like(g[:, :rows, :columns]))

    if stride == 1:
        return phase(0, 0)
    phases = [jnp.stack([phase(p, q) for q in range(stride)], 3) for p in range(stride)]
    whole = jnp.stack(phases, 2).reshape(len(x), rows * stride, columns * stride, -1)
    return whole[:, :height, :width]


def _of_kernel(g, x, kernel, stride):
    """The derivative for the kernel.

    XLA sums over pixels so slowly that images are summed first, which is quick, and the rest is a
    matrix product. The barriers keep it from making one slow sum of both again.
    """
    side, (images, height, width, channels) = kernel.shape[0], g.shape
    at_once = max(n for n in range(1, _IMAGES_AT_ONCE + 1) if images % n == 0)
    phases = {(p, q): x[:, p::stride, q::stride] for p in range(stride) for q in range(stride)}
    phases = lax.optimization_barrier(phases) if stride > 1 else phases

    def part(i, j):
        rows, columns = i // stride, j // stride
        seen = phases[i % stride, j % stride][:, rows : rows + height, columns : columns + width]
        total = sum(seen[b::at_once] * g[b::at_once] for b in range(at_once))
        return total.reshape(-1, channels)

    parts = lax.optimization_barrier([part(i, j) for i in range(side) for j in range(side)])
    ones = jnp.ones((1, len(parts[0])), g.dtype)
    return jnp.concatenate([ones @ part for part in parts]).reshape(kernel.shape)
