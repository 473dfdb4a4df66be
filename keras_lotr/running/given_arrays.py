"""Arrays that users give to `fit`, `evaluate` and `predict`, checked before Keras has them.

Keras tells a wrong shape in many lines, or, on JAX, loses the model over it; a wrong unit it takes.
"""

import keras
import numpy as np

from keras_lotr.running.crop_batches import check_crops

_LOOKED_AT = 64


def check_images(x, image_size):
    """Refuse what are no crops for a model of this size, if it is an array.

    Raises:
        ValueError: they do not have the shape (B, S, S, 3), or the first not values in 0..255.

    Example:

    >>> check_images(np.zeros((2, 192, 192, 3)), 64)
    Traceback (most recent call last):
    ValueError: Expected crops (F, 64, 64, 3), RGB 0..255. Received: shape (2, 192, 192, 3)
    """
    if getattr(x, "shape", None) is not None and len(x.shape):
        check_crops(_first(x), image_size)


def check_labels(y, num_landmarks):
    """Refuse landmarks that a model of so many cannot learn, if they are an array.

    Raises:
        ValueError: they do not have the shape (B, num_landmarks, 2), or the first are fractions of
            the crop.

    Example:

    >>> check_labels(np.zeros((2, 10)), 5)
    Traceback (most recent call last):
    ValueError: Expected landmarks of shape (B, 5, 2), in crop pixels, of a model of 5 landmarks.
    Received: (2, 10)
    """
    shape = getattr(y, "shape", None)
    if shape is None:
        return
    if tuple(shape)[1:] != (num_landmarks, 2):
        raise ValueError(
            f"Expected landmarks of shape (B, {num_landmarks}, 2), in crop pixels, of a model of "
            f"{num_landmarks} landmarks. Received: {tuple(shape)}"
        )
    first = _first(y)
    first = first[np.isfinite(first)]
    if first.size and 0 <= first.min() < first.max() <= 1:
        raise ValueError(
            "Expected landmarks in crop pixels. Received: landmarks of which all lie between "
            f"{first.min():.3g} and {first.max():.3g}; multiply fractions by the size of the crop"
        )


def _first(array):
    """The first crops or faces, as a NumPy array: enough to see in which unit all of them are."""
    return keras.ops.convert_to_numpy(keras.ops.cast(array[:_LOOKED_AT], "float32"))
