"""A LOTR run by Keras, on whichever backend: one batch at a time, from one process."""

import os
import threading
from contextlib import contextmanager
from functools import cached_property

import keras
import numpy as np
from keras import layers, ops

from keras_lotr.fused.graph import FusedModel
from keras_lotr.running.crop_batches import NO_CERTAINTY, check_crops, predict_points

# The layers whose outputs are the arguments of `CertaintyHead`.
SEEN_BY_CERTAINTY = (
    "decoder_norm",
    "landmark_places",
    "encoder_norm",
    "token_positions",
    "head",
)

_process = None  # id of the process in which Keras first computed something for a LOTR


def check_process():
    """Refuse to compute in a process that was forked from one in which Keras has computed.

    The threads of TensorFlow, JAX and PyTorch do not exist in a forked process, and it would wait
    for them for ever.

    Raises:
        RuntimeError: what to do instead.
    """
    global _process
    _process = _process or os.getpid()
    if _process != os.getpid():
        raise RuntimeError(
            "Expected Keras to be used in one process: this one was forked from a process that has "
            "used it, and would hang. Take engine='onnxruntime', start processes with "
            "multiprocessing.get_context('spawn'), or load the model after the fork only."
        )


class KerasModel:
    """What runs a LOTR: one thread at a time, in batches of few sizes.

    On JAX the weights belong to the compiled function while it runs, and to `fit` for as long as it
    trains: `turn` is the lock that all of them take, and its owner may take it again.

    The networks beside the LOTR are attributes of this, not of the LOTR: whenever Keras saves a
    model it reads all of its attributes, and would build them.

    Args:
        model: `LOTR`.
    """

    def __init__(self, model):
        self._model, self.turn = model, threading.RLock()

    def __repr__(self):
        return f"Keras on {keras.backend.backend()}"

    def predict_points(self, crops, flip=False, batch_size=64):
        """See `LOTR.predict_points`."""
        return self._predict(self._model, 2, crops, flip, batch_size)

    def predict_certainty(self, crops, flip=False, batch_size=64):
        """See `LOTR.predict_certainty`."""
        if self._model.certainty is None:
            raise ValueError(NO_CERTAINTY)
        with self._weights():
            found = self._predict(self._with_certainty, 6, crops, flip, batch_size)
        return found[..., :2], found[..., 2:]

    def is_calibrated(self):
        """Whether the certainty head has other factors than the ones that it was built with."""
        with self._weights():
            return bool((ops.convert_to_numpy(self._model.certainty.calibration) != 1).any())

    @cached_property
    def _with_certainty(self):
        return with_certainty(self._model)

    def _predict(self, network, columns, crops, flip, batch_size):
        """What a network (B, S, S, 3) -> (B, N, columns) gives for many crops."""
        model = self._model
        preprocessor, count = model.preprocessor, model.num_landmarks

        def padded(number):
            """A power of two, so that few shapes are ever compiled, for each of the devices."""
            size = min(batch_size, 1 << (number - 1).bit_length())
            devices = getattr(keras.distribution.distribution(), "num_model_replicas", 1)
            return -(-size // devices) * devices

        def predict_batch(crops):
            if keras.distribution.distribution() is not None:  # `predict` hands each its part
                return network.predict(crops, len(crops), verbose=0)
            # `predict` would set up a data pipeline first, which takes longer than a face.
            return np.asarray(network.predict_on_batch(crops))

        with self._weights():
            return predict_points(
                predict_batch, crops, preprocessor, count, flip, batch_size, padded, columns
            )

    def attention_maps(self, crops):
        """See `LOTR.attention_maps`."""
        crops = check_crops(np.asarray(crops), self._model.image_size)
        with self._weights():
            maps = np.asarray(self._attention.predict_on_batch(crops))
        return maps.reshape(*maps.shape[:-1], *self._model.token_grid)

    @cached_property
    def _attention(self):
        return _Attention(self._model)

    @contextmanager
    def _weights(self):
        check_process()  # first, because a forked process may have got the lock as a locked one
        with self.turn:
            if hasattr(self._model, "jax_state_sync"):  # for a callback in the midst of an epoch
                self._model.jax_state_sync()
            yield


def with_certainty(model):
    """A LOTR whose output is (B, N, 6): each landmark, the triangle of its error, whether seen."""
    certainty = model.certainty(*(model.get_layer(name).output for name in SEEN_BY_CERTAINTY))
    both = layers.Concatenate(dtype="float32")([model.output, certainty])
    return FusedModel(model.input, both, name="with_certainty")


class _Attention(keras.Model):
    """Crops (B, S, S, 3) -> attention (B, decoder layers, heads, N, tokens) of a LOTR's decoder."""

    def __init__(self, model):
        super().__init__(name="attention")
        names = ("landmark_queries", "landmark_places", "encoder_norm", "token_positions")
        inputs = [model.get_layer(name).output for name in names]
        self.inputs_of_decoder = keras.Model(model.input, inputs)
        layers = range(1, model.num_decoder_layers + 1)
        self.decoder = [model.get_layer(f"decoder{i}") for i in layers]

    def call(self, crops):
        landmarks, query_positions, memory, positions = self.inputs_of_decoder(
            crops, training=False
        )
        maps = []
        for layer in self.decoder:
            landmarks, attention = layer(
                landmarks, query_positions, memory, positions, return_attention=True
            )
            maps.append(ops.cast(attention, "float32"))
        return ops.stack(maps, axis=1)
