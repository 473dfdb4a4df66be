"""The boxes of `predict --boxes` for each image."""

import os
import re
from collections import Counter


def boxes_of_images(images, boxes):
    """The boxes of each image: those of its path as it was given, of its file, or of its name.

    A path of another machine stands for its name, if only one ends with it; one of a file that is
    here does not. A name says nothing of several images of that name.

    Args:
        images: paths and URLs.
        boxes: {name or path: the boxes}, see `saved_boxes.read_boxes`.

    Returns:
        {image: the boxes}, without the images that the file does not mention.

    Example:

    >>> boxes_of_images(["photos/a.jpg", "b.jpg"], {"a.jpg": [[1, 2, 30, 40]]})
    {'photos/a.jpg': [[1, 2, 30, 40]]}
    >>> boxes_of_images(["x/a.jpg", "y/a.jpg"], {"a.jpg": [[1, 2, 30, 40]]})
    {}
    """
    by_path = {os.path.abspath(name): found for name, found in boxes.items()}
    ends = {name: re.split(r"[/\\]", name)[-1] for name in boxes if not _is_a_file_here(name)}
    counts, same_name = Counter(ends.values()), Counter(map(os.path.basename, images))
    by_name = {end: boxes[name] for name, end in ends.items() if counts[end] == 1}
    found = {}
    for image in images:
        name = os.path.basename(image)
        names = [(image, boxes), (os.path.abspath(image), by_path)]
        names += [(name, boxes), (name, by_name)] if same_name[name] == 1 else []
        known = [where[name] for name, where in names if name in where]
        found |= {image: known[0]} if known else {}
    return found


def _is_a_file_here(name):
    """Whether a path says which file is meant; a name alone may stand for an image anywhere."""
    return bool(re.search(r"[/\\]", name)) and os.path.isfile(name)
