"""A kit folder: `images/` and `labels.json`, a list of {"image", "split", "points68", ...}.

A landmark that nobody labelled is null. Of pseudo-labels, `doubt98` (`doubt68`, ...) may say for
each landmark by how much it may be wrong, in face sizes; null is no doubt. `seen68`
(`seen98`, ...) may say which are seen: 1, 0 for one that is covered, -1 for one that the face
itself hides, null. `set` and the names in `tags` are the subsets that a face belongs to. `split` is
train, val or test, or a name that tells it, such as "valid". Of these an entry may lack any, or
have null: a face without a split serves all.
"""

from pathlib import Path

import numpy as np

from keras_lotr.datasets.gaps import labelled_samples, numbers_of_json, points_of_json
from keras_lotr.datasets.samples import LABEL_KEYS, NoFaces, label_key, read_json, split_of
from keras_lotr.images.names import find_image

# In face sizes: a landmark with this doubt counts half as much in training as one without.
HALF_DOUBT = 0.02


def read(folder, split="train", scheme="ibug68"):
    """Faces of a kit folder that carry landmarks of the scheme, tagged with `set` and `tags`.

    In place of the folder, the file in it may be given.
    """
    key = label_key(scheme)
    file = Path(folder) if Path(folder).is_file() else Path(folder) / "labels.json"
    entries = read_json(file)
    if not isinstance(entries, list):
        raise ValueError(f'Expected a list of {{"image": ..., "{key}": ...}} in {file}.')
    faces = []
    for number, entry in enumerate(entries):
        origin = f"{file}, entry {number}"
        _check_entry(entry, origin, key)
        if _split(entry, origin) in (None, split) and entry.get(key) is not None:
            faces.append(_face(entry, file.parent / "images", scheme, origin))
    if not faces:
        _check_keys(entries, key, file)
    return labelled_samples(faces, file)


def _check_keys(entries, key, file):
    """Say so if no entry has landmarks under any of the names that they can have."""
    there = {name for entry in entries for name in entry}
    if entries and there.isdisjoint(LABEL_KEYS.values()):
        raise NoFaces(
            f'Expected landmarks as "{key}": [[x, y], ...], or of another scheme as one of '
            f"{sorted(LABEL_KEYS.values())}, in the entries of {file}. Received entries with: "
            f"{', '.join(sorted(there))[:200]}"
        )


def _face(entry, images, scheme, origin):
    """The arguments of a `Sample`."""
    key = label_key(scheme)
    points = points_of_json(entry[key], origin)
    return {
        "path": find_image(entry["image"], images),
        "points_image": points,
        "scheme": scheme,
        "tags": _tags(entry),
        "origin": origin,
        "weights": _weights(entry, key.replace("points", "doubt"), len(points), origin),
        "visibility": numbers_of_json(entry.get(key.replace("points", "seen")), origin),
    }


def _weights(entry, key, count, origin):
    """What each of the landmarks counts because of its doubt, if the entry has any."""
    doubt = numbers_of_json(entry.get(key), origin)
    if doubt is None:
        return None
    if doubt.shape != (count,) or (doubt < 0).any():
        raise ValueError(
            f"Expected {key} as a doubt of at least 0, in face sizes, or null, for each of "
            f"{count} landmarks in {origin}. Received: {str(entry[key])[:200]}"
        )
    return weights_of_doubt(doubt)


def _tags(entry):
    """`set` and `tags`, as far as they are there."""
    name, tags = entry.get("set"), entry.get("tags") or ()
    return tuple(tags) if name is None else (name, *tags)


def _split(entry, origin):
    """The split of an entry; None: it serves any."""
    word = entry.get("split")
    if word is None:
        return None
    split = split_of(word) if isinstance(word, str) else None
    if split is None:
        raise ValueError(
            f"Expected train, val or test, or null, as the split in {origin}. "
            f"Received: {str(word)[:200]}"
        )
    return split


def _check_entry(entry, origin, key):
    """Refuse what is no object with the name of an image and, if any, names of subsets."""
    is_named = isinstance(entry, dict) and isinstance(entry.get("image"), str)
    if not is_named or not _has_names(entry):
        raise ValueError(
            f'Expected {{"image": "NAME", "{key}": [...], "set": "NAME", "tags": ["NAME", ...]}}, '
            f"set and tags if there are any, in {origin}. Received: {str(entry)[:200]}"
        )


def _has_names(entry):
    """Whether `set` is a name and `tags` a list of names, if they are there."""
    name, tags = entry.get("set"), entry.get("tags")
    are_names = tags is None or (isinstance(tags, list) and all(isinstance(t, str) for t in tags))
    return are_names and (name is None or isinstance(name, str))


def weights_of_doubt(doubt):
    """1 / (1 + (doubt / 0.02)^2): a landmark counts less the larger its expected error is.

    Args:
        doubt: (N,), how far a landmark may be from the truth, in face sizes; None or NaN where
            nobody said anything.

    Returns:
        (N,) float32, 1 for no doubt.

    Example:

    >>> weights_of_doubt([0, 0.02, 0.06, None]).round(6).tolist()
    [1.0, 0.5, 0.10000000149011612, 1.0]
    """
    doubt = np.nan_to_num(np.array(doubt, np.float32), posinf=np.inf)
    return 1 / (1 + (doubt / HALF_DOUBT) ** 2)


def is_here(folder):
    """Whether the folder is a kit, or the file that of one.

    COCO files may have its name, too, and hold an object where it holds a list.
    """
    path = Path(folder)
    if not path.is_file():
        return (path / "labels.json").is_file()
    if path.name != "labels.json":
        return False
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return file.read(1000).lstrip().startswith("[")
