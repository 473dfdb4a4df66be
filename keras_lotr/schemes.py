"""What landmark number 36 means: the orders of the landmark schemes.

Left and right are the sides **of the image** throughout. Orders, flips and normalisers are those of
the data sets' own tools as MMPose states them (configs/_base_/datasets/wflw.py, lapa.py, 300w.py);
the InsightFace order is that of its 2d106det model.
"""

import json
import re
from functools import lru_cache

from keras_lotr.landmark_scheme import Contour, LandmarkScheme

_USUAL = {68: "ibug68", 98: "wflw98", 106: "jd106"}  # by the number of landmarks


def get_scheme(scheme):
    """The scheme of that name or config; a `LandmarkScheme` is handed back.

    Raises:
        ValueError: for an unknown name.
    """
    if isinstance(scheme, LandmarkScheme):
        return scheme
    if isinstance(scheme, dict):
        return LandmarkScheme.from_config(scheme)
    if isinstance(scheme, str) and scheme in SCHEMES:
        return SCHEMES[scheme]
    if isinstance(scheme, str) and re.fullmatch(r"plain[0-9]{1,4}", scheme):
        return _plain(scheme, int(scheme[5:]))
    raise ValueError(
        f"Expected a landmark scheme, one of {sorted(SCHEMES)}, or plainN for N landmarks of your "
        f"own. Received: {scheme!r}"
    )


def usual_scheme(num_landmarks):
    """The name of the usual scheme of so many landmarks, plainN if there is none.

    Example:

    >>> usual_scheme(106), usual_scheme(21)
    ('jd106', 'plain21')
    """
    return _USUAL.get(num_landmarks, f"plain{num_landmarks}")


def named_scheme(scheme):
    """The name of a known scheme, or the `LandmarkScheme` of one's own, to compare and to hash.

    Args:
        scheme: as of `get_scheme`, which takes both again.

    Raises:
        ValueError: for an unknown name.

    Example:

    >>> named_scheme(get_scheme("ibug68").to_config())
    'ibug68'
    """
    scheme, given = get_scheme(scheme), scheme
    if isinstance(given, str):
        return given
    try:
        known = get_scheme(scheme.name) == scheme
    except ValueError:
        known = False
    return scheme.name if known else scheme


def scheme_config(scheme):
    """What JSON has of a scheme: its name, or all of a scheme of one's own as a dict.

    `get_scheme` makes the scheme of it again.
    """
    scheme = named_scheme(scheme)
    return scheme if isinstance(scheme, str) else scheme.to_config()


def scheme_text(config):
    """What a table has of a scheme: its name, or the JSON of what `scheme_config` gives."""
    return config if isinstance(config, str) else json.dumps(config)


def scheme_of_text(text):
    """The config whose `scheme_text` it is.

    Raises:
        ValueError: it is none.
    """
    if not text.startswith("{"):
        return text
    try:
        return scheme_config(json.loads(text))
    except RecursionError as error:
        raise ValueError(f"Expected a landmark scheme as JSON: {error}") from None


@lru_cache(maxsize=64)
def _plain(name, num_landmarks):
    """N landmarks about which nothing is known but their number: no flip, NME by the box."""
    everything = Contour("all", _span(0, num_landmarks - 1))
    return LandmarkScheme(name, num_landmarks, None, (), (everything,), None, "box", None)


def _span(first, last):
    return tuple(range(first, last + 1))


def _flip(num_landmarks, *pairs):
    """The flip order in which each (a, b) of equally long runs is swapped element by element."""
    order = list(range(num_landmarks))
    for left, right in pairs:
        for a, b in zip(left, right, strict=True):
            order[a], order[b] = b, a
    return tuple(order)


def _down(first, last):
    return tuple(range(first, last - 1, -1))


_IBUG68 = LandmarkScheme(
    name="ibug68",
    num_landmarks=68,
    flip_order=_flip(
        68,
        (_span(0, 7), _down(16, 9)),
        (_span(17, 21), _down(26, 22)),
        (_span(31, 32), _down(35, 34)),
        (_span(36, 41), (45, 44, 43, 42, 47, 46)),
        (_span(48, 50), _down(54, 52)),
        ((58, 59, 60, 61, 67), (56, 55, 64, 63, 65)),
    ),
    contours=(
        Contour("contour", _span(0, 16)),
        Contour("brows", _span(17, 21)),
        Contour("brows", _span(22, 26)),
        Contour("nose", _span(27, 30)),
        Contour("nose", _span(31, 35)),
        Contour("eyes", _span(36, 41), closed=True),
        Contour("eyes", _span(42, 47), closed=True),
        Contour("mouth", _span(48, 59), closed=True),
        Contour("mouth", _span(60, 67), closed=True),
    ),
    points=(),
    outer_eyes=(36, 45),
    normalizer="outer_eyes",
    five_points=(_span(36, 41), _span(42, 47), (30,), (48,), (54,)),
)

