"""What a network of landmarks can be asked for: landmarks, how sure they are, attention."""

from functools import cached_property

import numpy as np

from keras_lotr.running.given_arrays import check_images, check_labels
from keras_lotr.running.keras_model import KerasModel


class PredictMixin:
    """`predict_points`, `predict_certainty` and `attention_maps` for a Keras model."""

    @cached_property
    def runner(self):
        """The `KerasModel` that predicts with this network, the same for all threads."""
        return vars(self).setdefault("runner", KerasModel(self))  # cached_property has no lock

    def fit(self, x=None, y=None, *args, **kwargs):
        """As `keras.Model.fit`; arrays that are no crops, or no landmarks of them, are refused."""
        check_images(x, self.image_size)
        check_labels(y, self.num_landmarks)
        with self.runner.turn:
            return super().fit(x, y, *args, **kwargs)

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """As `keras.Model.evaluate`; arrays are checked as by `fit`."""
        check_images(x, self.image_size)
        check_labels(y, self.num_landmarks)
        return super().evaluate(x, y, *args, **kwargs)

    def predict(self, x, *args, **kwargs):
        """As `keras.Model.predict`; an array that holds no crops is refused."""
        check_images(x, self.image_size)
        if getattr(x, "shape", None) == (0, self.image_size, self.image_size, 3):
            return np.zeros((0, self.num_landmarks, 2), np.float32)  # Keras fails
        return super().predict(x, *args, **kwargs)

    def predict_points(self, crops, flip=False, batch_size=64):
        """Predict the landmarks of many crops.

        Threads that share the model take turns. While one of them is in `fit`, the others wait
        until it ends. Callbacks of `fit` may predict.

        Args:
            crops: (F, S, S, 3), RGB 0..255.
            flip: whether to average with the landmarks of the mirrored crops, which takes twice the
                time.
            batch_size: how many crops the backend gets at a time.

        Returns:
            (F, N, 2) float32 array, crop pixels.

        Raises:
            ValueError: the crops have another shape, or values outside of 0..255 or not finite.
            RuntimeError: the process was forked from one that has used Keras.
        """
        return self.runner.predict_points(crops, flip, batch_size)

    def predict_certainty(self, crops, flip=False, batch_size=64):
        """Predict the landmarks of many crops, and how sure each is.

        Args:
            crops, flip, batch_size: as of `predict_points`.

        Returns:
            points: (F, N, 2) float32 array, crop pixels.
            certainty: (F, N, 4) float32 array: a, b and c of the lower triangle L = [[a, 0], [b,
                c]] in crop pixels, and the probability that the landmark is seen. L L^T is the
                scale matrix of the landmark's error, see `keras_lotr.inference.certainty`.

        Raises:
            ValueError: as `predict_points`, or the network has no head for it (`certainty_dim`).
        """
        return self.runner.predict_certainty(crops, flip, batch_size)

    def attention_maps(self, images):
        """Compute which tokens each landmark attends to, layer by layer.

        Args:
            images: (B, S, S, 3), RGB 0..255.

        Returns:
            (B, decoder layers, heads, N, h, w) float32 array; each (h, w) map sums to 1.
        """
        return self.runner.attention_maps(images)
