"""What every reader returns, faces with their landmarks in image pixels, and what readers share."""

import json
import os
import re
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from keras_lotr import csv_table
from keras_lotr.datasets.sets import given_tags
from keras_lotr.geometry import box_of, is_box
from keras_lotr.images.decoding import decode
from keras_lotr.images.reading import read_image
from keras_lotr.schemes import get_scheme, named_scheme, usual_scheme

# The names that kits and rendered shards have for the landmarks of a scheme.
LABEL_KEYS = {"ibug68": "points68", "wflw98": "points98", "jd106": "points106"}

_SPLIT_WORD = re.compile(r"(?<![a-z])(train|val|test)(ing|id|idation)?(set|data)?(?![a-z])")


class NoFaces(ValueError):
    """The data set has no faces in the split asked for.

    Args:
        message: what was expected, and where.
        hint: a function that gives the end of the message. It is called when the message is asked
            for, as it may read a data set, and most who catch this error do not ask.
    """

    def __init__(self, message, hint=None):
        super().__init__(message)
        self.hint = hint

    def __str__(self):
        return super().__str__() + ("" if self.hint is None else self.hint())


@dataclass(frozen=True, eq=False)
class Sample:
    """One annotated face. Two are equal if all that is said of them is.

    Attributes:
        path: the image file, or the name of one inside of a larger file.
        points_image: (N, 2) float32, image pixels; NaN where a landmark has no label (a gap).
        scheme: name of the landmark scheme, or one of one's own (`LandmarkScheme`).
        box: (4,) float32 x0, y0, x1, y1; the box around the labelled landmarks unless the data
            set's own is given.
        tags: names of the subsets that the face belongs to, such as "pose".
        origin: where its landmarks are written, file and line, for messages.
        weights: (N,) float32, what each landmark counts in training, 0 for gaps; None: all
            labelled landmarks count the same.
        converted_from: the scheme that was labelled, if it is another one.
        visibility: (N,) float32, 1 for a landmark that is seen, 0 for one that something covers or
            that lies beyond the image, -1 for one that the face itself hides, NaN where nobody
            said; None: nobody said anything.
        member: what has a method `read` for the bytes of an image inside of a larger file; None:
            the image is the file `path`.

    Raises:
        ValueError: not N landmarks, none of them labelled, infinite coordinates, or no box.

    Example:

    >>> points = [[10, 20], [30, 20], [np.nan, np.nan]]
    >>> sample = Sample("anna.jpg", points, "plain3", box=(5, 5, 40, 40))
    >>> sample.labelled.tolist(), sample.label_weights.tolist()
    ([True, True, False], [1.0, 1.0, 0.0])
    """

    path: str
    points_image: np.ndarray
    scheme: str
    box: np.ndarray | None = None
    tags: tuple = field(default=())
    origin: str = ""
    weights: np.ndarray | None = None
    converted_from: str | None = None
    visibility: np.ndarray | None = None
    member: object = None

    def __post_init__(self):
        object.__setattr__(self, "scheme", named_scheme(self.scheme))
        object.__setattr__(self, "tags", given_tags(self.tags))
        points = self._checked_points()
        box = _box_around(points) if self.box is None else np.array(self.box, np.float32)
        if not is_box(box):
            raise ValueError(
                f"Expected a box x0, y0, x1, y1 with x1 > x0 and y1 > y0 for {self.where}. "
                f"Received: {box.tolist()}"
            )
        object.__setattr__(self, "path", os.fspath(self.path))
        object.__setattr__(self, "points_image", points)
        object.__setattr__(self, "box", box)
        if self.weights is not None:
            object.__setattr__(self, "weights", self._checked_weights())
        if self.visibility is not None:
            object.__setattr__(self, "visibility", self._checked_visibility())

    def _checked_points(self):
        points = np.array(self.points_image, np.float32)
        expected = (get_scheme(self.scheme).num_landmarks, 2)
        if points.shape != expected or np.isinf(points).any():
            raise ValueError(
                f"Expected {expected} finite landmarks ({self.scheme}) for {self.where}, NaN where "
                f"one has no label. Received: shape {points.shape}, infinite: "
                f"{bool(np.isinf(points).any())}"
            )
        points[np.isnan(points).any(-1)] = np.nan
        if np.isnan(points).all():
            raise ValueError(f"Expected at least one landmark with a label for {self.where}.")
        return points

    def _checked_weights(self):
        weights = np.array(self.weights, np.float32)
        if weights.shape == self.labelled.shape:
            weights[~self.labelled] = 0
        if weights.shape != self.labelled.shape or not (weights >= 0).all():
            raise ValueError(
                f"Expected a weight of at least 0 for each landmark of {self.where}. "
                f"Received: shape {weights.shape}, {str(weights.tolist())[:100]}"
            )
        return weights

    def _checked_visibility(self):
        visibility = np.array(self.visibility, np.float32)
        known = np.isnan(visibility) | np.isin(visibility, (1, 0, -1))
        if visibility.shape != self.labelled.shape or not known.all():
            raise ValueError(
                f"Expected for each landmark of {self.where} whether it is seen: 1, 0, -1 or null. "
                f"Received: {visibility.tolist()}"
            )
        return visibility

    def __eq__(self, other):
        return self._contents == other._contents if isinstance(other, Sample) else NotImplemented

    def __hash__(self):
        return hash(self._contents)

    @property
    def _contents(self):
        """All of it, arrays as bytes: so that NaN, where nobody said anything, equals NaN."""
        values = vars(self).values()
        return tuple(v.tobytes() if isinstance(v, np.ndarray) else v for v in values)

    def image(self):
        """The image, (H, W, 3) uint8 RGB.

        Raises:
            OSError, ValueError: as of `read_image`, naming the file.
        """
        if self.member is None:
            return read_image(self.path)
        return decode(self.member.read(), self.path)

    def content(self):
        """The bytes of the image file."""
        return Path(self.path).read_bytes() if self.member is None else self.member.read()

    @property
    def labelled(self):
        """(N,) bool: which landmarks have a label."""
        return np.isfinite(self.points_image[:, 0])

    @property
    def label_weights(self):
        """(N,) float32: `weights`, or 1 for each labelled landmark and 0 for each gap."""
        return self.labelled.astype(np.float32) if self.weights is None else self.weights

    @property
    def where(self):
        """The image and where its landmarks are written, for messages."""
        return f"{self.path} ({self.origin})" if self.origin else os.fspath(self.path)


