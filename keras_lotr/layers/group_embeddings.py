"""What differs between groups of faces with different landmarks: tables, mask, mean landmarks.

Groups are padded to N landmarks, the largest number. Each layer takes the number of each face's
group, (B,) int32.
"""

import keras
import numpy as np
from keras import layers, ops

from keras_lotr.layers.landmark_head import mean_points


@keras.saving.register_keras_serializable(package="keras_lotr")
class GroupTable(layers.Layer):
    """A learned vector for each landmark of each group; zeros until it is set.

    Args:
        groups: number of groups K.
        rows: number of landmarks N.
        dim: length D of a vector.

    Call arguments:
        group: (B,) int32, 0..K - 1.

    Returns:
        (B, N, D).
    """

    def __init__(self, groups, rows, dim, **kwargs):
        super().__init__(**kwargs)
        self.groups, self.rows, self.dim = groups, rows, dim

    def build(self, input_shape):
        shape = (self.groups, self.rows, self.dim)
        self.table = self.add_weight(shape=shape, initializer="zeros", name="table")

    def call(self, group):
        return _chosen(self.table, group)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.rows, self.dim)

    def get_config(self):
        return {
            **super().get_config(),
            "groups": self.groups,
            "rows": self.rows,
            "dim": self.dim,
        }


@keras.saving.register_keras_serializable(package="keras_lotr")
class LandmarkMask(layers.Layer):
    """Which landmarks a face has: an attention mask that leaves out the padding.

    Args:
        sizes: number of landmarks of each group.

    Call arguments:
        group: (B,) int32.

    Returns:
        (B, N, N) bool, the same in each of the N rows.
    """

    def __init__(self, sizes, **kwargs):
        super().__init__(**kwargs)
        self.sizes = list(sizes)

    def call(self, group):
        rows = max(self.sizes)
        exists = ops.arange(rows) < ops.take(ops.array(self.sizes), group)[:, None]
        return ops.broadcast_to(exists[:, None], (ops.shape(group)[0], rows, rows))

    def compute_output_spec(self, group):
        rows = max(self.sizes)
        return keras.KerasTensor((group.shape[0], rows, rows), "bool")

    def get_config(self):
        return {**super().get_config(), "sizes": self.sizes}


@keras.saving.register_keras_serializable(package="keras_lotr")
class GroupHead(layers.Layer):
    """A `LandmarkHead` whose output counts from the mean landmarks of each face's group.

    Args:
        head: `LandmarkHead`, shared with others.
        mean_shapes: (K, N, 2), mean landmarks as fractions of the crop.

    Call arguments:
        landmarks: (B, N, D).
        group: (B,) int32.

    Returns:
        (B, N, 2) float32 under every dtype policy, crop pixels.
    """

    def __init__(self, head, mean_shapes, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.head = head
        self.mean_shapes = np.asarray(mean_shapes, np.float32)

    def build(self, landmarks_shape, group_shape):
        if not self.head.built:
            self.head.build(landmarks_shape)

    def call(self, landmarks, group):
        means = _chosen(mean_points(self.mean_shapes, self.head.image_size), group)
        return means + self.head.offsets(landmarks)

    def compute_output_shape(self, landmarks_shape, group_shape):
        return (*landmarks_shape[:-1], 2)

    def get_config(self):
        return {
            **super().get_config(),
            "head": keras.saving.serialize_keras_object(self.head),
            "mean_shapes": self.mean_shapes.tolist(),
        }

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "head": keras.saving.deserialize_keras_object(config["head"])})


def _chosen(tables, group):
    """(K, N, D) and (B,) -> (B, N, D).

    A product with ones and zeros, not a gather: TensorFlow would make the slope of a gather sparse,
    and optimizers clip and average that in another way than the other backends.
    """
    tables = ops.convert_to_tensor(tables)
    chosen = ops.one_hot(group, tables.shape[0], dtype=tables.dtype)
    return ops.einsum("bk,knd->bnd", chosen, tables)
