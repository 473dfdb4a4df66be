"""A head beside the coordinates: how far each landmark may be wrong, and whether it is seen."""

import keras
from keras import layers, ops

from keras_lotr.fused import torch_layers

# Of what is predicted before the exponential: scales from 0.1 % of the unit to 55 times as much.
LIMITS = (-7.0, 4.0)


@keras.saving.register_keras_serializable(package="keras_lotr")
class CertaintyHead(layers.Layer):
    """Two hidden layers with ReLU, then the scale of the error and the visibility of a landmark.

    The first hidden layer also sees the mean over the landmarks, so that a landmark knows how
    difficult its face is. The error of a landmark is L z with a standard z; L is the lower triangle
    [[a, 0], [b, c]] in crop pixels, so that its scale matrix is L L^T. `calibration` holds a factor
    for the L of each landmark, which is found after the training; it starts at one.

    Args:
        image_size: side of the crop in pixels; L is counted in sixty-fourths of it.
        hidden_dim: width of the hidden layers.

    Call arguments:
        landmarks: (B, N, D), of the last decoder layer.

    Returns:
        (B, N, 4) float32 under every dtype policy: a, b, c in crop pixels, and the probability
        that the landmark is seen.

    Example:

    >>> head = CertaintyHead(image_size=64, hidden_dim=8)
    >>> tuple(head(ops.ones((2, 5, 16))).shape)
    (2, 5, 4)
    """

    def __init__(self, image_size, hidden_dim=128, **kwargs):
        super().__init__(**kwargs)
        self.image_size, self.hidden_dim = image_size, hidden_dim
        policy = self.dtype_policy
        self.of_landmark = layers.Dense(hidden_dim, dtype=policy, name="of_landmark")
        self.of_face = layers.Dense(hidden_dim, use_bias=False, dtype=policy, name="of_face")
        self.hidden = layers.Dense(hidden_dim, "relu", dtype=policy, name="hidden")
        small = keras.initializers.RandomNormal(stddev=0.01)
        self.numbers = layers.Dense(4, kernel_initializer=small, dtype="float32", name="numbers")

    def build(self, input_shape):
        num_landmarks = input_shape[-2]
        self.of_landmark.build(input_shape)
        self.of_face.build(input_shape)
        self.hidden.build((*input_shape[:-1], self.hidden_dim))
        self.numbers.build((*input_shape[:-1], self.hidden_dim))
        self.calibration = self.add_weight(
            shape=(num_landmarks, 1),
            initializer="ones",
            trainable=False,
            dtype="float32",
            name="calibration",
        )

    def call(self, landmarks):
        numbers = self.raw(landmarks)
        low, across, high = self.triangle(numbers)
        calibration = ops.convert_to_tensor(self.calibration)
        triangle = ops.concatenate([low, across, high], axis=-1) * calibration
        return ops.concatenate([triangle, ops.sigmoid(numbers[..., 3:])], axis=-1)

    def raw(self, landmarks):
        """What is trained: (B, N, D) -> (B, N, 4), before exponentials and sigmoid."""
        face = ops.mean(landmarks, axis=-2, keepdims=True)
        x = torch_layers.dense(self.of_landmark, landmarks) + self.of_face(face)
        return self.numbers(torch_layers.dense(self.hidden, ops.relu(x)))

    def triangle(self, numbers):
        """a, b and c of L, each (B, N, 1) crop pixels, of what `raw` gives; not yet calibrated."""
        unit = self.image_size / 64
        low = ops.exp(ops.clip(numbers[..., 0:1], *LIMITS)) * unit
        high = ops.exp(ops.clip(numbers[..., 1:2], *LIMITS)) * unit
        return low, numbers[..., 2:3] * high, high

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 4)

    def compute_output_spec(self, landmarks):
        return keras.KerasTensor(self.compute_output_shape(landmarks.shape), "float32")

    def get_config(self):
        config = super().get_config()
        return {**config, "image_size": self.image_size, "hidden_dim": self.hidden_dim}
