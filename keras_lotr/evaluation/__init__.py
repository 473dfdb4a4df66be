"""How good landmarks are: errors of a data set, tables, figures, cost."""

from keras_lotr.lazy import lazy_names

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "evaluation": ("evaluate", "measure", "summary"),
    },
)
