"""A kit folder: `images/` and `labels.json`, a list of {"image", "split", "points68", ...}.

A landmark that nobody labelled is null. Of pseudo-labels, `doubt98` (`doubt68`, ...) may say for
each landmark by how much it may be wrong, in face sizes. `seen68` (`seen98`, ...) may say which are
seen: 1, 0 for one that is covered, -1 for one that the face itself hides, null. `set` and the names
in `tags` are the subsets that a face belongs to.
"""

from pathlib import Path

import numpy as np

from keras_lotr.datasets.gaps import labelled_samples, numbers_of_json, points_of_json
from keras_lotr.datasets.samples import label_key, read_json

# In face sizes: a landmark with this doubt counts half as much in training as one without.
HALF_DOUBT = 0.02


def read(folder, split="train", scheme="ibug68"):
    """Faces of a kit folder that carry landmarks of the scheme, tagged with `set` and `tags`."""
    key = label_key(scheme)
    doubt, seen = key.replace("points", "doubt"), key.replace("points", "seen")
    folder = Path(folder)
    entries = read_json(folder / "labels.json")
    file = folder / "labels.json"
    if not isinstance(entries, list):
        raise ValueError(f'Expected a list of {{"image": ..., "{key}": ...}} in {file}.')
    faces = []
    for number, entry in enumerate(entries):
        _check_entry(entry, f"{file}, entry {number}", key)
        if entry.get("split", split) == split and entry.get(key) is not None:
            origin = f"labels.json, entry {number}"
            faces.append(
                {
                    "path": folder / "images" / entry["image"],
                    "points_image": points_of_json(entry[key], origin),
                    "scheme": scheme,
                    "tags": (*([entry["set"]] if "set" in entry else []), *entry.get("tags", ())),
                    "origin": origin,
                    "weights": weights_of_doubt(entry[doubt]) if doubt in entry else None,
                    "visibility": numbers_of_json(entry.get(seen), origin),
                }
            )
    return labelled_samples(faces, folder / "labels.json")


def _check_entry(entry, origin, key):
    """Refuse what is no object with the name of an image and, if any, a list of tags."""
    is_named = isinstance(entry, dict) and isinstance(entry.get("image"), str)
    if not is_named or not isinstance(entry.get("tags", []), list):
        raise ValueError(
            f'Expected {{"image": ..., "{key}": ..., "tags": [...]}} in {origin}. '
            f"Received: {str(entry)[:200]}"
        )


def weights_of_doubt(doubt):
    """1 / (1 + (doubt / 0.02)^2): a landmark counts less the larger its expected error is.

    Args:
        doubt: (N,), how far a landmark may be from the truth, in face sizes; None for gaps.

    Returns:
        (N,) float32, 1 for no doubt and 0 for gaps.

    Example:

    >>> weights_of_doubt([0, 0.02, 0.06, None]).round(6).tolist()
    [1.0, 0.5, 0.10000000149011612, 0.0]
    """
    doubt = np.array([np.inf if value is None else value for value in doubt], np.float32)
    return 1 / (1 + (doubt / HALF_DOUBT) ** 2)


def is_here(folder):
    """Whether the folder is a kit."""
    return (Path(folder) / "labels.json").is_file()
