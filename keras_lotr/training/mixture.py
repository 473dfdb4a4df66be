"""One network for several landmark orders: all but the landmarks' own tables is shared.

A LOTR has one query per landmark, and nothing else in it depends on their number. So faces with
different landmarks can train one backbone, encoder, decoder and head. Each group of faces has its
own queries, positions and mean shape; afterwards each group's model is a plain `LOTR`.
"""

import copy
from dataclasses import dataclass, field, replace

import keras
import numpy as np
from keras import ops

from keras_lotr.fused.graph import FusedModel
from keras_lotr.layers.group_embeddings import GroupHead, GroupTable, LandmarkMask
from keras_lotr.layers.mean_shape import TABLES, checked_mean_shape, nearest_rows
from keras_lotr.lotr import LOTR
from keras_lotr.presets.weights import named_weights
from keras_lotr.schemes import named_scheme, scheme_config


@dataclass(frozen=True)
class Group:
    """Landmarks of one order and one definition, and what they start as.

    Attributes:
        name: unique in the mixture.
        scheme: name of the landmark scheme.
        mean_shape: (N, 2), mean landmarks as fractions of the crop.
        tables: (N, D) arrays by their keys (`mean_shape.TABLES`).
        landmarks_in_box: of the `Preprocessor`.
    """

    name: str
    scheme: str
    mean_shape: np.ndarray
    tables: dict = field(repr=False)
    landmarks_in_box: tuple | None = None

    @classmethod
    def of_model(cls, name, model):
        """The landmarks of a `LOTR` as they are."""
        named = named_weights(model)
        tables = {key: ops.convert_to_numpy(named[key].value) for key in TABLES}
        preprocessor = model.preprocessor
        part = preprocessor.landmarks_in_box
        return cls(name, preprocessor.scheme, model.mean_shape, tables, part)

    def as_scheme(self, scheme, mean_shape):
        """Landmarks of another scheme, each of which starts as the nearest of these.

        Args:
            scheme: the other scheme.
            mean_shape: (N, 2), its mean landmarks as fractions of the crop.
        """
        mean_shape = checked_mean_shape(mean_shape, len(mean_shape))
        dim = self.tables[TABLES[0]].shape[1]
        tables = nearest_rows(mean_shape, dim, self.mean_shape, self.tables)
        return replace(self, scheme=scheme, mean_shape=mean_shape, tables=tables)


