"""WFLW as downloaded from wywu.github.io/projects/LAB/WFLW.html.

    WFLW_images/37--Soccer/37_Soccer_soccer_ball_37_45.jpg ...
    WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_{train,test}.txt
    WFLW_annotations/list_98pt_test/list_98pt_test.txt, list_98pt_test_{largepose,...}.txt

One line per face (the README beside the lists): `x0 y0 ... x97 y97`, the detector's rectangle
`x_min y_min x_max y_max`, the flags `pose expression illumination make-up occlusion blur` (0 or 1)
and the image name. The lists of `list_98pt_test` have neither rectangle nor flags: a subset is a
file of its own. They are read where the list with the flags is missing.

The box of a face is that of its landmarks, as everywhere; the detector's rectangle is not used.
Coordinates are taken as they are.
"""

from pathlib import Path

import numpy as np

from keras_lotr.datasets.gaps import labelled_samples, without_missing
from keras_lotr.datasets.samples import NoFaces, existing, read_text
from keras_lotr.images.names import find_image

_TAGS = ("pose", "expression", "illumination", "make-up", "occlusion", "blur")
_SUBSET_FILES = ("largepose", "expression", "illumination", "makeup", "occlusion", "blur")
_NUM_COORDINATES = 196


def read(folder, split="train", scheme="wflw98"):
    """Faces of WFLW, tagged with the subsets that they belong to.

    Args:
        folder: the folder that holds `WFLW_annotations`, or that folder, or that of the lists.
        split: "train" or "test".
        scheme: "wflw98", "ibug68" for the points of the same name, or "jd106" or "insightface106"
            with gaps where WFLW has no such point.
    """
    if split not in ("train", "test"):
        raise NoFaces(
            "WFLW has the splits 'train' and 'test' only: hold some faces of 'train' out to "
            f"validate with. Received: {split!r}"
        )
    attributes = _find(folder, f"list_98pt_rect_attr_{split}.txt")
    plain = _find(folder, "list_98pt_test.txt") if split == "test" else None
    if attributes is None and plain is None:
        raise FileNotFoundError(f"Expected list_98pt_rect_attr_{split}.txt in or under {folder}.")
    rows = _read_with_flags(attributes) if attributes else _read_with_subsets(plain)
    images = _find_images(attributes or plain, Path(folder))
    faces = []
    for points, name, tags, origin in rows:
        faces.append(
            {"path": find_image(name, images), "points_image": points, "scheme": "wflw98",
             "tags": tags, "origin": origin}
        )  # fmt: skip
    return labelled_samples(faces, attributes or plain, scheme)


def is_here(folder):
    """Whether lists of WFLW are in or under the folder."""
    names = ("list_98pt_rect_attr_train.txt", "list_98pt_rect_attr_test.txt", "list_98pt_test.txt")
    return any(_find(folder, name) for name in names)


def _find(folder, name):
    """The list of that name in the folder or where it lies in the download; None if missing."""
    for above in ("", "WFLW_annotations"):
        for between in ("", "list_98pt_rect_attr_train_test", "list_98pt_test"):
            path = Path(folder) / above / between / name
            if path.is_file():
                return path
    return None


def _find_images(list_file, folder):
    """`WFLW_images`, beside the list or beside one of the two folders around it.

    If it is nowhere, the error names the place in the folder of the data set.
    """
    places = [parent / "WFLW_images" for parent in list(list_file.absolute().parents)[:3]]
    return existing(next((place for place in places if place.is_dir()), folder / "WFLW_images"))


def _read_with_flags(path):
    for origin, fields in _fields(path, num_between=4 + len(_TAGS)):
        flags = fields[-1 - len(_TAGS) : -1]
        tags = tuple(tag for tag, flag in zip(_TAGS, flags, strict=True) if flag == "1")
        yield _points(fields, origin), fields[-1], tags, origin


def _read_with_subsets(path):
    """Faces of the plain list; a face is told by its image and its first two points."""
    members = {}
    for tag, name in zip(_TAGS, _SUBSET_FILES, strict=True):
        subset = existing(path.with_stem(f"{path.stem}_{name}"))
        for _, fields in _fields(subset, num_between=0):
            members.setdefault((fields[-1], *fields[:4]), []).append(tag)
    for origin, fields in _fields(path, num_between=0):
        tags = tuple(members.get((fields[-1], *fields[:4]), ()))
        yield _points(fields, origin), fields[-1], tags, origin


def _fields(path, num_between):
    """Place and fields of each line: coordinates, `num_between` others, image name."""
    expected = _NUM_COORDINATES + num_between + 1
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        fields = line.split()
        if fields and len(fields) != expected:
            raise ValueError(
                f"Expected {expected} fields (98 points, {num_between} numbers, image name) in "
                f"{path}, line {number}. Received: {len(fields)}"
            )
        if fields:
            yield f"{path}, line {number}", fields


def _points(fields, origin):
    try:
        return without_missing(np.array(fields[:_NUM_COORDINATES], np.float64).reshape(-1, 2))
    except ValueError as error:
        raise ValueError(f"Expected 98 points of {fields[-1]} in {origin}: {error}") from None
