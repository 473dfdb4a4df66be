"""The boxes of `predict --boxes` for each image."""

import os
import re
from collections import Counter


def boxes_of_images(images, boxes):
    """The boxes of each image: those of its path as it was given, of its name, or of its file.

    A path of another machine stands for its name, if only one ends with it.

    Args:
        images: paths and URLs.
        boxes: {name or path: list of [x0, y0, x1, y1]}, see `saved_boxes.read_boxes`.

    Returns:
        {image: list of [x0, y0, x1, y1]}, without the images that the file does not mention.

    Example:

    >>> boxes_of_images(["photos/a.jpg", "b.jpg"], {"a.jpg": [[1, 2, 30, 40]]})
    {'photos/a.jpg': [[1, 2, 30, 40]]}
    """
    by_path = {os.path.abspath(name): found for name, found in boxes.items()}
    ends = [re.split(r"[/\\]", name)[-1] for name in boxes]
    counts = Counter(ends)
    by_end = {e: here for e, here in zip(ends, boxes.values(), strict=True) if counts[e] == 1}
    found = {}
    for image in images:
        names = (
            (image, boxes),
            (os.path.basename(image), boxes),
            (os.path.abspath(image), by_path),
            (os.path.basename(image), by_end),
        )
        known = [where[name] for name, where in names if name in where]
        found |= {image: known[0]} if known else {}
    return found
