"""A functional network whose config is its constructor's arguments, and what was set afterwards.

Keras lists every layer of a functional model in its config. A network that is built from a few
numbers keeps these instead; what a user sets later on single layers (frozen, quantized) would be
lost with the list, so it is kept beside the numbers.
"""

from contextlib import contextmanager

import keras

from keras_lotr.arguments import checked_policy, checked_trainable
from keras_lotr.fused.graph import FusedModel


class ConfiguredModel(FusedModel):
    """Base of LOTR, its backbones and the face detector's network.

    A subclass builds its layers within `dtype_policy(dtype)`, calls this constructor, and adds its
    own arguments to `get_config`.

    Args:
        inputs, outputs, name: as of `keras.Model`.
        dtype: dtype policy of the layers; None: Keras' own.
        trainable: False freezes all layers.
    """

    def __init__(self, inputs, outputs, name=None, dtype=None, trainable=True):
        policy, trainable = checked_policy(dtype), checked_trainable(trainable)
        super().__init__(inputs, outputs, name=name)
        self.dtype_policy = policy
        if not trainable:
            self.trainable = False

    def get_config(self):
        config = {
            "name": self.name,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            "trainable": self.trainable,
        }
        settings = layer_settings(self)
        return {**config, "layer_settings": settings} if settings else config

    @classmethod
    def from_config(cls, config):
        settings = config.get("layer_settings", {})
        model = cls(**{k: v for k, v in config.items() if k != "layer_settings"})
        apply_layer_settings(model, settings)
        return model


def layer_settings(model):
    """What was set on single layers of a network after it was built.

    Args:
        model: `ConfiguredModel`.

    Returns:
        {path of a layer: {"trainable": bool} or {"quantization": mode}}: layers that are trained
        or frozen otherwise than what they are part of, and layers whose weights were quantized.
    """
    settings = {}

    def visit(layer, path, trainable):
        if path:
            found = {} if layer.trainable == trainable else {"trainable": layer.trainable}
            mode = getattr(layer.dtype_policy, "quantization_mode", None)
            if mode is not None:
                found["quantization"] = mode
            if found:
                settings[path] = found
        for child in _parts(layer):
            visit(child, f"{path}/{child.name}".lstrip("/"), layer.trainable)
        for child in _beside(layer):  # what is trained of it is its model's affair
            visit(child, f"{path}/{child.name}".lstrip("/"), child.trainable)

    visit(model, "", model.trainable)
    return settings


def apply_layer_settings(model, settings):
    """Set on a network what `layer_settings` found.

    Raises:
        ValueError: the network has no such layer.
    """
    if not settings:
        return
    by_path = {}

    def visit(layer, path):
        by_path[path] = layer
        for child in (*_parts(layer), *_beside(layer)):
            visit(child, f"{path}/{child.name}".lstrip("/"))

    visit(model, "")
    for path, found in settings.items():
        if path not in by_path:
            raise ValueError(f"Expected settings of layers of {model.name}. It has no {path!r}.")
        if "trainable" in found:
            by_path[path].trainable = found["trainable"]
        if "quantization" in found:
            by_path[path].quantize(found["quantization"])


def _parts(layer):
    """The layers that a layer is made of, but for those of a backbone, which has its own config."""
    backbone = getattr(layer, "backbone", None)
    if backbone is not None:
        theirs = {id(part) for part in backbone.layers}
        return [part for part in layer.layers if id(part) not in theirs]
    return layer.layers if isinstance(layer, keras.Model) else layer._layers


def _beside(layer):
    """The layers of a model that are not in its graph, such as a second head."""
    if not isinstance(layer, keras.Model):
        return []
    known = {id(part) for part in (*layer.layers, getattr(layer, "backbone", None))}
    tracked = layer._flatten_layers(include_self=False, recursive=False)
    return [part for part in tracked if id(part) not in known]


@contextmanager
def dtype_policy(dtype):
    """Layers that are built meanwhile have this dtype policy; None: Keras' own."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(checked_policy(dtype))
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
