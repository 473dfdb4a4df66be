"""Files of images on which landmarks were drawn. They say so, and are never taken for photos."""

import io
import os

_MARK = b"Landmarks drawn by keras-lotr"
_HEAD = 1024  # bytes of a file among which the mark is
_LONGEST = 65_500  # pixels of a side that JPEG knows


def drawn_jpeg(image):
    """The bytes of a JPEG that `is_drawn` knows again.

    Args:
        image: (H, W, 3) uint8 RGB.

    Raises:
        ValueError: a side is longer than JPEG knows.
    """
    from PIL import Image

    height, width = image.shape[:2]
    if max(height, width) > _LONGEST:
        raise ValueError(
            f"Expected an image of at most {_LONGEST:,} pixels a side, as JPEG has, to draw into. "
            f"Received: {width} x {height}"
        )
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=95, comment=_MARK)
    return file.getvalue()


def is_drawn(path):
    """Whether a file is one that `drawn_jpeg` made.

    Example:

    >>> import tempfile, numpy as np
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp(), "drawn.jpg")
    >>> size = path.write_bytes(drawn_jpeg(np.zeros((48, 64, 3), np.uint8)))
    >>> is_drawn(path), is_drawn("examples/astronaut.jpg")
    (True, False)
    """
    if not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        return _MARK in file.read(_HEAD)
