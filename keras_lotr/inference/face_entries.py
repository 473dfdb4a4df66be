"""A face as files have it: a dict of plain numbers, checked when it is read."""

from contextlib import suppress

import numpy as np

from keras_lotr.inference.certainty import three_numbers
from keras_lotr.inference.pose import ANGLES
from keras_lotr.schemes import scheme_config

_NEEDED = ("points", "box", "scheme")


def arguments_of(entries):
    """The arguments of `FaceLandmarks` in the dict that its `to_dict` wrote.

    Args:
        entries: {"points", "box", "scheme"}, and what else the face has.

    Returns:
        dict; degrees are 0 if they are not there.

    Raises:
        ValueError: an entry is missing or is no number, or numbers, as it should be.

    Example:

    >>> arguments = arguments_of({"points": [[1, 2]], "box": [0, 0, 9, 9], "scheme": "plain1"})
    >>> arguments["points"].shape, arguments["score"], arguments["degrees"]
    ((1, 2), None, 0.0)
    """
    if not isinstance(entries, dict):
        raise ValueError(
            f"Expected a face as a dict with {', '.join(_NEEDED)}. Received: {str(entries)[:200]}"
        )
    missing = [name for name in _NEEDED if entries.get(name) is None]
    if missing:
        raise ValueError(f"Expected a face with {', '.join(missing)}. Received: {list(entries)}")
    found = {name: _numbers(entries, name) for name in ("points", "box", "sigma", "visible")}
    if found["sigma"] is not None:
        found["sigma"] = _matrices(found["sigma"])
    found |= {name: entries.get(name) for name in ("score", "track_id")}
    degrees = entries.get("degrees")
    return {**found, "degrees": 0.0 if degrees is None else degrees, "scheme": entries["scheme"]}


def plain_number(value, name):
    """A number of NumPy, or a tensor of one, as Python's own, which JSON can hold.

    Args:
        value: the number.
        name: what of a face it is; "track_id" is a whole number.

    Raises:
        ValueError: it is none.

    Example:

    >>> plain_number(np.float32(0.5), "score"), plain_number(np.int64(3), "track_id")
    (0.5, 3)
    """
    is_whole = name == "track_id"
    with suppress(TypeError, ValueError, OverflowError):
        number = float(value)
        if not (isinstance(value, str | bytes) or (is_whole and not number.is_integer())):
            return int(value) if is_whole else number
    what = "a whole number" if is_whole else "a number"
    raise ValueError(f"Expected {name} of a face as {what}. Received: {str(value)[:200]}")


def entries_of(face):
    """What `FaceLandmarks.to_dict` returns."""
    numbered = {} if face.track_id is None else {"track_id": face.track_id}
    turned = {"degrees": round(face.degrees, 3)} if face.degrees else {}
    return {
        **numbered,
        **turned,
        **_certainty(face),
        "points": _rounded(face.points),
        "box": _rounded(face.box),
        "score": face.score if face.score is None else round(face.score, 4),
        "scheme": scheme_config(face.scheme),
        **_state(face),
    }


def _certainty(face):
    found = {}
    if face.sigma is not None:
        numbers = three_numbers(face.sigma.astype(np.float64)).tolist()
        found["sigma"] = [[float(f"{value:.4g}") for value in row] for row in numbers]
    if face.visible is not None:
        found["visible"] = _rounded(face.visible)
    return found if face.sigma is None else {**found, "quality": round(face.quality, 4)}


def _state(face):
    found, opened = face.pose, face.openness
    angles = {} if found is None else {name: getattr(found, name) for name in ANGLES}
    state = {"pose": (angles, 2), "openness": (opened, 3)}
    return {
        name: {key: round(float(value), digits) for key, value in values.items()}
        for name, (values, digits) in state.items()
        if values
    }


def _rounded(array):
    return np.round(np.asarray(array, np.float64), 3).tolist()


def _numbers(entries, name):
    """An array; None if there is none."""
    try:
        return None if entries.get(name) is None else np.array(entries[name], np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"Expected {name} of a face as lists of numbers. Received: {str(entries[name])[:200]}"
        ) from None


def _matrices(three):
    """(N, 2, 2) of xx, xy and yy."""
    if three.ndim != 2 or three.shape[1] != 3:
        raise ValueError(
            f"Expected sigma of a face as [xx, xy, yy] of each landmark. Received: {three.shape}"
        )
    return three[:, [0, 1, 1, 2]].reshape(-1, 2, 2)
