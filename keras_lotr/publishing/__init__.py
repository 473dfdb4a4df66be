"""Presets for others: model cards, and the Hugging Face Hub."""

from keras_lotr.lazy import lazy_names

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "publish": ("prepare", "push_to_hub"),
    },
)
