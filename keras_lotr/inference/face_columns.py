"""A face as a row of a table: the columns that the tables of photos, videos and `ray` share."""

from functools import cache

from keras_lotr.inference import pose
from keras_lotr.schemes import get_scheme, named_scheme, scheme_text

# What some faces have. A table has columns of it if one of its faces does.
CERTAINTY = ("sigma", "visible")
_OF_SOME = {"track_id", "low_quality", *CERTAINTY}


def kind_of_faces(faces):
    """The arguments of `columns_of_face` for a table of these faces.

    Args:
        faces: iterable of `FaceLandmarks.to_dict`.

    Raises:
        ValueError: they are of several landmark schemes.
    """
    scheme, has = None, set()
    for face in faces:
        scheme = face["scheme"] if scheme is None else scheme
        if face["scheme"] != scheme:
            both = [get_scheme(s).name for s in (scheme, face["scheme"])]
            raise ValueError(f"Expected faces of one scheme for a table. Received: {both}")
        has |= _OF_SOME & face.keys()
    return scheme, has


def columns_of_face(scheme, has=()):
    """{name: type} of the columns of a table that are about a face.

    Args:
        scheme: name of the landmark scheme; None for a table without faces.
        has: which of "track_id", "low_quality", "sigma" and "visible" a face of the table has.
    """
    return dict(_columns_of_face(None if scheme is None else named_scheme(scheme), frozenset(has)))


@cache
def _columns_of_face(scheme, has):
    """Once for all faces of a table, and their rows."""
    count = 0 if scheme is None else get_scheme(scheme).num_landmarks
    boxes = [f"box_{side}" for side in ("x0", "y0", "x1", "y1")]
    numbers = [f"{axis}{i}" for i in range(count) for axis in "xy"]
    numbers += ["quality"] if "sigma" in has else []
    numbers += [f"visible{i}" for i in range(count)] if "visible" in has else []
    if "sigma" in has:
        numbers += [f"sigma_{k}{i}" for i in range(count) for k in ("xx", "xy", "yy")]
    numbers += [] if scheme is None else _state_columns(scheme)
    numbered = {"track_id": int} if "track_id" in has else {}
    first = {**numbered, **dict.fromkeys(["score", *boxes], float), "scheme": str}
    marked = {"low_quality": bool} if "low_quality" in has else {}
    return {**first, **dict.fromkeys(numbers, float), **marked, "degrees": float}


def cells_of_face(face):
    """{name of a column: value} of a face (`FaceLandmarks.to_dict`), in `columns_of_face`.

    "low_quality" is always there, False for a face without that mark.
    """
    numbers = [value for point in face["points"] for value in point]
    numbers += [face["quality"]] if "sigma" in face else []
    numbers += face.get("visible", [])
    numbers += [value for matrix in face.get("sigma", []) for value in matrix]
    known = face.get("pose", {}) | _with_prefix(face.get("openness", {}))
    state = [known.get(name) for name in _state_columns(named_scheme(face["scheme"]))]
    marked = face.get("low_quality", False)
    first = [face["score"], *face["box"], scheme_text(face["scheme"])]
    cells = [*first, *numbers, *state, marked, face.get("degrees", 0.0)]
    scheme, has = kind_of_faces([face])
    columns = columns_of_face(scheme, {*has, "low_quality"})
    numbered = [face["track_id"]] if "track_id" in face else []
    return dict(zip(columns, [*numbered, *cells], strict=True))


@cache
def _state_columns(scheme):
    """Columns of pose and openness, where faces of this scheme have them."""
    angles = () if pose.head_model(scheme) is None else pose.ANGLES
    return [*angles, *_with_prefix(get_scheme(scheme).openings)]


def _with_prefix(openness):
    return {f"openness_{name}": value for name, value in openness.items()}
