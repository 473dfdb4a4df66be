"""The bytes of an image file -> (H, W, 3) uint8 RGB, upright.

Pillow measures every file before it is decoded, and decodes it, too, so that what was measured is
what is allocated. The usual JPEG, PNG and WebP files, in which nothing can be read in two ways, are
decoded by OpenCV, which is faster.
"""

import cv2
import numpy as np

from keras_lotr.images.arrays import scaled_to_uint8
from keras_lotr.images.header import kind_of, opened
from keras_lotr.images.names import KINDS, shortened
from keras_lotr.images.orientation import ORIENTATION, exif_orientation, has_boxes, upright
from keras_lotr.images.plain import is_plain, plain_tiff_size, problem_of

MAX_PIXELS = 100_000_000
_FLAGS = {  # OpenCV's flags for reduced colour images say BGR, those for grey ones leave it open
    1: cv2.IMREAD_COLOR_RGB,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2 | cv2.IMREAD_COLOR_RGB,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4 | cv2.IMREAD_COLOR_RGB,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8 | cv2.IMREAD_COLOR_RGB,
}
# Tags of TIFF and what they say.
_BITS, _MEANING, _PLANES = 258, 262, 284
_WHITE_IS_ZERO, _SEPARATE = 0, 2
_EXTRA = "pip install 'keras-lotr[heic]'"


def decode(data, name, max_pixels=MAX_PIXELS, divisor_of=None):
    """The image in the bytes of a file; of several frames the first.

    Args:
        data: bytes.
        name: what errors call it.
        max_pixels: how many it may have.
        divisor_of: function from (width, height) to 1, 2, 4 or 8, by how much smaller a JPEG is
            decoded, which spares most of the arithmetic; None: not at all. It must divide both.
            Other kinds of files are decoded as they are.

    Raises:
        ValueError: no image of a known kind, cut off, damaged, more pixels than that, a JPEG of
            very many scans, or of a kind for which a package is missing.
    """
    name, kind = shortened(name), kind_of(data)
    if not data:
        raise ValueError(f"Expected an image ({KINDS}). {name} is empty.")
    if kind is None:
        raise ValueError(f"Expected an image ({KINDS}). {name} is of another kind or cut off.")
    try:
        measured = opened(data, kind)
    except ImportError as error:
        raise ValueError(
            f"Expected an image of a kind for which all is installed. {name} is {kind}, which "
            f"needs {error.name.partition('.')[0]}: {_EXTRA}"
        ) from None
    try:
        if measured is not None:
            image = _of_measured(measured, data, kind, name, max_pixels, divisor_of)
        else:
            image = _tiff_by_opencv(data, name, max_pixels) if kind == "TIFF" else None
    except _UnclearPixels as error:
        raise ValueError(f"{error} (in {name})") from None
    if image is None:
        raise ValueError(
            f"Expected an image ({KINDS}). {name} is cut off or damaged, or of a variant of "
            f"{kind} that is not read."
        )
    return image


def _of_measured(measured, data, kind, name, max_pixels, divisor_of):
    """The image, or None if it is damaged."""
    width, height = measured.size
    check_pixels((width, height), name, max_pixels)
    problem = problem_of(data, kind, width * height)
    if problem:
        raise ValueError(f"Expected an image ({KINDS}). {name} {problem}")
    if not is_plain(data, kind):
        return _by_pillow(measured, data, kind)
    divisor = divisor_of((width, height)) if divisor_of and kind == "JPEG" else 1
    try:
        # From memory OpenCV refuses a file that is cut off; from a file it fills up with grey.
        return cv2.imdecode(np.frombuffer(data, np.uint8), _FLAGS[divisor])
    except cv2.error:
        return None


def _by_pillow(measured, data, kind):
    try:
        measured.load()
        if kind == "TIFF":  # Pillow has turned it already
            return _of_tiff(measured)
        if has_boxes(data):  # which go before EXIF, and which Pillow knows
            orientation = measured.getexif().get(ORIENTATION, 1)
        else:
            orientation = exif_orientation(data)
        return upright(_array_of_pil(measured), orientation)
    except _UnclearPixels:
        raise
    except Exception:  # Pillow's readers have many for what is damaged
        return None


def _of_tiff(measured):
    """Of more than 8 bits Pillow takes planes for rows, and leaves white at zero."""
    tags = measured.tag_v2
    if max(tags.get(_BITS, (1,))) > 8 and tags.get(_PLANES) == _SEPARATE:
        raise _UnclearPixels(
            "Expected a TIFF of 16 bits with the colours of each pixel side by side. This one has "
            "a plane for each colour: save it otherwise, or read it yourself and give the array"
        )
    image = _array_of_pil(measured)
    white_is_zero = measured.mode.startswith("I;16") and tags.get(_MEANING) == _WHITE_IS_ZERO
    return 255 - image if white_is_zero else image


def _tiff_by_opencv(data, name, max_pixels):
    """A TIFF of a variant that Pillow does not know, such as colours of 32 bits."""
    size = plain_tiff_size(data)
    if size is None:
        return None
    check_pixels(size, name, max_pixels)
    try:
        # In its own depth and OpenCV's own order: asked for RGB, it mixes 16 bits up.
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    except cv2.error:
        return None
    if image is None:
        return None
    return np.ascontiguousarray(_scaled(image)[..., ::-1])


def check_pixels(size, name, max_pixels=MAX_PIXELS):
    """Refuse an image that would take gigabytes.

    Args:
        size: width and height.
        name: what the error calls it.
        max_pixels: how many it may have.
    """
    width, height = size
    if width * height > max_pixels:
        raise ValueError(
            f"Expected an image of at most {max_pixels:,} pixels. {name} says {width} x {height}: "
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
    return _array_of_pil(ImageOps.exif_transpose(image))


def _array_of_pil(image):
    """A PIL image of any mode that is decoded, as (H, W, 3) uint8."""
    if image.mode.startswith("I;16"):  # PIL's own conversion cuts 16 bits off at 255
        return _three_channels(np.asarray(image).astype(np.uint16))
    if image.mode in ("I", "F"):
        return _three_channels(np.asarray(image))
    if image.mode in ("La", "RGBa"):  # colours that were multiplied by alpha
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    if image.mode == "P":  # it warns of transparency, which is dropped in any case
        image.info.pop("transparency", None)
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def _three_channels(array):
    return np.dstack([_scaled(array)] * 3)


class _UnclearPixels(ValueError):
    """A whole file, whose numbers do not say how bright its pixels are."""


def _scaled(array):
    try:
        return scaled_to_uint8(array, of_file=True)
    except ValueError as error:
        raise _UnclearPixels(str(error)) from None
