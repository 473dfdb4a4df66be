"""The `keras-lotr` command; its subcommands are in modules of their own."""

from keras_lotr.lazy import lazy_names

__getattr__, __dir__ = lazy_names(__name__, {"commands": ("main",)})
