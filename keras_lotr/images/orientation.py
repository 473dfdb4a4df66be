"""How an image file says that it is turned, told from its bytes without decoding them.

EXIF counts the ways from 1, upright, to 8. HEIC and AVIF have boxes of their own, irot and imir,
which go before EXIF; decoders apply these. Cameras that write none rely on EXIF.
"""

import re
import struct

import numpy as np

from keras_lotr.images.header import kind_of

# What stands before EXIF's data, which are laid out as a TIFF file is.
_BEFORE = {
    "JPEG": rb"\xff\xe1..Exif\0\0",
    "PNG": rb"eXIf",
    "WebP": rb"EXIF....(?:Exif\0\0)?",
    "TIFF": rb"\A",
    **dict.fromkeys(("HEIC", "AVIF"), rb"\0\0\0(?:\x06Exif\0\0|\0)"),
}
_EXIF = {
    kind: re.compile(before + rb"(?=II\*\0|MM\0\*)", re.DOTALL) for kind, before in _BEFORE.items()
}
_BOX = re.compile(rb"\0\0\0\x09(irot|imir)(.)", re.DOTALL)
ORIENTATION = 0x0112  # EXIF's tag


def swaps_sides(data):
    """Whether the upright image is as wide as the stored one is high.

    Args:
        data: bytes of an image file.
    """
    if has_boxes(data):
        return any(kind == b"irot" and ord(turns) % 2 for kind, turns in _BOX.findall(data))
    return exif_orientation(data) > 4


def upright(image, orientation):
    """The array (H, W, C) turned as EXIF's orientation asks for.

    Example:

    >>> upright(np.zeros((2, 3, 1)), 6).shape
    (3, 2, 1)
    """
    if orientation > 4:  # stored by columns
        image = image.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)


def has_boxes(data):
    """Whether it is HEIC or AVIF, and turned or mirrored by boxes."""
    return kind_of(data) in ("HEIC", "AVIF") and _BOX.search(data) is not None


def exif_orientation(data):
    """EXIF's orientation, 1 to 8; 1, which is upright, where EXIF does not say it.

    Args:
        data: bytes of an image file.

    Example:

    >>> exif_orientation(b"GIF89a")
    1
    """
    pattern = _EXIF.get(kind_of(data))
    found = pattern and pattern.search(data)
    try:
        value = _of_directory(data, found.end()) if found else 1
    except struct.error:  # cut off
        return 1
    return value if 1 <= value <= 8 else 1


def _of_directory(data, start):
    order = "<" if data[start : start + 1] == b"I" else ">"
    directory = start + struct.unpack_from(f"{order}I", data, start + 4)[0]
    for i in range(struct.unpack_from(f"{order}H", data, directory)[0]):
        at = directory + 2 + 12 * i
        if struct.unpack_from(f"{order}H", data, at)[0] == ORIENTATION:
            return struct.unpack_from(f"{order}H", data, at + 8)[0]
    return 1
