"""`Recipe` under its former address."""

from keras_lotr.training.recipe import Recipe

__all__ = ["Recipe"]