@keras.saving.register_keras_serializable(package="keras_lotr")
class LOTRMixture(keras.Model):
    """Crops (B, S, S, 3) and the number of each face's group (B,) -> landmarks (B, N_max, 2).

    All groups are padded to N_max, the largest number of landmarks, so that faces of several groups
    share a batch of one shape. What a face has beyond its group's landmarks means nothing.

    Args:
        trunk: `LOTR`; the mixture reuses its layers, so that training the one trains the other.
        groups: list of `Group`; their order is that of the numbers.

    Example:

    >>> import numpy as np
    >>> from keras_lotr.backbones.mobilenet_v2 import MobileNetV2
    >>> trunk = LOTR(MobileNetV2(image_size=64), num_landmarks=68)
    >>> all_of_them = Group.of_model("all", trunk)
    >>> few = replace(all_of_them.as_scheme("plain5", trunk.mean_shape[:5]), name="few")
    >>> mixture = LOTRMixture(trunk, [all_of_them, few])
    >>> mixture.output_shape
    (None, 68, 2)
    >>> mixture.predict_points(np.zeros((2, 64, 64, 3)), "few").shape
    (2, 5, 2)
    >>> mixture.model_of("few").output_shape                            # a plain LOTR
    (None, 5, 2)
    """

    layer_prefix = LOTR.layer_prefix  # the trunk's layers are this model's

    def __init__(self, trunk, groups, name="lotr_mixture"):
        sizes = [len(group.mean_shape) for group in groups]
        rows, dim = max(sizes), trunk.get_layer("landmark_queries").dim
        head = trunk.get_layer("head")

        # === Functional model: as `LOTR`, with tables, mask and mean landmarks of the group ===
        images, group = trunk.inputs[0], keras.Input((), dtype="int32", name="group")
        memory = trunk.get_layer("encoder_norm").output
        positions = trunk.get_layer("token_positions").output
        tables = {key: GroupTable(len(groups), rows, dim, name=key.split("/")[0]) for key in TABLES}
        landmarks, query_positions = (table(group) for table in tables.values())
        mask = LandmarkMask(sizes, name="landmark_mask")(group)
        for i in range(trunk.num_decoder_layers):
            layer = trunk.get_layer(f"decoder{i + 1}")
            landmarks = layer(landmarks, query_positions, memory, positions, attention_mask=mask)
        landmarks = trunk.get_layer("decoder_norm")(landmarks)
        mean_shapes = _padded([group.mean_shape for group in groups])
        points_crop = GroupHead(head, mean_shapes, name="group_head")(landmarks, group)
        super().__init__([images, group], points_crop, name=name)

        for key, table in tables.items():
            table.table.assign(_padded([group.tables[key] for group in groups]))
        self.backbone = trunk.backbone
        self.preprocessor = trunk.preprocessor
        self.trunk_config = trunk.get_config()
        self.groups = [replace(group, tables={}) for group in groups]  # the weights have them

    def by_group(self):
        """This model with an output for each group: {name: (B, N, 2)}, for training.

        The losses and metrics of a group leave out the faces of others, whose labels are NaN.
        """
        points = {g.name: self.output[:, : len(g.mean_shape)] for g in self.groups}
        model = FusedModel(self.inputs, points, name="by_group")
        model.backbone = self.backbone
        return model

    def number_of(self, name):
        """The number of the group of this name.

        Raises:
            ValueError: there is none.
        """
        names = [group.name for group in self.groups]
        if name not in names:
            raise ValueError(f"Expected a group, one of {names}. Received: {name!r}")
        return names.index(name)

    def predict_points(self, crops, name, batch_size=64):
        """Landmarks of crops, all of one group.

        Args:
            crops: (F, S, S, 3), RGB 0..255.
            name: of the group.
            batch_size: crops in memory of the backend at a time.

        Returns:
            (F, N, 2) float32 array, crop pixels.
        """
        number = self.number_of(name)
        group = np.full(batch_size, number, np.int32)
        # Batches of one size are compiled once.
        padded = np.concatenate(
            [crops, np.zeros_like(crops[:1]).repeat(-len(crops) % batch_size, 0)]
        )
        found = [
            self.predict_on_batch([x, group]) for x in np.split(padded, len(padded) // batch_size)
        ]
        return np.concatenate(found)[: len(crops), : len(self.groups[number].mean_shape)]

    def model_of(self, name):
        """The plain `LOTR` of a group with the weights of now, which shares nothing with this."""
        group = self.groups[self.number_of(name)]
        config = copy.deepcopy(self.trunk_config)  # Keras empties what it reads
        preprocessor = replace(
            self.preprocessor, scheme=group.scheme, landmarks_in_box=group.landmarks_in_box
        )
        config |= {"num_landmarks": len(group.mean_shape), "mean_shape": group.mean_shape}
        model = LOTR.from_config({**config, "preprocessor": preprocessor})
        self.copy_weights(name, model)
        return model

    def copy_weights(self, name, model):
        """Give the weights of now to a model that `model_of` made of this group earlier."""
        number = self.number_of(name)
        count, own = len(self.groups[number].mean_shape), named_weights(self)
        for key, variable in named_weights(model).items():
            value = ops.convert_to_numpy(own[key].value)
            variable.assign(value[number, :count] if key in TABLES else value)

    def get_config(self):
        names = ("name", "landmarks_in_box")
        groups = [
            {name: getattr(group, name) for name in names}
            | {"scheme": scheme_config(group.scheme)}
            | {"mean_shape": group.mean_shape.astype(float).tolist()}
            for group in self.groups
        ]
        trunk = copy.deepcopy(dict(self.trunk_config))
        return {"name": self.name, "trunk": trunk, "groups": groups}

    @classmethod
    def from_config(cls, config):
        trunk = LOTR.from_config(config["trunk"])
        width = trunk.get_layer("landmark_queries").dim
        groups = []
        for entry in config["groups"]:
            mean_shape = np.array(entry["mean_shape"], np.float32)
            unset = dict.fromkeys(TABLES, np.zeros((len(mean_shape), width), np.float32))
            part = entry.get("landmarks_in_box")  # a file of before has none
            scheme = named_scheme(entry["scheme"])
            groups.append(Group(entry["name"], scheme, mean_shape, unset, part))
        return cls(trunk, groups, name=config["name"])


def _padded(arrays):
    """Arrays (N, D) of different N as one (K, N_max, D), zeros behind."""
    rows = max(len(array) for array in arrays)
    return np.stack([np.pad(array, ((0, rows - len(array)), (0, 0))) for array in arrays])
