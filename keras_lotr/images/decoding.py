"""The bytes of an image file -> (H, W, 3) uint8 RGB, upright.

OpenCV decodes all that it can. Pillow does what is left, the kinds of TIFF that OpenCV does not
know and AVIF, and pillow-heif HEIC: they are extras.
"""

import io
import warnings

import cv2
import numpy as np

from keras_lotr.images.arrays import scaled_to_uint8
from keras_lotr.images.header import claimed_size, is_whole_jpeg, kind_of
from keras_lotr.images.names import KINDS, shortened
from keras_lotr.images.orientation import exif_orientation, has_boxes

MAX_PIXELS = 100_000_000
_EXTRA = "pip install 'keras-lotr[heic]'"


def decode(data, name):
    """The image in the bytes of a file; of several frames the first.

    Args:
        data: bytes.
        name: what errors call it.

    Raises:
        ValueError: no image of a known kind, cut off, damaged, more than 100 megapixels, or of a
            kind for which a package is missing.
    """
    name = shortened(name)
    if not data:
        raise ValueError(f"Expected an image ({KINDS}). {name} is empty.")
    kind, size = kind_of(data), claimed_size(data)
    if size is None:
        raise ValueError(f"Expected an image ({KINDS}). {name} is of another kind or cut off.")
    check_pixels(size, name)
    if kind == "JPEG" and not is_whole_jpeg(data):
        raise ValueError(
            f"Expected an image ({KINDS}). {name} is cut off or damaged: it has no end."
        )
    if kind in ("HEIC", "AVIF"):
        return _by_pillow(data, kind, name)
    image = _by_opencv(data, kind)
    if image is None and kind == "TIFF":
        image = _by_pillow(data, kind, name)
    if image is None:
        raise ValueError(f"Expected an image ({KINDS}). {name} is cut off or damaged.")
    return image


def check_pixels(size, name):
    """Refuse an image that would take gigabytes.

    Args:
        size: width and height.
        name: what the error calls it.
    """
    width, height = size
    if width * height > MAX_PIXELS:
        raise ValueError(
            f"Expected an image of at most {MAX_PIXELS:,} pixels. {name} says {width} x {height}: "
            "make it smaller, or read it yourself and give the array."
        )


def image_of_pil(image, name="the PIL image"):
    """A PIL image of any mode, upright.

    Raises:
        ValueError: cut off, damaged, more than 100 megapixels, or of a mode without colours.
    """
    from PIL import ImageOps

    check_pixels(image.size, name)
    try:
        image.load()  # a file that was opened is decoded only now
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(
            f"Expected an image ({KINDS}). {name} is cut off or damaged: {error}"
        ) from None
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):  # PIL's own conversion cuts 16 bits off at 255
        return _three_channels(np.asarray(image).astype(np.uint16))
    if image.mode in ("I", "F"):
        return _three_channels(np.asarray(image))
    if image.mode in ("La", "RGBa"):  # colours that were multiplied by alpha
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    return np.array(image.convert("RGB"))


def _by_opencv(data, kind):
    """The image, or None."""
    # TIFF in its own depth, in OpenCV's own order: asked for RGB, it mixes 16 bits up.
    deep = kind == "TIFF"
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH if deep else cv2.IMREAD_COLOR_RGB
    try:
        # From memory OpenCV refuses a file that is cut off; from a file it fills up with grey.
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    if image is None or not deep:
        return image
    return np.ascontiguousarray(scaled_to_uint8(image, of_file=True)[..., ::-1])


def _by_pillow(data, kind, name):
    try:
        from PIL import ExifTags, Image

        if kind == "HEIC":
            from pillow_heif import HeifImagePlugin  # noqa: F401 (Pillow opens HEIC from now on)
    except ImportError as error:
        raise ValueError(
            f"Expected an image that OpenCV reads. {name} is {kind}, which needs {error.name}: "
            f"{_EXTRA}"
        ) from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of headers that are cut: the error says it
        try:
            image = Image.open(io.BytesIO(data))
        except Exception:  # Pillow's readers have many for what is cut off or damaged
            raise ValueError(
                f"Expected an image ({KINDS}). {name} is {kind} and cut off, damaged, or of a "
                "variant that neither OpenCV nor Pillow reads."
            ) from None
        if kind != "TIFF" and not has_boxes(data):  # only then does EXIF turn HEIC and AVIF
            image.getexif()[ExifTags.Base.Orientation] = exif_orientation(data)
        return image_of_pil(image, name)


def _three_channels(array):
    return np.dstack([scaled_to_uint8(array, of_file=True)] * 3)
