"""What one knows of an order of landmarks: its flip, contours, regions and normaliser.

Left and right are the sides **of the image**.
"""

import json
from dataclasses import asdict, dataclass, fields

import numpy as np

from keras_lotr.scheme_checks import check_scheme

NORMALIZERS = ("outer_eyes", "box", "interpupil")


def _as_tuple(value):
    """Lists and arrays within each other as tuples of Python's numbers, which can be hashed."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    return tuple(map(_as_tuple, value)) if isinstance(value, list | tuple) else value


@dataclass(frozen=True)
class Contour:
    """A run of landmarks that are drawn as one line."""

    region: str
    indices: tuple
    closed: bool = False

    def __post_init__(self):
        object.__setattr__(self, "indices", _as_tuple(self.indices))


@dataclass(frozen=True)
class LandmarkScheme:
    """An order of landmarks.

    Attributes:
        name: "wflw98", "jd106", "ibug68", "insightface106", or "plain21" for 21 landmarks of
            one's own, of which nothing more is known (`flip_order`, `outer_eyes` and
            `five_points` are then None).
        num_landmarks: N.
        flip_order: (N,) ints; mirrored landmark i is the landmark `flip_order[i]` of the face:
            `mirrored = points[flip_order]` after x has been mirrored.
        contours: the lines to draw, each with the region that it belongs to.
        points: region -> landmarks that belong to no line (pupils).
        outer_eyes: the two outer eye corners.
        normalizer: "outer_eyes": the NME is divided by the distance of the outer eye corners;
            "box": by sqrt(w * h) of the box around the true landmarks (JD-landmark challenge);
            "interpupil": by the distance of the centres of the eyes.
        five_points: for each of left eye, right eye, nose tip, left and right mouth corner, the
            landmarks whose mean it is.

    Raises:
        ValueError: landmarks that there are not, a landmark without a region or with two, or a flip
            order that does not undo itself.

    Example:

    >>> from keras_lotr.schemes import get_scheme
    >>> scheme = get_scheme("ibug68")
    >>> scheme.num_landmarks, scheme.outer_eyes, sorted(scheme.regions)
    (68, (36, 45), ['brows', 'contour', 'eyes', 'mouth', 'nose'])
    """

    name: str
    num_landmarks: int
    flip_order: tuple
    contours: tuple
    points: tuple
    outer_eyes: tuple
    normalizer: str
    five_points: tuple

    def __post_init__(self):
        for field in fields(self):
            object.__setattr__(self, field.name, _as_tuple(getattr(self, field.name)))
        check_scheme(self)

    def __str__(self):
        return self.name

    @property
    def regions(self):
        """{region: sorted tuple of its landmarks}; every landmark is in exactly one region."""
        members = {}
        for contour in (*self.contours, *self.points):
            members.setdefault(contour.region, set()).update(contour.indices)
        return {region: tuple(sorted(indices)) for region, indices in members.items()}

    @property
    def named_regions(self):
        """`regions`, and each half of those that a face has on both sides: left_eye, right_eye, ...

        Example:

        >>> from keras_lotr.schemes import get_scheme
        >>> regions = get_scheme("ibug68").named_regions
        >>> regions["left_eye"]
        (36, 37, 38, 39, 40, 41)
        """
        return {**self.regions, **self._halves()}

    @property
    def openings(self):
        """{left_eye, right_eye, mouth: pairs of landmarks on either side of the opening}.

        Empty for a scheme without closed lines around both eyes and the lips.

        Example:

        >>> from keras_lotr.schemes import get_scheme
        >>> get_scheme("ibug68").openings["left_eye"]
        ((37, 41), (38, 40))
        """
        return {
            name: tuple(zip(line[1 : len(line) // 2], line[: len(line) // 2 : -1], strict=True))
            for name, line in self.opening_lines.items()
        }

    @property
    def opening_lines(self):
        """{left_eye, right_eye, mouth: landmarks from corner to corner along the upper side, and
        back along the lower}, as `openings`."""
        lines = self.outlines
        names = {"left_eye": "left_eye", "right_eye": "right_eye", "mouth": "inner_lips"}
        return {name: lines[outline] for name, outline in names.items()} if lines else {}

    @property
    def outlines(self):
        """{left_eye, right_eye, outer_lips, inner_lips: landmarks around it, in order}.

        Empty for a scheme without closed lines around both eyes and the lips.

        Example:

        >>> from keras_lotr.schemes import get_scheme
        >>> get_scheme("wflw98").outlines["left_eye"]
        (60, 61, 62, 63, 64, 65, 66, 67)
        """
        closed = [contour for contour in self.contours if contour.closed]
        eyes = [contour.indices for contour in closed if contour.region == "eyes"]
        lips = [contour.indices for contour in closed if contour.region == "mouth"]
        if len(eyes) != 2 or not lips:
            return {}
        lines = {"left_eye": eyes[0], "right_eye": eyes[1]}
        return {**lines, "outer_lips": lips[0], "inner_lips": lips[-1]}

    def _halves(self):
        """{left_eye: landmarks, right_eye: ...}: of a mirrored pair the first is the left one."""
        halves, left = {}, set()
        if self.flip_order is None:
            return halves
        lines = [set(contour.indices) for contour in self.contours]
        for contour in (*self.contours, *self.points):
            mirrored = [self.flip_order[i] for i in contour.indices]
            paired = contour in self.points or set(mirrored) in lines
            if not paired or set(mirrored) == set(contour.indices) and contour in self.contours:
                continue
            for i, other in zip(contour.indices, mirrored, strict=True):
                if i not in left and other not in left:
                    left.add(i)
                side = "left" if i in left else "right"
                halves.setdefault(f"{side}_{contour.region.removesuffix('s')}", []).append(i)
        return {name: tuple(sorted(indices)) for name, indices in halves.items()}

    def check_normalizer(self, name=None):
        """The name of a normaliser that this scheme can have; None: its own.

        Raises:
            ValueError: if it is unknown, or the scheme does not say where the eyes are.
        """
        name = name or self.normalizer
        if name not in NORMALIZERS:
            raise ValueError(f"Expected a normalizer, one of {NORMALIZERS}. Received: {name!r}")
        eyes = {"outer_eyes": self.outer_eyes, "interpupil": self.five_points}
        if eyes.get(name, ()) is None:
            raise ValueError(
                f"Expected the normalizer 'box': the scheme {self.name} does not say which "
                f"landmarks are the eyes. Received: {name!r}"
            )
        return name

    def to_config(self):
        """All of the scheme as JSON has it: a dict of lists, strings and numbers."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_config(cls, config):
        """The scheme that `to_config` wrote.

        Raises:
            ValueError: the config is of none.

        Example:

        >>> from keras_lotr.schemes import get_scheme
        >>> scheme = get_scheme("ibug68")
        >>> LandmarkScheme.from_config(scheme.to_config()) == scheme
        True
        """
        try:
            config = dict(config)
            for key in ("contours", "points"):
                config[key] = [Contour(**part) for part in config[key]]
            return cls(**config)
        except (AttributeError, LookupError, TypeError) as error:
            raise ValueError(
                f"Expected the config of a landmark scheme, as to_config writes it: {error!r}"
            ) from None

    def five(self, points):
        """The five alignment points: (..., N, 2) -> (..., 5, 2)."""
        if self.five_points is None:
            raise ValueError(f"The scheme {self.name} says no five points to align a face by.")
        points = np.asarray(points)
        return np.stack([points[..., list(group), :].mean(-2) for group in self.five_points], -2)

    def mirror(self, points, width):
        """The landmarks of the mirrored image of this width: (..., N, 2) -> (..., N, 2).

        Further columns only change their order.
        """
        if self.flip_order is None:
            raise ValueError(f"The scheme {self.name} says no flip order to mirror a face with.")
        mirrored = np.array(points)[..., list(self.flip_order), :]
        mirrored[..., 0] = width - 1 - mirrored[..., 0]
        return mirrored
