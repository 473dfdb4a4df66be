"""Images: reading them, what their files' headers say, and drawing on them."""

from keras_lotr.images.reading import read_image

__all__ = ["read_image"]
