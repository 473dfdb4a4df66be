"""Names of image files: their endings, their order, and how a message shows a long one."""

import os
import re

KINDS = "JPEG, PNG, WebP, BMP, GIF, TIFF, HEIC or AVIF"
# What is read, by its usual endings.
IMAGE_ENDINGS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".gif"),
    *(".tif", ".tiff", ".heic", ".heif", ".hif", ".avif"),
)
_LONGEST = 200


def natural_key(path):
    """Sort key by which photo 9 comes before photo 10."""
    parts = re.split(r"(\d+)", os.fspath(path))
    return [int(part) if i % 2 else part for i, part in enumerate(parts)]


def unescaped(name):
    r"""A name of a text file, with the bytes that are no UTF-8 as Python has them in names.

    Example:

    >>> unescaped(r"caf\udce9.jpg") == "caf" + chr(0xDCE9) + ".jpg"
    True
    """
    return re.sub(r"\\u(dc[89a-f][0-9a-f])", lambda match: chr(int(match[1], 16)), name)


def shortened(name):
    """A name as messages show it: the middle of a very long one is left out.

    Example:

    >>> shortened("data:image/png;base64," + 90_000 * "A")
    'data:image/png;base64,AAAAAAAAAAAAAAAAAAAAAAA ... AAAAAAAAAA (90,022 letters)'
    """
    name = os.fspath(name)
    if isinstance(name, bytes):
        name = os.fsdecode(name)
    if len(name) <= _LONGEST:
        return name
    return f"{name[:45]} ... {name[-10:]} ({len(name):,} letters)"
