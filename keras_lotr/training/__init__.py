"""Training: recipes, starting models, the run and what it keeps."""

from keras_lotr.lazy import lazy_names

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "training": ("build", "train"),
        "recipe": ("Recipe",),
    },
)
