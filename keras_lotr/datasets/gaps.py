"""Landmarks that nobody labelled: how files say so, and what becomes of the faces."""

import warnings
from contextlib import suppress

import numpy as np

from keras_lotr.conversions import can_convert, common_landmarks, convert
from keras_lotr.datasets.samples import Sample


def without_missing(points):
    """Landmarks with NaN for those at (-1, -1), by which several data sets say "missing".

    Args:
        points: (N, 2) as the file has them.

    Returns:
        (N, 2) float64.

    Example:

    >>> without_missing([[3, 4], [-1, -1], [-1, 5]]).tolist()
    [[3.0, 4.0], [nan, nan], [-1.0, 5.0]]
    """
    points = np.array(points, np.float64)
    points[(points == -1).all(-1)] = np.nan
    return points


def points_of_json(values, origin):
    """Landmarks of a JSON file, null for those without label.

    Args:
        values: list of [x, y] or None.
        origin: where they are written, for the message.

    Returns:
        (N, 2) float64, NaN where a landmark has no label.

    Raises:
        ValueError: if it is no such list.

    Example:

    >>> points_of_json([[3, 4], None], "labels.json").tolist()
    [[3.0, 4.0], [nan, nan]]
    """
    try:
        pairs = [(np.nan, np.nan) if value is None else value for value in values]
        return without_missing(np.reshape(np.array(pairs, np.float64), (len(pairs), 2)))
    except (TypeError, ValueError):
        raise ValueError(
            f"Expected landmarks as a list of [x, y], or null without label, in {origin}. "
            f"Received: {str(values)[:200]}"
        ) from None


def numbers_of_json(values, origin):
    """Numbers of a JSON file, null for those that nobody gave.

    Args:
        values: list of numbers or None; None for no list at all.
        origin: where they are written, for the message.

    Returns:
        (N,) float64, NaN where there is none; None for no list.

    Raises:
        ValueError: if it is no such list.

    Example:

    >>> numbers_of_json([1, None, -1], "labels.json").tolist()
    [1.0, nan, -1.0]
    """
    if values is None:
        return None
    with suppress(TypeError, ValueError):
        if isinstance(values, list):
            return np.array(values, np.float64)
    raise ValueError(
        f"Expected a list of numbers, or null, in {origin}. Received: {str(values)[:200]}"
    )


def labelled_samples(faces, source, scheme=None):
    """A `Sample` of each face that has labels; how many others there are is warned of once.

    A box needs two landmarks, so a face with one label only is left out, too.

    Args:
        faces: list of dicts, each the arguments of a `Sample`.
        source: the file or folder that they come from, for the warning.
        scheme: wanted scheme; None: each face's own.

    Raises:
        ValueError: naming the face, if its landmarks cannot be converted.
    """
    labelled = [face for face in faces if _num_labelled(face) >= min(2, len(face["points_image"]))]
    if len(labelled) < len(faces):
        warnings.warn(
            f"{len(faces) - len(labelled)} of {len(faces)} faces of {source} left out: fewer than "
            "two of their landmarks have a label.",
            stacklevel=2,
        )
    samples = [Sample(**face) for face in labelled]
    return samples if scheme is None else in_scheme(samples, scheme, source)


def in_scheme(samples, scheme, source):
    """Samples with the landmarks that their scheme and another have in common, in its order.

    The others are gaps, and the box is that of the landmarks of the new scheme.

    Args:
        samples, source: as of `labelled_samples`; those of the scheme are handed back.
        scheme: wanted scheme.
    """
    if all(sample.scheme == scheme for sample in samples):
        return samples
    return labelled_samples([_in_scheme(sample, scheme) for sample in samples], source)


def _in_scheme(sample, scheme):
    """The arguments of the converted sample."""
    if not can_convert(sample.scheme, scheme):
        raise ValueError(
            f"Expected {scheme} landmarks, or such as can be read as those, for {sample.where}. "
            f"Received: {sample.scheme}"
        )
    numbers = common_landmarks(sample.scheme, scheme)
    weights, visibility = sample.weights, sample.visibility
    if weights is not None:
        weights = np.where(numbers < 0, 0, weights[numbers])
    if visibility is not None:
        visibility = np.where(numbers < 0, np.nan, visibility[numbers])
    return {
        "path": sample.path,
        "member": sample.member,
        "points_image": convert(sample.points_image, sample.scheme, scheme),
        "scheme": scheme,
        "tags": sample.tags,
        "origin": sample.origin,
        "weights": weights,
        "visibility": visibility,
        "converted_from": sample.converted_from if sample.scheme == scheme else sample.scheme,
    }


def _num_labelled(face):
    return (~np.isnan(face["points_image"]).any(-1)).sum()
