"""A head beside the coordinates: how far each landmark may be wrong, and whether it is seen."""

import keras
from keras import layers, ops

from keras_lotr.fused import torch_layers
from keras_lotr.layers.transformer import DecoderLayer

# Of the logarithms of scales: from 0.1 % of the unit to 55 times as much.
LIMITS = (-7.0, 4.0)


@keras.saving.register_keras_serializable(package="keras_lotr")
class CertaintyHead(layers.Layer):
    """One more decoder layer, a hidden layer, then the scale of the error and the visibility.

    The decoder knows where a landmark is, and has forgotten what covers it: the layer looks at the
    tokens again. A landmark that the face itself hides is told by where all of them are, so all
    landmarks and the mean token, through a hidden layer of their own, add to the numbers of each.
    The error of a landmark is L z with a standard z; L is the lower triangle
    [[a, 0], [b, c]] in crop pixels, so that its scale matrix is L L^T. `calibration` holds a factor
    for the L of each landmark, which is found after the training; it starts at one.

    Args:
        image_size: side of the crop in pixels; L is counted in sixty-fourths of it.
        dim, num_heads: of the network's own decoder layers.
        hidden_dim: width of the hidden layers.

    Call arguments:
        landmarks: (B, N, D), of the last decoder layer.
        query_positions, memory, positions: as of `DecoderLayer`.
        points: (B, N, 2), the landmarks that the network predicts, in crop pixels.

    Returns:
        (B, N, 4) float32 under every dtype policy: a, b, c in crop pixels, and the probability
        that the landmark is seen.

    Example:

    >>> head = CertaintyHead(image_size=64, dim=16, num_heads=4, hidden_dim=8)
    >>> landmarks, tokens = ops.ones((2, 5, 16)), ops.ones((2, 4, 16))
    >>> points = ops.ones((2, 5, 2))
    >>> tuple(head(landmarks, landmarks, tokens, tokens, points).shape)
    (2, 5, 4)
    """

    def __init__(self, image_size, dim, num_heads, hidden_dim=128, **kwargs):
        super().__init__(**kwargs)
        self.image_size, self.dim, self.num_heads = image_size, dim, num_heads
        self.hidden_dim = hidden_dim
        policy = self.dtype_policy
        self.decoder = DecoderLayer(dim, num_heads, hidden_dim, dtype=policy, name="decoder")
        self.norm = layers.LayerNormalization(epsilon=1e-6, dtype=policy, name="norm")
        self.hidden = layers.Dense(hidden_dim, "relu", dtype=policy, name="hidden")
        small = keras.initializers.RandomNormal(stddev=0.01)
        self.numbers = layers.Dense(4, kernel_initializer=small, dtype="float32", name="numbers")
        self.face = layers.Dense(hidden_dim, "relu", dtype="float32", name="face")
        self.of_face = None

    def build(
        self, landmarks_shape, query_positions_shape, memory_shape, positions_shape, points_shape
    ):
        self.decoder.build(landmarks_shape, query_positions_shape, memory_shape, positions_shape)
        self.norm.build(landmarks_shape)
        self.hidden.build(landmarks_shape)
        self.numbers.build((*landmarks_shape[:-1], self.hidden_dim))
        count, batch = landmarks_shape[-2], landmarks_shape[0]
        self.face.build((batch, 2 * count + self.dim))
        small = keras.initializers.RandomNormal(stddev=0.01)
        self.of_face = layers.Dense(
            4 * count, use_bias=False, kernel_initializer=small, dtype="float32", name="of_face"
        )
        self.of_face.build((batch, self.hidden_dim))
        self.calibration = self.add_weight(
            shape=(landmarks_shape[-2], 1),
            initializer="ones",
            trainable=False,
            dtype="float32",
            name="calibration",
        )

    def call(self, landmarks, query_positions, memory, positions, points):
        numbers = self.raw(landmarks, query_positions, memory, positions, points)
        low, across, high = self.triangle(numbers)
        calibration = ops.convert_to_tensor(self.calibration)
        triangle = ops.concatenate([low, across, high], axis=-1) * calibration
        return ops.concatenate([triangle, ops.sigmoid(numbers[..., 3:])], axis=-1)

    def raw(self, landmarks, query_positions, memory, positions, points):
        """What is trained, (B, N, 4): before exponentials and sigmoid; arguments as of a call."""
        x = self.decoder(landmarks, query_positions, memory, positions)
        x = torch_layers.layer_norm(self.norm, x)
        numbers = self.numbers(torch_layers.dense(self.hidden, x))
        face = self.of_face(self.face(self._of_all(memory, points)))
        return numbers + ops.reshape(face, ops.shape(numbers))

    def _of_all(self, memory, points):
        """All landmarks around their centre, then the mean token: (B, 2 N + D) float32."""
        points = (points - ops.mean(points, axis=1, keepdims=True)) * (8 / self.image_size)
        shape = ops.reshape(points, (-1, points.shape[1] * 2))
        token = ops.mean(ops.cast(memory, "float32"), axis=1)
        return ops.concatenate([ops.cast(shape, "float32"), token], axis=-1)

    def triangle(self, numbers):
        """a, b and c of L, each (B, N, 1) crop pixels, of what `raw` gives; not yet calibrated."""
        unit = self.image_size / 64
        low = ops.exp(ops.clip(numbers[..., 0:1], *LIMITS)) * unit
        high = ops.exp(ops.clip(numbers[..., 1:2], *LIMITS)) * unit
        return low, numbers[..., 2:3] * high, high

    def compute_output_shape(self, landmarks_shape, *others):
        return (*landmarks_shape[:-1], 4)

    def compute_output_spec(self, landmarks, *others):
        return keras.KerasTensor((*landmarks.shape[:-1], 4), "float32")

    def get_config(self):
        return {
            **super().get_config(),
            "image_size": self.image_size,
            "dim": self.dim,
            "num_heads": self.num_heads,
            "hidden_dim": self.hidden_dim,
        }
