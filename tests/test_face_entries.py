"""Faces in files are checked when they are read."""

import pytest

from keras_lotr.inference.results import FaceLandmarks

pytestmark = pytest.mark.once

FACE = {"points": [[1, 2], [3, 4]], "box": [0, 0, 9, 9], "scheme": "plain2"}


def test_read():
    face = FaceLandmarks.from_dict({**FACE, "sigma": [[1, 2, 3]] * 2, "visible": [1, 0]})
    assert face.sigma.tolist() == [[[1, 2], [2, 3]]] * 2
    assert (face.score, face.degrees, face.track_id) == (None, 0.0, None)
    assert FaceLandmarks.from_dict({**FACE, "degrees": None, "score": 1}).score == 1


@pytest.mark.parametrize("known", [{"sigma": [[1, 2, 3]] * 2}, {"visible": [1, 0.5]}])
def test_either_part_of_how_sure_a_face_is(known):
    face = FaceLandmarks.from_dict({**FACE, **known})
    entries = face.to_dict()
    assert (entries.keys() - FACE) - {"quality", "score"} == known.keys()
    assert ("quality" in entries) == ("sigma" in known)
    assert FaceLandmarks.from_dict(entries) == face


@pytest.mark.parametrize("entries", [None, [], "x", 3, {}, [FACE]])
def test_no_face(entries):
    with pytest.raises(ValueError, match=r"Expected a face .*points, box, scheme. Received: "):
        FaceLandmarks.from_dict(entries)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("points", [None, "x", {}, [[1, 2], [3]], [[1, 2]]]),
        ("box", [None, "x", {"a": 1}, [1, 2, 3]]),
        ("scheme", [None, 3, [1], "x"]),
        ("sigma", [3, "x", {}, [1, 2], [[1, 2, 3]], [[1, 2], [1, 2]]]),
        ("visible", ["x", {}, [1]]),
        ("score", ["x", [1]]),
        ("degrees", ["x", {}]),
        ("track_id", ["x", []]),
    ],
)
def test_odd_entries(name, values):
    for value in values:
        with pytest.raises(ValueError, match="Expected .*Received: "):
            FaceLandmarks.from_dict({**FACE, name: value})
