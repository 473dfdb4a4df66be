"""Fig. 1, the landmark prediction head: one vector per landmark becomes its coordinates."""

import keras
import numpy as np
from keras import layers, ops

from keras_lotr.fused import torch_layers


def mean_points(mean_shape, image_size):
    """Mean landmarks from fractions of the crop to crop pixels: (..., 2) float32."""
    return ops.convert_to_tensor(mean_shape * image_size - 0.5, "float32")


@keras.saving.register_keras_serializable(package="keras_lotr")
class LandmarkHead(layers.Layer):
    """Two hidden layers with ReLU, then two linear outputs, shared by all landmarks.

    The linear output is in eighths of the crop, counted from the mean landmark: zero is the mean
    shape. Paper: 512-512-2, ReLU, no output activation; offset and unit are ours.

    Args:
        image_size: side of the crop in pixels.
        mean_shape: (N, 2), mean landmarks as fractions of the crop.
        hidden_dim: width of the two hidden layers.

    Call arguments:
        landmarks: (B, N, D).

    Returns:
        (B, N, 2) float32 under every dtype policy, crop pixels.
    """

    def __init__(self, image_size, mean_shape, hidden_dim=512, **kwargs):
        super().__init__(**kwargs)
        self.image_size, self.hidden_dim = image_size, hidden_dim
        self.mean_shape = np.asarray(mean_shape, np.float32)
        self.hidden1 = self._dense(hidden_dim, "relu", "hidden1", self.dtype_policy)
        self.hidden2 = self._dense(hidden_dim, "relu", "hidden2", self.dtype_policy)
        # A small start: the first predictions are the mean shape.
        small = keras.initializers.RandomNormal(stddev=0.01)
        self.coordinates = self._dense(2, None, "coordinates", "float32", small)

    def _dense(self, units, activation, name, dtype, initializer="he_normal"):
        return layers.Dense(
            units, activation, kernel_initializer=initializer, dtype=dtype, name=name
        )

    def build(self, input_shape):
        self.hidden1.build(input_shape)
        self.hidden2.build((*input_shape[:-1], self.hidden_dim))
        self.coordinates.build((*input_shape[:-1], self.hidden_dim))

    def call(self, landmarks):
        return mean_points(self.mean_shape, self.image_size) + self.offsets(landmarks)

    def offsets(self, landmarks):
        """How far landmarks are from their mean place: (B, N, D) -> (B, N, 2), crop pixels."""
        x = landmarks
        for layer in (self.hidden1, self.hidden2, self.coordinates):
            x = torch_layers.dense(layer, x)
        return x * (self.image_size / 8)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 2)

    def compute_output_spec(self, landmarks):
        return keras.KerasTensor(self.compute_output_shape(landmarks.shape), "float32")

    def get_config(self):
        return {
            **super().get_config(),
            "image_size": self.image_size,
            "mean_shape": self.mean_shape.tolist(),
            "hidden_dim": self.hidden_dim,
        }
