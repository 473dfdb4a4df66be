"""Learned tables of vectors: positions of tokens and of landmarks, and landmark queries.

The paper starts positions from a normal distribution and queries with standard deviation 1e-4;
every landmark then looks at every token, and training stays for long at the mean shape. Here both
position tables start as the same code of the place, tokens at their centre and landmarks at their
mean place: our departure, of the start only; the tables are learned on.
"""

import keras
import numpy as np
from keras import layers, ops


def sine_positions(points_unit, dim, temperature=20.0):
    """A code of 2-D positions whose inner product falls off with distance.

    Sine and cosine of x and y at `dim / 4` frequencies; the four numbers of a frequency lie side
    by side, so that each attention head sees both axes.

    Args:
        points_unit: (P, 2), fractions of the crop.
        dim: length of the code, a multiple of 4.
        temperature: ratio of the highest to the lowest frequency.

    Returns:
        (P, dim) float32.

    Example:

    >>> import numpy as np
    >>> sine_positions(np.array([[0.5, 0.25]]), dim=8).round(3)[0, :4].tolist()  # sin, cos of y, x
    [1.0, 0.0, 0.0, -1.0]
    """
    count = dim // 4
    frequencies = 2 * np.pi * temperature ** (-np.arange(count) / count)
    x, y = points_unit[:, :1] * frequencies, points_unit[:, 1:] * frequencies
    code = np.stack([np.sin(y), np.cos(y), np.sin(x), np.cos(x)], axis=-1)
    return code.reshape(len(points_unit), dim).astype(np.float32)


def grid_centers(height, width):
    """The centres of the tokens' cells as fractions of the crop, row by row: (h * w, 2)."""
    y, x = np.meshgrid(
        (np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width, indexing="ij"
    )
    return np.stack([x.ravel(), y.ravel()], axis=-1)


@keras.saving.register_keras_serializable(package="keras_lotr", name="SineCode")  # in saved files
class SinePosition(keras.initializers.Initializer):
    """Starts row p of a table as `sine_positions` of the position p.

    Args:
        points_unit: (P, 2), fractions of the crop.
    """

    def __init__(self, points_unit):
        self.points_unit = np.asarray(points_unit, np.float32)

    def __call__(self, shape, dtype=None):
        return ops.cast(sine_positions(self.points_unit, shape[1]), dtype)

    def get_config(self):
        return {"points_unit": self.points_unit.tolist()}


@keras.saving.register_keras_serializable(package="keras_lotr", name="Table")  # in saved files
class Embedding(layers.Layer):
    """A learned vector for each of P rows, the same for every face of the batch.

    Args:
        rows: number of vectors P.
        dim: length D of each.
        initializer: Keras initializer of the (P, D) table.

    Call arguments:
        inputs: any tensor with batch size B.

    Returns:
        (B, P, D).
    """

    def __init__(self, rows, dim, initializer, **kwargs):
        super().__init__(**kwargs)
        self.rows, self.dim = rows, dim
        self.initializer = keras.initializers.get(initializer)

    def build(self, input_shape):
        self.table = self.add_weight(
            shape=(self.rows, self.dim), initializer=self.initializer, name="table"
        )

    def call(self, inputs):
        return ops.broadcast_to(self.table, (ops.shape(inputs)[0], self.rows, self.dim))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.rows, self.dim)

    def get_config(self):
        initializer = keras.initializers.serialize(self.initializer)
        return {
            **super().get_config(),
            "rows": self.rows,
            "dim": self.dim,
            "initializer": initializer,
        }
