"""Whatever a user has as an image -> (H, W, 3) uint8 RGB, upright."""

import glob
import http.client
import os
import urllib.request
from pathlib import Path

import cv2
import numpy as np

from keras_lotr.images.header import claimed_size
from keras_lotr.images.names import natural_key

MAX_PIXELS = 100_000_000
_MAX_DOWNLOAD_BYTES = 50_000_000
_TIMEOUT_SECONDS = 20
_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
_KINDS = "JPEG, PNG, WebP, BMP, GIF or TIFF"


def read_image(source):
    """Read an image.

    An EXIF orientation is applied, so that the image is upright as viewers show it. Grey images
    become RGB, an alpha channel is dropped (the colours stay as stored), and 16 bits become 8.

    Args:
        source: path; http(s) URL; bytes of an image file (JPEG, PNG, WebP, BMP, GIF, TIFF; the
            first frame); PIL image; NumPy array in **RGB** order, (H, W), (H, W, 1), (H, W, 3) or
            (H, W, 4): uint8, uint16, or float in 0..1 or in 0..255.

    Returns:
        (H, W, 3) uint8 array, RGB.

    Raises:
        FileNotFoundError: no such file.
        OSError: the URL cannot be downloaded.
        ValueError: the source is no image, is cut off, or has more than 100 megapixels, or the
            array has another shape or dtype.

    Example:

    >>> import numpy as np
    >>> read_image(np.ones((4, 6))).shape
    (4, 6, 3)
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, bytes | bytearray | memoryview):
        return _decode(bytes(source), "the bytes")
    if is_url(source):
        return _decode(_download(source), source)
    if isinstance(source, str | os.PathLike):
        return _decode(_read_file(Path(source)), os.fspath(source))
    if hasattr(source, "convert"):
        return _from_pil(source)
    raise ValueError(
        "Expected an image: a path, URL, bytes, PIL image or RGB array. "
        f"Received: {type(source).__name__}"
    )


def is_url(source):
    """Whether it is an http(s) URL."""
    return isinstance(source, str) and source.lower().startswith(("http://", "https://"))


def expand(sources):
    """Files, folders, globs and URLs -> the list of images, each folder in natural order.

    A file is taken as it is, whether it exists or not: reading it tells.

    Args:
        sources: list of str or Path. A folder stands for the images directly in it.

    Raises:
        ValueError: a folder without images, or a pattern that matches nothing.
    """
    pictures = []
    for source in sources:
        found = _expand_one(source)
        if not found:
            raise ValueError(f"Expected images ({_KINDS}). There is none in {source}.")
        pictures += found
    return list(dict.fromkeys(pictures))


def _expand_one(source):
    name = os.fspath(source)
    if is_url(name) or os.path.isfile(name):
        return [name]
    if os.path.isdir(name):
        found = [entry.path for entry in os.scandir(name) if entry.is_file()]
    elif glob.has_magic(name):
        found = [path for path in glob.glob(name, recursive=True) if os.path.isfile(path)]
    else:
        return [name]
    return sorted((path for path in found if path.lower().endswith(_ENDINGS)), key=natural_key)


def _read_file(path):
    if path.is_dir():
        raise ValueError(f"Expected an image. {path} is a folder.")
    if not path.exists():
        raise FileNotFoundError(f"There is no image {path}.")
    return path.read_bytes()


def _download(url):
    request = urllib.request.Request(url, headers={"User-Agent": "keras-lotr"})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:
            data = response.read(_MAX_DOWNLOAD_BYTES + 1)
    except (OSError, http.client.HTTPException) as error:
        raise OSError(f"Cannot download {url}: {error}") from None
    if len(data) > _MAX_DOWNLOAD_BYTES:
        raise ValueError(f"Expected an image of at most {_MAX_DOWNLOAD_BYTES:,} bytes at {url}.")
    return data


def _decode(data, name):
    if not data:
        raise ValueError(f"Expected an image ({_KINDS}). {name} is empty.")
    size = claimed_size(data)
    if size is None:
        raise ValueError(f"Expected an image ({_KINDS}). {name} is of another kind or cut off.")
    _check_pixels(size, name)
    try:
        # From memory OpenCV refuses a file that is cut off; from a file it fills up with grey.
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error:
        image = None
    if image is None:
        raise ValueError(f"Expected an image ({_KINDS}). {name} is cut off or damaged.")
    return image


def _check_pixels(size, name):
    width, height = size
    if width * height > MAX_PIXELS:
        raise ValueError(
            f"Expected an image of at most {MAX_PIXELS:,} pixels. {name} says {width} x {height}: "
            "make it smaller, or read it yourself and give the array."
        )


def _from_pil(image):
    from PIL import ImageOps

    _check_pixels(image.size, "the PIL image")
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):  # PIL's own conversion cuts 16 bits off at 255
        return _from_array(np.asarray(image).astype(np.uint16))
    return np.asarray(image.convert("RGB"))


def _from_array(array):
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[-1] not in (1, 3, 4) or not array.size:
        raise ValueError(
            "Expected one image as an array (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA; "
            f"several as a list. Received: shape {array.shape}"
        )
    array = _to_uint8(array[..., :3])
    return np.ascontiguousarray(np.broadcast_to(array, (*array.shape[:2], 3)))


def _to_uint8(array):
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.uint16:
        return ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(
            "Expected an image of uint8, uint16 or float; astype('uint8') if it holds 0..255. "
            f"Received: {array.dtype}"
        )
    low, high = array.min(), array.max()
    if not (low >= 0 and high <= 255):  # also for NaN
        raise ValueError(
            f"Expected float pixels in 0..1 or in 0..255. Received: {low:.6g} .. {high:.6g}"
        )
    return np.rint(array * (255 if high <= 1 else 1)).astype(np.uint8)
