"""What was found: the landmarks of a face."""

import os
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from keras_lotr.conversions import common_landmarks
from keras_lotr.inference import adapters, certainty, formats, pose
from keras_lotr.inference.face_entries import arguments_of, entries_of, plain_number
from keras_lotr.inference.saved_results import is_result
from keras_lotr.schemes import get_scheme, named_scheme
from keras_lotr.writing import check_replaced


@dataclass(frozen=True, eq=False)
class FaceLandmarks:
    """The landmarks of a face.

    Attributes:
        points: (N, 2) float32, image pixels; integers are pixel centres.
        box: (4,) float32 x0, y0, x1, y1, image pixels, from which the crop was made.
        score: 0..1, the detector's confidence; 0 for the middle of a photo, of which the landmarks
            alone say that a face fills it; None for a box that was given.
        scheme: name of the landmark scheme, or a `LandmarkScheme` of one's own.
        degrees: in-plane rotation of the face in the image, clockwise; the crop is upright.
        sigma: (N, 2, 2) float32, the scale matrix of each landmark's error in squared image pixels,
            see `keras_lotr.inference.certainty`; None if the model does not say how sure it is.
        visible: (N,) float32, the probability that each landmark is seen; None likewise.
        track_id: number of the face in a video, from `FaceTracker`; None in an image.

    `face["left_eye"]` are the landmarks of a region, and `"left_eye" in face` says whether its
    scheme has one of that name. Faces with the same values, NaN in the same places, are equal. The
    arrays are read-only, those of copies, too.

    Raises:
        ValueError: an array does not fit the scheme, the scheme is unknown, or score, degrees or
            track_id is no number.

    Example:

    >>> face = FaceLandmarks([[10, 20], [30, 40]], [10, 20, 30, 40], 0.9, "plain2")
    >>> face
    FaceLandmarks(2 landmarks (plain2), box [10, 20, 30, 40], score 0.90)
    >>> len(face), FaceLandmarks.from_dict(face.to_dict()) == face
    (2, True)
    """

    points: np.ndarray
    box: np.ndarray
    score: float | None
    scheme: str
    degrees: float = 0.0
    sigma: np.ndarray | None = None
    visible: np.ndarray | None = None
    track_id: int | None = None

    def __post_init__(self):
        for name in ("points", "box", "sigma", "visible"):
            if getattr(self, name) is not None:
                array = np.array(getattr(self, name), np.float32)
                array.flags.writeable = False
                object.__setattr__(self, name, array)
        for name in ("score", "degrees", "track_id"):
            value = getattr(self, name)
            if value is not None or name == "degrees":
                object.__setattr__(self, name, plain_number(value, name))
        object.__setattr__(self, "scheme", named_scheme(self.scheme))
        self._check_shapes()

    def _check_shapes(self):
        count = get_scheme(self.scheme).num_landmarks
        shapes = {"points": (count, 2), "box": (4,), "sigma": (count, 2, 2), "visible": (count,)}
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array is not None and array.shape != shape:
                raise ValueError(
                    f"Expected {name} of shape {shape} for a face of {count} landmarks "
                    f"({self.scheme}). Received: {array.shape}"
                )

    def __repr__(self):
        score = "" if self.score is None else f", score {self.score:.2f}"
        turned = f", turned by {self.degrees:g} degrees" if self.degrees else ""
        box = np.rint(self.box).astype(int).tolist()
        return f"FaceLandmarks({len(self)} landmarks ({self.scheme}), box {box}{score}{turned})"

    def __len__(self):
        return len(self.points)

    def __getitem__(self, key):
        return self.region(key) if isinstance(key, str) else self.points[key]

    def __contains__(self, name):
        return isinstance(name, str) and name in self.regions

    @property
    def regions(self):
        """Names of the regions of its landmark scheme: eyes, left_eye, ..."""
        return tuple(get_scheme(self.scheme).named_regions)

    def region(self, name):
        """The landmarks of a region, in the order of the scheme.

        Args:
            name: one of `regions`. Left and right are the sides of the image.

        Returns:
            (n, 2) float32, image pixels.

        Raises:
            KeyError: the scheme has no such region.

        Example:

        >>> face = FaceLandmarks(np.zeros((68, 2)), [0, 0, 9, 9], None, "ibug68")
        >>> face.region("left_eye").shape, face["mouth"].shape
        ((6, 2), (20, 2))
        """
        return self._named("a region", name, get_scheme(self.scheme).named_regions)

    def outline(self, name):
        """The landmarks around an eye or the lips, in order, as a polygon.

        Args:
            name: "left_eye", "right_eye", "outer_lips" or "inner_lips".

        Returns:
            (n, 2) float32, image pixels; without pupils, which belong to the regions of eyes.

        Raises:
            KeyError: the scheme has no such outline.

        Example:

        >>> face = FaceLandmarks(np.zeros((98, 2)), [0, 0, 9, 9], None, "wflw98")
        >>> face.outline("left_eye").shape, face.region("left_eye").shape
        ((8, 2), (9, 2))
        """
        return self._named("an outline", name, get_scheme(self.scheme).outlines)

    def _named(self, what, name, known):
        """The landmarks that have a name, of {name: numbers of landmarks}."""
        if name not in known:
            raise KeyError(
                f"Expected {what} of {self.scheme}, one of {', '.join(known) or 'none'}. "
                f"Received: {name!r}"
            )
        return self.points[list(known[name])]

    def to_scheme(self, scheme):
        """The face with the landmarks of another scheme, all of which its own must have.

        Args:
            scheme: name, such as "ibug68" for a face of 98 or 106 landmarks.

        Returns:
            `FaceLandmarks`, which keeps box, score, number and how sure its landmarks are.

        Raises:
            ValueError: a landmark of that scheme is none of this one's.

        Example:

        >>> face = FaceLandmarks(np.zeros((98, 2)), [0, 0, 9, 9], None, "wflw98")
        >>> face.to_scheme("ibug68")
        FaceLandmarks(68 landmarks (ibug68), box [0, 0, 9, 9])
        """
        numbers = common_landmarks(self.scheme, scheme)
        if (numbers < 0).any():
            raise ValueError(
                f"Expected a scheme whose landmarks {self.scheme} has. Received: {scheme}, of "
                f"which it lacks {(numbers < 0).sum()}"
            )
        found = {name: getattr(self, name) for name in ("points", "sigma", "visible")}
        found = {name: None if a is None else a[numbers] for name, a in found.items()}
        return replace(self, scheme=scheme, **found)

    def ellipse(self, level=0.9):
        """The ellipse around each landmark that contains the true one with a probability.

        Args:
            level: the probability.

        Returns:
            (N, 3): half of the long axis, half of the short axis, in image pixels, and the
            direction of the long axis in degrees from x towards y; None without `sigma`.

        Example:

        >>> sigma = np.tile(np.eye(2), (68, 1, 1))
        >>> face = FaceLandmarks(np.zeros((68, 2)), [0, 0, 9, 9], None, "ibug68", sigma=sigma)
        >>> face.ellipse(0.9).shape
        (68, 3)
        """
        return None if self.sigma is None else certainty.ellipses(self.sigma, level)

    @cached_property
    def quality(self):
        """0..1, the share of landmarks expected within 5 % of the face's size; None without sigma.

        Of a box without a face it is close to 0.
        """
        return None if self.sigma is None else certainty.quality(self.sigma, self.points)

    @property
    def pose(self):
        """`HeadPose`: yaw, pitch and roll in degrees; None where it cannot be told.

        See `keras_lotr.inference.pose`, whose `head_pose` also takes a focal length.
        """
        return pose.head_pose(self.points, self.scheme)

    @property
    def openness(self):
        """{"left_eye", "right_eye", "mouth"}: height over width of the openings, see `openness`.

        Without those that are more probably hidden than seen, and those that have no place.
        """
        lines = get_scheme(self.scheme).opening_lines
        return {
            name: height
            for name, height in pose.openness(self.points, self.scheme).items()
            if np.isfinite(height)
            and (self.visible is None or self.visible[list(lines[name])].mean() >= 0.5)
        }

    @property
    def five_points(self):
        """The five points to align a face by, (5, 2) float32 image pixels; None if it has none.

        Middle of the eye on the left of the image, of the eye on the right, nose tip, mouth corner
        on the left, on the right. Schemes of a part of the face say none.

        Example:

        >>> FaceLandmarks(np.zeros((68, 2)), [0, 0, 9, 9], None, "ibug68").five_points.shape
        (5, 2)
        """
        scheme = get_scheme(self.scheme)
        return None if scheme.five_points is None else scheme.five(self.points)

    def to_supervision(self):
        """The face as `supervision.KeyPoints`, see `adapters.to_supervision`."""
        return adapters.to_supervision([self])

    def to_pandas(self):
        """The face as a table of pandas, see `adapters.to_pandas`."""
        return adapters.to_pandas([self])

    def __eq__(self, other):
        if not isinstance(other, FaceLandmarks):
            return NotImplemented
        names = ("score", "scheme", "degrees", "track_id")
        same = all(getattr(self, name) == getattr(other, name) for name in names)
        names = ("points", "box", "sigma", "visible")
        return same and all(_same(getattr(self, n), getattr(other, n)) for n in names)

    __hash__ = None  # arrays have none

    def __reduce__(self):  # arrays that are copied or pickled alone are writable
        return type(self), tuple(getattr(self, field.name) for field in fields(self))

    @classmethod
    def from_dict(cls, entries):
        """Read the face that `to_dict` wrote.

        Raises:
            ValueError: an entry is missing, or is not of its kind.
        """
        return cls(**arguments_of(entries))

    def to_dict(self):
        """Return {"points", "box", "score", "scheme"} of plain numbers, rounded to 1/1000 pixel.

        "scheme" is a name, or a dict of all that a scheme of one's own says. A rotated face has
        "degrees", a face of a video "track_id". Of a model that says how sure it is, there are
        "sigma" (xx, xy and yy of each landmark, squared pixels), with "quality", and "visible".
        Where they can be told, there are "pose" (yaw, pitch and roll in degrees) and "openness" of
        eyes and mouth.
        """
        return entries_of(self)

    def save(self, path, image=""):
        """Write a .json, .csv or .pts file of this face alone; of many faces: `write_results`.

        Args:
            path: path of the file, whose ending chooses the format; it replaces earlier results
                only.
            image: entry of the column `image` of a CSV.

        Raises:
            ValueError: the ending is another one, or something else than results is there.
        """
        path, face = Path(path), self.to_dict()
        entry = {"source": os.fspath(image), "faces": [face]}
        writers = {
            ".json": lambda: formats.json_line(face) + "\n",
            ".csv": lambda: formats.to_csv([entry], path.parent),
            ".pts": lambda: formats.to_pts(face),
        }
        if path.suffix.lower() not in writers:
            raise ValueError(f"Expected a file {', '.join(writers)}. Received: {path}")
        check_replaced(path, is_result, "predict")
        formats.write_text(path, writers[path.suffix.lower()]())


def _same(a, b):
    return a is b if a is None or b is None else np.array_equal(a, b, equal_nan=True)
