"""Whatever a user has as an image -> (H, W, 3) uint8 RGB, upright."""

import os
from collections.abc import Mapping

from keras_lotr.images.arrays import image_of_array, is_array
from keras_lotr.images.decoding import decode, image_of_pil
from keras_lotr.images.sources import bytes_of_name, bytes_of_open_file


def read_image(source, divisor_of=None):
    """Read an image.

    An EXIF orientation is applied, so that the image is upright as viewers show it. Grey images
    become RGB, an alpha channel is dropped (the colours stay as stored), and all depths become 8
    bits. Of a file with several images, the first is taken.

    Args:
        source: one of

            - a path; "~" is the home folder
            - a URL: http(s), file or data
            - bytes of an image file, or a file that is open for reading them, also in memory: JPEG,
              PNG, WebP, BMP, GIF, TIFF, AVIF; HEIC with pillow-heif
            - a PIL image of any mode
            - an array in **RGB** order, or a tensor of TensorFlow, JAX or PyTorch: (H, W),
              (H, W, 1), (H, W, 3), (H, W, 4), or channels first as of torchvision. Of uint8;
              uint16, of which 65535 is white; bool; other integers in 0..255; floats in 0..1 or
              in 0..255, whichever nearly all of them are in. What lies a little beyond is clipped.

        divisor_of: function from the (width, height) of a JPEG file, as it is stored, to 1, 2, 4 or
            8: it is read so many times smaller. None reads all as they are.

    Returns:
        (H, W, 3) uint8 array, RGB.

    Raises:
        FileNotFoundError: no such file.
        OSError: the file cannot be read, or the URL cannot be downloaded.
        ValueError: the source is no image, is cut off or damaged, has more than 100 megapixels or
            so many scans that decoding them would take minutes, or is of a kind for which a package
            is missing; or the array has another shape or dtype.

    Example:

    >>> import numpy as np
    >>> read_image(np.ones((4, 6))).shape
    (4, 6, 3)
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return decode(bytes(source), "The content", divisor_of=divisor_of)
    if isinstance(source, str | os.PathLike):
        return decode(bytes_of_name(source), source, divisor_of=divisor_of)
    if hasattr(source, "convert") and hasattr(source, "mode"):
        return image_of_pil(source)
    if hasattr(source, "read"):
        name = getattr(source, "name", None)
        name = name if isinstance(name, str) else "the open file"
        return decode(bytes_of_open_file(source), name, divisor_of=divisor_of)
    if is_array(source):
        return image_of_array(source)
    raise ValueError(
        "Expected an image: a path, URL, bytes, open file, PIL image, or an RGB array or tensor. "
        f"Received: {type(source).__name__}"
    )


def check_several(sources):
    """Refuse what would be taken for several images: letters or rows of one, keys of a dictionary.

    Example:

    >>> check_several("a.jpg")
    Traceback (most recent call last):
    ValueError: Expected several images, as a list or another iterable. Received one, of type str:
    write [image]
    """
    if isinstance(sources, Mapping):
        raise ValueError(
            "Expected several images, as a list or another iterable. Received a dictionary: give "
            "its images as a list, and boxes of them as `boxes`"
        )
    if _is_one(sources):
        raise ValueError(
            "Expected several images, as a list or another iterable. Received one, of type "
            f"{type(sources).__name__}: write [image]"
        )


def is_several(source):
    """Whether it is an iterable of images, such as an array of four axes, and not one image.

    Raises:
        ValueError: it is a dictionary, whose keys would be taken for images.

    Example:

    >>> is_several(["a.jpg", "b.jpg"]), is_several("a.jpg")
    (True, False)
    """
    if isinstance(source, Mapping):
        raise ValueError(
            "Expected an image or several of them. Received a dictionary: give its values, "
            "list(images.values())"
        )
    return not _is_one(source) and hasattr(source, "__iter__")


def _is_one(source):
    one = isinstance(source, str | os.PathLike | bytes | bytearray | memoryview)
    if one or hasattr(source, "read") or hasattr(source, "convert"):
        return True
    return is_array(source) and getattr(source, "ndim", 0) < 4
