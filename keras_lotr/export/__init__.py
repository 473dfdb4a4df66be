"""Models in files of other runtimes, each compared with the model before it is kept."""

from keras_lotr.lazy import lazy_names

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "exporter": ("export",),
    },
)
