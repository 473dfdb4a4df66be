"""`config.json` of a preset: the arguments of a network, read from anybody and written."""

import keras

from keras_lotr.configured_model import dtype_policy
from keras_lotr.number_checks import whole
from keras_lotr.presets import checks
from keras_lotr.presets.files import CONFIG, kind_of
from keras_lotr.presets.saving import saved_shapes
from keras_lotr.presets.weights import count_numbers

FORMAT_VERSION = 1


def is_of(kind, cls):
    """Whether presets of this `PresetFiles.kind` are of the class or of one that it comes from."""
    ours = [c for c in cls.__mro__ if not c.__module__.startswith("keras.") and c is not object]
    names = [keras.saving.get_registered_name(c) for c in ours]
    return kind in names


def read_config(files, cls):
    """The arguments of the model of a preset, from a config that may be loaded."""
    config = files.json(CONFIG)
    if config is None:
        raise ValueError(f"Expected a preset. {files.name} has no {CONFIG}.")
    kind = kind_of(config)
    if not is_of(kind, cls):
        raise ValueError(
            f"Expected a {cls.__name__} in {files.name}/{CONFIG}. Received: {kind}; load it "
            "with the from_preset of that class."
        )
    version = whole(config.get("format_version", 0))
    if version is None:
        raise ValueError(
            f"{files.name}/{CONFIG} is not valid: its format_version is no whole number."
        )
    if version > FORMAT_VERSION:
        raise ValueError(
            f"{files.name} was made by a newer keras-lotr: update it to load this preset."
        )
    own = keras.saving.get_registered_name(cls) == config["registered_name"]
    # The class itself is the caller's, whoever registered it; what it is made of is looked at.
    checks.check_config(config["config"] if own and "config" in config else config, files.name)
    if not isinstance(config.get("config"), dict):
        raise ValueError(f"{files.name}/{CONFIG} is not valid: it has no arguments.")
    return config["config"]


def build(cls, config, files, dtype=None, weights=None):
    """The network of a preset, with the weights that it starts with.

    Args:
        cls: class of the network.
        config: its arguments.
        files: `PresetFiles`. What does not come with the library is planned before it is built.
        dtype: dtype policy instead of the config's; None: the config's, or Keras' own.
        weights: the file that is to fill it, so that it cannot be much larger than that; None: no
            larger than `MAX_WEIGHTS_WITHOUT_FILE`.
    """
    if dtype is not None:
        config = {**_without_dtypes(config), "dtype": dtype}
    most = checks.MAX_WEIGHTS_WITHOUT_FILE
    if weights is not None:
        most = min(most, 2 * count_numbers(weights) + 2**22)

    def network():
        with dtype_policy(dtype):
            return cls.from_config(config)

    def floats():
        return cls.from_config({k: v for k, v in config.items() if k != "layer_settings"})

    try:
        if not files.shipped:
            checks.check_size(floats, most, files.name)
        return network()
    except (LookupError, TypeError, AttributeError, RuntimeError) as error:  # Keras has many
        raise ValueError(f"{files.name}/{CONFIG} is not valid: {repr(error)[:500]}") from None


def _without_dtypes(config):
    """A config whose layers have no dtype policy of their own, but for quantized ones."""
    if isinstance(config, list):
        return [_without_dtypes(value) for value in config]
    if not isinstance(config, dict):
        return config
    return {
        key: _without_dtypes(value)
        for key, value in config.items()
        if not (
            key == "dtype" and isinstance(value, dict) and value.get("class_name") == "DTypePolicy"
        )
    }


def config_of(model, plain=False):
    """The content of `config.json` of a model.

    Args:
        model: the model.
        plain: leave out what is frozen, and dtype policies.
    """
    config = keras.saving.serialize_keras_object(model)
    config |= _names_for(type(model))
    _strip(config)
    if plain:
        config = _without_dtypes(config)
        _thaw(config)
    arguments = config["config"]
    arguments.pop("preprocessor", None)  # it has a file of its own, which is read without Keras
    for part in (arguments, arguments.get("backbone", {}).get("config", {})):
        if part.get("dtype", {}).get("config") == {"name": "float32"}:
            del part["dtype"]  # then the preset follows the user's own policy
    return {"format_version": FORMAT_VERSION, **config}


def _names_for(cls):
    """Under which names a config is saved, where it is not that of the class itself.

    A subclass that adds nothing to the config of ours but, say, a way of training is saved as ours,
    so that whatever loads presets can use it.
    """
    of_config = {"__init__", "get_config", "from_config"}
    maker = next(c for c in cls.__mro__ if of_config & vars(c).keys())
    if maker is cls or not maker.__module__.startswith("keras_lotr."):
        return {}
    names = {"class_name": maker.__name__, "module": maker.__module__}
    return {**names, "registered_name": keras.saving.get_registered_name(maker)}


def check_loadable(model, content):
    """Refuse a model whose weights would not fit the network that its config builds.

    Raises:
        ValueError: naming what differs.
    """
    shapes = saved_shapes(model)
    if getattr(model, "_loadable", None) == shapes:  # a training saves it again and again
        return
    arguments = content["config"]
    try:
        checks.check_config(arguments, model.name)
        planned = checks.planned_weights(lambda: type(model).from_config(arguments))
    except (checks.RefusedClass, TypeError) as error:  # Keras': a class that is not registered
        raise ValueError(_not_for_presets(model, error)) from None
    lost = sorted(key for key in {*shapes, *planned} if shapes.get(key) != planned.get(key))
    if lost:
        raise ValueError(
            f"Expected a model that can be loaded again. {model.name} has other weights than the "
            f"network that its config builds: {', '.join(lost[:3])}{', ...' * (len(lost) > 3)}."
        )
    model._loadable = shapes


def _not_for_presets(model, error):
    """Which layers of a model no preset can hold, in a sentence, and what keeps them."""
    kinds = [type(layer) for layer in model._flatten_layers(include_self=False)]
    others = {
        kind.__name__
        for kind in kinds
        if kind.__module__.split(".")[0] not in checks.LIBRARIES or kind.__name__ in checks.REFUSED
    }
    received = ", ".join(sorted(others)) or " ".join(str(error).split())[:200]
    return (
        "Expected a model of layers of keras and keras_lotr and backbones of keras_hub, none of "
        "which runs code or reads files, such as Lambda: presets hold no others. Received: "
        f"{received}, in {model.name}; model.save('model.keras') keeps such layers."
    )


def _thaw(config):
    """Make all layers trainable."""
    if isinstance(config, list):
        for value in config:
            _thaw(value)
    elif isinstance(config, dict):
        config.pop("layer_settings", None)
        if config.get("trainable") is False:
            config["trainable"] = True
        for value in config.values():
            _thaw(value)


def _strip(config):
    """Leave out how the model was built and compiled: a preset is numbers, not a session."""
    if isinstance(config, list):
        for value in config:
            _strip(value)
    elif isinstance(config, dict):
        for key in ("build_config", "compile_config", "lora_rank", "lora_alpha"):
            config.pop(key, None)  # adapters are saved within their kernels
        for value in config.values():
            _strip(value)
