"""What a preset from a stranger may ask for: known layers, and no more memory than its files fill.

A config names classes and sizes, and Keras would import the one and allocate the other before the
weights are read. So both are looked at before anything is built.
"""

import math
from concurrent.futures import ThreadPoolExecutor

import keras

from keras_lotr.presets.weights import named_weights
from keras_lotr.seeds import seeded

LIBRARIES = ("keras", "keras_lotr", "keras_hub")  # whose layers presets hold
MAX_WEIGHTS_WITHOUT_FILE = 2**28  # twice those of the paper's largest network

# No number of a config is larger, whatever it counts; these in particular are not.
_LARGEST = 2**16
_LONGEST_TEXT = 1000  # of a name, an activation and the like
_LIMITS = {"num_landmarks": 10_000, "num_encoder_layers": 64, "num_decoder_layers": 64}
# Attention starts as a matrix of this side; "channels" is the former name of projection_dim.
_LIMITS |= dict.fromkeys(("projection_dim", "channels", "deconv_filters"), 4096)

# Layers of Keras that run code or read files which a config gives them.
REFUSED = {
    *("Lambda", "__lambda__", "__typespec__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer"),
    *("FlaxLayer", "TextVectorization", "StringLookup", "IntegerLookup", "IndexLookup"),
}


class RefusedClass(ValueError):
    """A config asks for a class that presets must not hold."""


def check_config(config, name, key=None):
    """Refuse classes that are not layers of Keras, keras_hub or this library, and absurd sizes.

    Args:
        config: content of a `config.json`.
        name: of the preset.
        key: under which this part of the config stands.

    Raises:
        ValueError: naming what is refused.
    """
    limit = _LIMITS.get(key, _LARGEST)
    if isinstance(config, list):
        for value in config:
            check_config(value, name, key)
    elif isinstance(config, dict):
        if "class_name" in config:
            _check_class(config, name)
        for part, value in config.items():
            check_config(value, name, part)
    elif isinstance(config, str) and len(config) > _LONGEST_TEXT:
        raise ValueError(
            f"Refused to load {name}: its config has a text of {len(config):,} letters as {key}; "
            f"at most {_LONGEST_TEXT} are allowed."
        )
    elif isinstance(config, int) and abs(config) > limit and key != "seed":
        raise ValueError(
            f"Refused to load {name}: its config asks for {key}={config}; at most {limit} is "
            "allowed."
        )


def _check_class(config, name):
    module, class_name = str(config.get("module") or "keras"), config["class_name"]
    registered = str(config.get("registered_name") or class_name)
    package = registered.split(">")[0] if ">" in registered else None
    known = module.split(".")[0] in (*LIBRARIES, "builtins")
    known &= package in (None, "keras_lotr", "keras_hub") and class_name not in REFUSED
    if package is None:
        known &= registered == class_name or class_name == "function"
    if "keras_hub" in (module.split(".")[0], package):  # its tokenizers read files
        known &= str(class_name).endswith("Backbone") and registered.endswith("Backbone")
    if not known:
        raise RefusedClass(
            f"Refused to load {name}: its config asks for {repr(class_name)[:100]} of "
            f"{repr(module)[:100]}. Presets "
            "may use layers of keras and keras_lotr and backbones of keras_hub, and none that runs "
            "code or reads files, such as Lambda."
        )


# === Memory ===
def planned_weights(build):
    """{key: shape} of the weights of a network that is planned only; nothing is allocated.

    Keras gives variables no values within a stateless scope. It keeps a list of those that still
    lack one for each thread, so the plan is made in a thread of its own, which takes it along.

    Args:
        build: function without arguments that makes the network.
    """

    def plan():
        # Layers draw seeds when they are made; the user's numbers are not to depend on a plan.
        with seeded(0), keras.StatelessScope(initialize_variables=False):
            return {key: tuple(v.shape) for key, v in named_weights(build()).items()}

    with ThreadPoolExecutor(1) as threads:
        return threads.submit(plan).result()


def check_size(build, most, name):
    """Refuse a network whose weights are more numbers than that, before they are allocated.

    Args:
        build: function without arguments that makes the network.
        most: how many numbers its weights may have.
        name: of the preset.
    """
    count = sum(math.prod(shape) for shape in planned_weights(build).values())
    if count > most:
        raise ValueError(
            f"Refused to load {name}: its config asks for a much larger network than its weights "
            f"fill ({count:,} numbers, at most {most:,} are allowed)."
        )
