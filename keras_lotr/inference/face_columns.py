"""A face as a row of a table: the columns that the tables of photos, videos and `ray` share."""

from functools import cache

from keras_lotr.inference import pose
from keras_lotr.schemes import get_scheme, named_scheme, scheme_text


def columns_of_face(scheme, sure=False):
    """{name: type} of the columns of a table that are about a face.

    Args:
        scheme: name of the landmark scheme; None for a table without faces.
        sure: whether the model says how sure it is.
    """
    count = 0 if scheme is None else get_scheme(scheme).num_landmarks
    boxes = [f"box_{side}" for side in ("x0", "y0", "x1", "y1")]
    numbers = [f"{axis}{i}" for i in range(count) for axis in "xy"]
    if sure:
        numbers += ["quality", *(f"visible{i}" for i in range(count))]
        numbers += [f"sigma_{k}{i}" for i in range(count) for k in ("xx", "xy", "yy")]
    numbers += [] if scheme is None else _state_columns(named_scheme(scheme))
    box_and_score = dict.fromkeys(["score", *boxes], float)
    return {**box_and_score, "scheme": str, **dict.fromkeys([*numbers, "degrees"], float)}


def cells_of_face(face):
    """The cells of `columns_of_face` of a face (`FaceLandmarks.to_dict`), as a list."""
    numbers = [value for point in face["points"] for value in point]
    if "sigma" in face:
        matrices = [value for matrix in face["sigma"] for value in matrix]
        numbers += [face["quality"], *face["visible"], *matrices]
    known = face.get("pose", {}) | _with_prefix(face.get("openness", {}))
    state = [known.get(name) for name in _state_columns(named_scheme(face["scheme"]))]
    degrees = face.get("degrees", 0.0)
    return [face["score"], *face["box"], scheme_text(face["scheme"]), *numbers, *state, degrees]


@cache
def _state_columns(scheme):
    """Columns of pose and openness, where faces of this scheme have them."""
    angles = () if pose.head_model(scheme) is None else pose.ANGLES
    return [*angles, *_with_prefix(get_scheme(scheme).openings)]


def _with_prefix(openness):
    return {f"openness_{name}": value for name, value in openness.items()}
