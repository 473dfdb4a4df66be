"""What the header of an image file says, as Pillow reads it; nothing is decoded.

No parser of our own stands between a file and its decoder: two readers of one header can differ
about it, and a file of a few kilobytes would then be able to ask for gigabytes.
"""

import io
import os
import struct
import threading
import warnings

_STARTS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"BM": "BMP",
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",  # BigTIFF
    b"MM\0+": "TIFF",
}
_WIDTH, _HEIGHT = 256, 257  # tags of TIFF
# Filters of warnings are of the whole process: of two threads that change them, one would leave
# its own behind. A process that is forked meanwhile must not wait for a thread that it lacks.
_WARNINGS = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_WARNINGS.acquire,
        after_in_parent=_WARNINGS.release,
        after_in_child=_WARNINGS.release,
    )


def kind_of(data):
    """The kind of image file that the first bytes tell; None for any other kind of file.

    Example:

    >>> kind_of(b"GIF89a"), kind_of(b"%PDF-1.4")
    ('GIF', None)
    """
    for start, kind in _STARTS.items():
        if data.startswith(start):
            return kind
    if data[4:8] == b"ftyp":  # a box of ISO's base media format: the brand, then others that fit
        brands = data[8 : struct.unpack(">I", data[:4])[0]]
        heic = any(brand in brands for brand in (b"heic", b"heix", b"hevc", b"heim", b"heis"))
        return "AVIF" if b"avi" in brands else "HEIC" if heic or b"mif1" in brands else None
    return "WebP" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


def claimed_size(data):
    r"""Width and height in the header of an image file of a kind that is read.

    Args:
        data: bytes of the file; its beginning is enough where the size stands there.

    Returns:
        (width, height) as stored, before any EXIF rotation, of HEIC with its border;
        None for any other kind of file and for a header that is cut or broken.

    Example:

    >>> claimed_size(b"GIF89a\7\0\5\0\0\0\0,\0\0\0\0\7\0\5\0\0\2")
    (7, 5)
    """
    kind = kind_of(data)
    if kind in ("HEIC", "AVIF"):
        return _size_of_boxes(data)
    image = kind and opened(data, kind)
    if not image:
        return None
    if kind == "TIFF":  # of which Pillow tells the upright size
        return image.tag_v2[_WIDTH], image.tag_v2[_HEIGHT]
    return image.size


def opened(data, kind):
    """The file as a PIL image that is not yet decoded; None if Pillow cannot read its header.

    Args:
        data: bytes of the file.
        kind: its `kind_of`.

    Raises:
        ImportError: of a HEIC file, without pillow-heif.
    """
    reader = _reader_of(kind)
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of EXIF data that are cut
        try:
            # `PIL.Image.open` would ask more readers than this one, and has a limit of its own.
            image = reader(io.BytesIO(data))
            if kind in ("TIFF", "AVIF", "HEIC"):
                image.getexif()  # these need it when they are decoded, where nothing is silent
            return image
        except Exception:  # Pillow's readers have many for what is cut off or damaged
            return None


def _reader_of(kind):
    """Pillow's class for files of a kind."""
    if kind == "JPEG":
        from PIL.JpegImagePlugin import JpegImageFile as reader
    elif kind == "PNG":
        from PIL.PngImagePlugin import PngImageFile as reader
    elif kind == "BMP":
        from PIL.BmpImagePlugin import BmpImageFile as reader
    elif kind == "GIF":
        from PIL.GifImagePlugin import GifImageFile as reader
    elif kind == "TIFF":
        from PIL.TiffImagePlugin import TiffImageFile as reader
    elif kind == "WebP":
        from PIL.WebPImagePlugin import WebPImageFile as reader
    elif kind == "AVIF":
        from PIL.AvifImagePlugin import AvifImageFile as reader
    else:
        from pillow_heif.as_plugin import HeifImageFile as reader
    return reader


def _size_of_boxes(data):
    """The largest of the sizes in it: of the image, its tiles and its thumbnail."""
    sizes, at = [], data.find(b"ispe")
    while 0 <= at <= len(data) - 16:
        sizes.append(struct.unpack_from(">II", data, at + 8))
        at = data.find(b"ispe", at + 4)
    return max(sizes, key=lambda size: size[0] * size[1], default=None)
