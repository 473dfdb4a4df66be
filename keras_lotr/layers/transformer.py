"""Fig. 1, the Transformer: DETR's encoder and decoder (Carion et al., ECCV 2020), except that

- layer norm comes first in each sub-layer (pre-norm), with one more at the end of each stack: the
  paper does not say which, and with norm last training here did not leave the mean shape;
- landmarks have positions too, added to their queries and keys as DETR adds its object queries; the
  paper's learned landmark queries are the decoder's input;
- query and key projections of the cross-attention start as the same scaled identity, so that each
  landmark begins by looking at its own place (`tables.py`).

Positions are added to queries and keys only, never to values.
"""

import keras
import numpy as np
from keras import layers, ops

from keras_lotr.fused import torch_layers


class ScaledIdentity(keras.initializers.Initializer):
    """Initialiser of a projection (D, heads, D / heads): the identity times a number."""

    def __init__(self, scale):
        self.scale = scale

    def __call__(self, shape, dtype=None):
        return ops.cast(self.scale * np.eye(shape[0], dtype=np.float32).reshape(shape), dtype)


class _TransformerLayer(layers.Layer):
    """What encoder and decoder layers share: their numbers, and the feed-forward sub-layer."""

    def __init__(self, dim, num_heads, ffn_dim, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.dim, self.num_heads, self.ffn_dim, self.dropout = dim, num_heads, ffn_dim, dropout
        self.self_attention = self._attention("self_attention")
        self.self_attention_norm = self._norm("self_attention_norm")
        self.ffn_norm = self._norm("ffn_norm")
        self.ffn1 = layers.Dense(
            ffn_dim, "relu", kernel_initializer="he_normal", dtype=self.dtype_policy, name="ffn1"
        )
        self.ffn2 = layers.Dense(dim, dtype=self.dtype_policy, name="ffn2")
        self.drop = layers.Dropout(dropout, dtype=self.dtype_policy, name="drop")

    def _norm(self, name):
        return layers.LayerNormalization(epsilon=1e-6, dtype=self.dtype_policy, name=name)

    def _attention(self, name):
        return layers.MultiHeadAttention(
            self.num_heads,
            self.dim // self.num_heads,
            dropout=self.dropout,
            dtype=self.dtype_policy,
            name=name,
        )

    def _attend_to_self(self, x, positions, mask=None):
        y = torch_layers.layer_norm(self.self_attention_norm, x)
        place = y + positions
        attended = torch_layers.attention(self.self_attention, place, place, y, mask)
        return x + self._drop(attended)

    def _feed_forward(self, x):
        y = torch_layers.layer_norm(self.ffn_norm, x)
        y = torch_layers.dense(self.ffn1, y)
        return x + self._drop(torch_layers.dense(self.ffn2, y))

    def _drop(self, x):
        return self.drop(x) if self.dropout else x

    def get_config(self):
        return {
            **super().get_config(),
            "dim": self.dim,
            "num_heads": self.num_heads,
            "ffn_dim": self.ffn_dim,
            "dropout": self.dropout,
        }


@keras.saving.register_keras_serializable(package="keras_lotr")
class EncoderLayer(_TransformerLayer):
    """Self-attention among tokens, then a feed-forward network.

    Args:
        dim: width D of the tokens.
        num_heads: attention heads; divides D.
        ffn_dim: hidden width of the feed-forward network.
        dropout: rate inside the sub-layers.

    Call arguments:
        tokens: (B, T, D).
        positions: (B, T, D).

    Returns:
        (B, T, D).
    """

    def build(self, tokens_shape, positions_shape):
        self.self_attention.build(tokens_shape, tokens_shape, tokens_shape)
        _build_feed_forward(self, tokens_shape)

    def call(self, tokens, positions):
        return self._feed_forward(self._attend_to_self(tokens, positions))

    def compute_output_shape(self, tokens_shape, positions_shape):
        return tokens_shape


@keras.saving.register_keras_serializable(package="keras_lotr")
class DecoderLayer(_TransformerLayer):
    """Self-attention among landmarks, attention of landmarks to tokens, feed-forward network.

    Args:
        dim, num_heads, ffn_dim, dropout: as in `EncoderLayer`.
        identity_scale: what the query and key projections of the cross-attention start as, times
            the identity.

    Call arguments:
        landmarks: (B, N, D).
        query_positions: (B, N, D), positions of the landmarks.
        memory: (B, T, D), the encoder's output.
        positions: (B, T, D), positions of the tokens.
        attention_mask: (B, N, N) bool, which landmarks (last axis) each landmark attends to in the
            self-attention; None: all.
        return_attention: also return the cross-attention, (B, heads, N, T).

    Returns:
        (B, N, D).
    """

    def __init__(self, dim, num_heads, ffn_dim, dropout=0.0, identity_scale=2.0, **kwargs):
        super().__init__(dim, num_heads, ffn_dim, dropout, **kwargs)
        self.identity_scale = identity_scale
        self.cross_attention = self._attention("cross_attention")
        self.cross_attention_norm = self._norm("cross_attention_norm")

    def build(self, landmarks_shape, query_positions_shape, memory_shape, positions_shape):
        self.self_attention.build(landmarks_shape, landmarks_shape, landmarks_shape)
        self.cross_attention.build(landmarks_shape, memory_shape, memory_shape)
        self.cross_attention_norm.build(landmarks_shape)
        start = ScaledIdentity(self.identity_scale)
        for projection in (self.cross_attention.query_dense, self.cross_attention.key_dense):
            projection.kernel.assign(start(projection.kernel.shape, "float32"))
        _build_feed_forward(self, landmarks_shape)

    def call(
        self,
        landmarks,
        query_positions,
        memory,
        positions,
        attention_mask=None,
        return_attention=False,
    ):
        x = self._attend_to_self(landmarks, query_positions, attention_mask)
        query = torch_layers.layer_norm(self.cross_attention_norm, x) + query_positions
        key, value, attend = memory + positions, memory, self.cross_attention
        if return_attention:
            y, attention = attend(query, value, key, return_attention_scores=True)
            return self._feed_forward(x + self._drop(y)), attention
        return self._feed_forward(x + self._drop(torch_layers.attention(attend, query, key, value)))

    def compute_output_shape(
        self, landmarks_shape, query_positions_shape, memory_shape, positions_shape
    ):
        return landmarks_shape

    def compute_output_spec(
        self,
        landmarks,
        query_positions,
        memory,
        positions,
        attention_mask=None,
        return_attention=False,
    ):
        x = keras.KerasTensor(landmarks.shape, self.compute_dtype)
        if not return_attention:
            return x
        shape = (landmarks.shape[0], self.num_heads, landmarks.shape[1], memory.shape[1])
        return x, keras.KerasTensor(shape, self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "identity_scale": self.identity_scale}


def _build_feed_forward(layer, shape):
    layer.self_attention_norm.build(shape)
    layer.ffn_norm.build(shape)
    layer.ffn1.build(shape)
    layer.ffn2.build((*shape[:-1], layer.ffn_dim))
