"""Damaged images of every kind that is read."""

import io
from contextlib import contextmanager

import cv2
import numpy as np
from PIL import Image, features

from fuzz.mutations import damaged, with_checksums
from keras_lotr.images.header import claimed_size
from keras_lotr.images.orientation import swaps_sides
from keras_lotr.images.reading import read_image

DOCUMENTED = (ValueError,)
MEGABYTES = 300


@contextmanager
def prepared():
    files = corpus()

    def make(rng):
        data = damaged(files[rng.integers(len(files))], rng)
        if data.startswith(b"\x89PNG") and rng.integers(2):
            data = with_checksums(data)

        def call():
            image = read_image(data)
            assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
            claimed_size(data), swaps_sides(data)
            return 7 * image.size // 3  # Pillow's four bytes for a pixel, and our three

        return call

    yield make


def corpus():
    """Small images of every kind and variant: list of bytes."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:44, :61]
    smooth = np.stack([4 * x, 5 * y, 250 - 3 * x], -1).astype(np.uint8)
    noise = rng.integers(0, 255, (44, 61, 3)).astype(np.uint8)
    files = [*_jpeg(smooth), *_jpeg(noise), *_png(smooth), *_tiff(smooth), *_others(smooth)]
    return files + [_saved(Image.fromarray(noise), "PNG"), _saved(Image.fromarray(noise), "WEBP")]


def _saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _exif(orientation=6):
    exif = Image.Exif()
    exif[274] = orientation
    exif[271] = "Camera"
    return exif


def _jpeg(array):
    image = Image.fromarray(array)
    yield _saved(image, "JPEG")
    yield _saved(image, "JPEG", progressive=True, subsampling=0)
    yield _saved(image, "JPEG", exif=_exif(), comment=b"text")
    yield _saved(image, "JPEG", restart_marker_blocks=3, optimize=True)
    yield _saved(image, "MPO", save_all=True, append_images=[image])
    for mode in ("L", "CMYK"):
        yield _saved(image.convert(mode), "JPEG")


def _png(array):
    image = Image.fromarray(array)
    for mode in ("RGB", "RGBA", "L", "LA", "P", "1"):
        yield _saved(image.convert(mode), "PNG")
    yield _saved(image.convert("P"), "PNG", transparency=3)
    yield _saved(image, "PNG", exif=_exif())
    yield _saved(image, "PNG", save_all=True, append_images=[image.rotate(90)], duration=9)
    yield _saved(Image.fromarray(array[..., 0].astype(np.uint16) * 257), "PNG")
    for channels in (3, 4):
        deep = np.dstack([array, array])[..., :channels].astype(np.uint16) * 257
        yield cv2.imencode(".png", deep)[1].tobytes()


def _tiff(array):
    image = Image.fromarray(array)
    for compression in (None, "tiff_lzw", "tiff_deflate", "packbits", "jpeg"):
        yield _saved(image, "TIFF", compression=compression, exif=_exif(3))
    yield _saved(image.convert("1"), "TIFF", compression="group4")
    for mode in ("L", "P", "RGBA", "CMYK", "LAB", "I", "F", "I;16"):
        grey = mode in ("I", "F", "I;16")
        yield _saved(image.convert("L").convert(mode) if grey else image.convert(mode), "TIFF")
    yield _saved(image, "TIFF", big_tiff=True)
    yield _saved(image, "TIFF", save_all=True, append_images=[image])
    for dtype, white in ((np.uint16, 257), (np.float32, 1 / 255), (np.float64, 1 / 255)):
        yield cv2.imencode(".tiff", (array.astype(np.float64) * white).astype(dtype))[1].tobytes()


def _others(array):
    image = Image.fromarray(array)
    frames = {"save_all": True, "append_images": [image.rotate(180)], "duration": 40}
    yield _saved(image.convert("P"), "GIF")
    yield _saved(image.convert("P"), "GIF", transparency=1, **frames)
    for mode in ("RGB", "L", "P", "1", "RGBA"):
        yield _saved(image.convert(mode), "BMP")
    yield _saved(image, "WEBP", lossless=True)
    yield _saved(image.convert("RGBA"), "WEBP", exif=_exif())
    yield _saved(image, "WEBP", **frames)
    if features.check("avif"):
        yield _saved(image, "AVIF", exif=_exif())
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return
    register_heif_opener()
    yield _saved(image, "HEIF", exif=_exif())
