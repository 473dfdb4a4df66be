"""Landmarks of one scheme read as another, by the landmarks that both have."""

from functools import lru_cache

import numpy as np

from keras_lotr.schemes import INSIGHTFACE_OF_JD, get_scheme, named_scheme

# Of each scheme, which of JD's landmarks its landmarks are: JD's 106 hold those of all others. That
# of 98 and 68 also follows from the widely copied map of InsightFace's 106 to iBUG's 68.
_WFLW_IN_JD = (*range(55), *range(58, 63), *range(66, 74), *range(75, 83), *range(84, 106))
_IBUG_IN_WFLW = (
    *range(0, 33, 2),
    *range(33, 38),
    *range(42, 47),
    *range(51, 60),
    *(60, 61, 63, 64, 65, 67, 68, 69, 71, 72, 73, 75),
    *range(76, 96),
)
_IN_JD106 = {
    "jd106": tuple(range(106)),
    "insightface106": tuple(int(i) for i in np.argsort(INSIGHTFACE_OF_JD)),
    "wflw98": _WFLW_IN_JD,
    "ibug68": tuple(_WFLW_IN_JD[i] for i in _IBUG_IN_WFLW),
}


def convert(points, source, target):
    """Read landmarks of one scheme as another, by the landmarks that both have.

    The 106 landmarks of JD and InsightFace are the same. They hold all of WFLW's 98, which hold all
    of iBUG's 68; the way back leaves gaps. Annotators of the data sets place contour and brows a
    little differently.

    Args:
        points: (..., N, 2) in the order of `source`.
        source, target: scheme names.

    Returns:
        (..., M, 2) in the order of `target`, NaN where `source` has no such landmark.

    Raises:
        ValueError: if nothing is known of the landmarks that both have.

    Example:

    >>> import numpy as np
    >>> convert(np.zeros((1, 98, 2)), "wflw98", "ibug68").shape
    (1, 68, 2)
    >>> int(np.isnan(convert(np.zeros((68, 2)), "ibug68", "wflw98")[:, 0]).sum())
    30
    """
    points = np.asarray(points)
    _check_points(points, get_scheme(source))
    numbers = common_landmarks(source, target)
    converted = points[..., numbers, :]
    return converted if (numbers >= 0).all() else np.where(numbers[:, None] < 0, np.nan, converted)


def common_landmarks(source, target):
    """Which landmark of one scheme each landmark of another is.

    Args:
        source, target: scheme names.

    Returns:
        (M,) ints, a landmark of `source` for each of the M of `target`; -1 where it has none. The
        array may be read-only.

    Raises:
        ValueError: as `convert`.

    Example:

    >>> common_landmarks("wflw98", "ibug68")[[0, 1, 36]].tolist()
    [0, 2, 60]
    >>> common_landmarks("ibug68", "wflw98")[[0, 1, 60]].tolist()
    [0, -1, 36]
    """
    source, target = get_scheme(source), get_scheme(target)
    if source == target:
        return np.arange(target.num_landmarks)
    if not can_convert(source, target):
        raise ValueError(
            f"Expected two schemes of {sorted(_IN_JD106)}, whose common landmarks are known. "
            f"Received: {source.name} -> {target.name}"
        )
    return _numbers(source.name, target.name)


@lru_cache
def _numbers(source, target):
    """See `common_landmarks`; read-only, since all who ask for these two schemes share it."""
    number_of = {landmark: i for i, landmark in enumerate(_IN_JD106[source])}
    numbers = np.array([number_of.get(landmark, -1) for landmark in _IN_JD106[target]])
    numbers.setflags(write=False)
    return numbers


def sources_of(scheme):
    """The other schemes that can be read as this one, those with most common landmarks first."""
    names = [name for name in _IN_JD106 if name != scheme and can_convert(name, scheme)]
    return sorted(names, key=lambda name: (common_landmarks(name, scheme) < 0).sum())


def can_convert(source, target):
    """Whether `convert` knows the common landmarks of two schemes."""
    schemes = {named_scheme(source), named_scheme(target)}  # of one's own may have any name
    return len(schemes) == 1 or schemes <= _IN_JD106.keys()


def _check_points(points, scheme):
    if points.shape[-2:] != (scheme.num_landmarks, 2):
        raise ValueError(
            f"Expected points of {scheme.name} as (..., {scheme.num_landmarks}, 2). "
            f"Received: shape {points.shape}"
        )
