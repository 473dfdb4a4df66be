"""Names of image files: their endings, their order, and how a message shows a long one."""

import os
import re
from pathlib import Path

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


def find_image(name, *folders):
    r"""The image that a text file names, as seen from a folder.

    A path of Windows has \ for /, a name that is no UTF-8 has escapes (`unescaped`), and one of a
    table may have spaces around it; all are tried only where there is no such file as it stands.

    Args:
        name: path of an image, relative to one of the folders.
        folders: where it may lie.

    Returns:
        str, the path of the image; in the first folder, as it stands, if it is nowhere.

    Example:

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> os.mkdir(os.path.join(folder, "photos"))
    >>> open(os.path.join(folder, "photos", "f0.jpg"), "w").close()
    >>> find_image(r"photos\f0.jpg", folder) == os.path.join(folder, "photos", "f0.jpg")
    True
    """
    plain = unescaped(name)
    of_unix = plain.replace("\\", "/")
    spellings = dict.fromkeys((name, plain, of_unix, of_unix.strip()))
    paths = [str(Path(folder, spelling)) for spelling in spellings for folder in folders]
    if len(paths) == 1:  # long lists of usual names need not wait for the disk
        return paths[0]
    return next(filter(os.path.isfile, paths), paths[0])


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