_WFLW98 = LandmarkScheme(
    name="wflw98",
    num_landmarks=98,
    flip_order=_flip(
        98,
        (_span(0, 15), _down(32, 17)),
        (_span(33, 37), _down(46, 42)),
        (_span(38, 41), (50, 49, 48, 47)),
        (_span(55, 56), _down(59, 58)),
        (_span(60, 67), (72, 71, 70, 69, 68, 75, 74, 73)),
        (_span(76, 78), _down(82, 80)),
        ((86, 87), (84, 83)),
        ((88, 89, 95), (92, 91, 93)),
        ((96,), (97,)),
    ),
    contours=(
        Contour("contour", _span(0, 32)),
        Contour("brows", _span(33, 41), closed=True),
        Contour("brows", _span(42, 50), closed=True),
        Contour("nose", _span(51, 54)),
        Contour("nose", _span(55, 59)),
        Contour("eyes", _span(60, 67), closed=True),
        Contour("eyes", _span(68, 75), closed=True),
        Contour("mouth", _span(76, 87), closed=True),
        Contour("mouth", _span(88, 95), closed=True),
    ),
    points=(Contour("eyes", (96, 97)),),
    outer_eyes=(60, 72),
    normalizer="outer_eyes",
    five_points=(_span(60, 67), _span(68, 75), (54,), (76,), (82,)),
)

_JD106 = LandmarkScheme(
    name="jd106",
    num_landmarks=106,
    flip_order=_flip(
        106,
        (_span(0, 15), _down(32, 17)),
        (_span(33, 37), _down(46, 42)),
        (_span(38, 41), (50, 49, 48, 47)),
        (_span(55, 59), _down(65, 61)),
        (_span(66, 73), (79, 78, 77, 76, 75, 82, 81, 80)),
        ((74,), (83,)),
        (_span(84, 86), _down(90, 88)),
        ((94, 95), (92, 91)),
        ((96, 97, 103), (100, 99, 101)),
        ((104,), (105,)),
    ),
    contours=(
        Contour("contour", _span(0, 32)),
        Contour("brows", _span(33, 41), closed=True),
        Contour("brows", _span(42, 50), closed=True),
        Contour("nose", _span(51, 54)),
        Contour("nose", _span(55, 65)),
        Contour("eyes", _span(66, 73), closed=True),
        Contour("eyes", _span(75, 82), closed=True),
        Contour("mouth", _span(84, 95), closed=True),
        Contour("mouth", _span(96, 103), closed=True),
    ),
    points=(Contour("eyes", (74, 83, 104, 105)),),
    outer_eyes=(66, 79),
    normalizer="box",
    five_points=(_span(66, 73), _span(75, 82), (54,), (84,), (90,)),
)

# The position in InsightFace's order of each JD landmark (the LaPa converter of InsightFace users).
INSIGHTFACE_OF_JD = (
    *(1, 9, 10, 11, 12, 13, 14, 15, 16, 2, 3, 4, 5, 6, 7, 8, 0),
    *(24, 23, 22, 21, 20, 19, 18, 32, 31, 30, 29, 28, 27, 26, 25, 17),
    *(43, 48, 49, 51, 50, 46, 47, 45, 44, 102, 103, 104, 105, 101, 100, 99, 98, 97),
    *(72, 73, 74, 86, 75, 76, 77, 78, 79, 80, 85, 84, 83, 82, 81),
    *(35, 41, 40, 42, 39, 37, 33, 36, 34, 89, 95, 94, 96, 93, 91, 87, 90, 88),
    *(52, 64, 63, 71, 67, 68, 61, 58, 59, 53, 56, 55, 65, 66, 62, 70, 69, 57, 60, 54, 38, 92),
)


def _reorder(scheme, name, new_index):
    """The same landmarks under other numbers: landmark i becomes `new_index[i]`."""
    flip = [0] * scheme.num_landmarks
    for old, mirrored in enumerate(scheme.flip_order):
        flip[new_index[old]] = new_index[mirrored]

    def renumber(indices):
        return tuple(new_index[i] for i in indices)

    def renumber_all(contours):
        return tuple(Contour(c.region, renumber(c.indices), c.closed) for c in contours)

    return LandmarkScheme(
        name=name,
        num_landmarks=scheme.num_landmarks,
        flip_order=tuple(flip),
        contours=renumber_all(scheme.contours),
        points=renumber_all(scheme.points),
        outer_eyes=renumber(scheme.outer_eyes),
        normalizer=scheme.normalizer,
        five_points=tuple(renumber(group) for group in scheme.five_points),
    )


_INSIGHTFACE106 = _reorder(_JD106, "insightface106", INSIGHTFACE_OF_JD)

SCHEMES = {s.name: s for s in (_IBUG68, _WFLW98, _JD106, _INSIGHTFACE106)}