def _box_around(points):
    """The box of the labelled landmarks; where they lie on a line, it is a pixel across."""
    box = box_of(points[np.isfinite(points[:, 0])])
    flat = box[2:] == box[:2]
    if flat.sum() == 1:
        half = np.where(flat, np.float32(0.5), np.float32(0))
        box += np.concatenate([-half, half])
    return box


def existing(path):
    """The path, if it is there.

    Raises:
        FileNotFoundError: saying which file of the data set is missing.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"The data set lacks {path}.")
    return path


def read_text(path):
    """The content of a text file of the data set, without the mark that Windows puts in front."""
    return csv_table.read_text(existing(path))


def read_json(path):
    """The content of a JSON file of the data set, with its name in the error if it is broken."""
    text = read_text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"Expected JSON in {path}: {error}") from None


def label_key(scheme):
    """The name that kits and rendered shards have for the landmarks of this scheme."""
    if scheme not in LABEL_KEYS:
        raise NoFaces(f"Expected one of the schemes {sorted(LABEL_KEYS)}. Received: {scheme!r}")
    return LABEL_KEYS[scheme]


def scheme_of(num_landmarks, scheme=None, said=None):
    """The scheme of the landmarks of a file.

    Args:
        num_landmarks: how many the file has for a face.
        scheme: one of as many landmarks: the user says that this is their order. Any other, or
            None: the usual scheme of so many, plainN if there is none.
        said: what the file itself calls their order, as results of `predict` do, which is believed;
            anything but a landmark scheme of so many says nothing.

    Example:

    >>> scheme_of(106), scheme_of(106, "insightface106"), scheme_of(106, "jd106", "insightface106")
    ('jd106', 'insightface106', 'insightface106')
    """
    with suppress(TypeError, ValueError):
        if get_scheme(said).num_landmarks == num_landmarks:
            return named_scheme(said)
    if scheme is not None and get_scheme(scheme).num_landmarks == num_landmarks:
        return named_scheme(scheme)
    return usual_scheme(num_landmarks)


def split_of(name):
    """The split that a name such as "trainset", "valid" or "Test_data" tells, or None."""
    word = _SPLIT_WORD.search(name.lower())
    return word and word[1]


def of_split(paths, folder, split, known=None):
    """Those of the files or folders that belong to the split, as the names on the way tell.

    Where no name tells, they are one set, used for whichever split is asked. Where only some
    tell, the others are left out with a warning.

    Args:
        paths: files or folders under `folder`.
        known: {lower-case name: split} of folders that belong to a split without being named so;
            of several on the way the innermost counts.
    """
    names_of = {path: path.relative_to(folder).parts for path in paths}
    splits = {path: _first(map(split_of, names)) for path, names in names_of.items()}
    if not any(splits.values()):
        return list(splits)
    for path, names in names_of.items():
        splits[path] = splits[path] or _first((known or {}).get(n.lower()) for n in names[::-1])
    lost = [path for path, told in splits.items() if told is None]
    if lost:
        warnings.warn(
            f"{name_some(lost)} left out: not in a folder named train, val or test, as others are. "
            "Read that alone, or rename it.",
            stacklevel=2,
        )
    return [path for path, told in splits.items() if told == split]


def _first(values):
    return next(filter(None, values), None)


def tags_of(place, folder):
    """The names on the way from `folder` to the folder `place` that tell no split."""
    return tuple(name for name in place.relative_to(folder).parts if split_of(name) is None)


def paths_of(samples):
    """Yields `path` of each, without more of faces that are not in memory."""
    return samples.paths() if hasattr(samples, "paths") else (sample.path for sample in samples)


def paths_among(samples, groups):
    """The paths of samples whose images are in one of the groups, too: lists or other sequences.

    Of the groups, which may not be in memory, nothing is kept.
    """
    own = {sample.path for sample in samples}
    return {path for group in groups for path in paths_of(group) if path in own}


def name_some(paths):
    """For messages: the first three paths, and how many there are."""
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(os.fspath(path) for path in paths[:3]) + more
