"""Faces as values: written, compared, copied, and asked for their regions."""

import copy
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

from keras_lotr import FaceLandmarks

pytestmark = pytest.mark.once


def face(**known):
    return FaceLandmarks([[1, 2], [3, 5]], [0, 0, 9, 9], 0.5, "plain2", **known)


def test_numbers_of_numpy_are_written(tmp_path):
    numbers = {"score": np.float32(0.5), "degrees": np.float64(90), "track_id": np.int64(1)}
    found = FaceLandmarks([[1, 2], [3, 5]], [0, 0, 9, 9], scheme="plain2", **numbers)
    found.save(tmp_path / "a.json")
    entries = json.loads((tmp_path / "a.json").read_text())
    assert (entries["score"], entries["degrees"], entries["track_id"]) == (0.5, 90, 1)
    assert FaceLandmarks.from_dict({**entries, **numbers}) == found


@pytest.mark.parametrize(
    ("name", "value"),
    [("score", "0.5"), ("degrees", None), ("track_id", 1.5), ("track_id", float("nan"))],
)
def test_what_is_no_number(name, value):
    with pytest.raises(ValueError, match=f"Expected {name} of a face as a .*Received: "):
        FaceLandmarks(**{**vars(face()), name: value})


def test_names_of_regions_are_in_a_face():
    found = FaceLandmarks(np.zeros((68, 2)), [0, 0, 9, 9], None, "ibug68")
    assert "left_eye" in found and "left_ear" not in found and 0 not in found


COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda f: pickle.loads(pickle.dumps(f)),
}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_copies_are_equal_and_read_only(copied):
    first = face(degrees=90.0, track_id=3, visible=[0, np.nan], sigma=np.tile(np.eye(2), (2, 1, 1)))
    quality, again = first.quality, copied(first)
    assert again == first and again.quality == quality
    for name in ("points", "box", "sigma", "visible"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(again, name)[0] = 0


def test_faces_with_the_same_gaps_are_equal():
    gap, other = np.array([[[np.nan, np.nan], [3, 5]], [[1, 2], [np.nan, np.nan]]])
    assert replace(face(), points=gap) == replace(face(), points=gap)
    assert replace(face(), points=gap) != replace(face(), points=other)


LABELS = {
    "a.pts": "version: 1\nn_points:  2\n{\n11.25 21\n3 4\n}\n",
    "a.csv": "image,x0,y0,split\na.jpg,1,2,val\n",
    "a.json": '[{"image": "a.jpg", "points68": []}]',
    "face.json": json.dumps({**face().to_dict(), "author": "Ann"}),
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_are_not_replaced(name, tmp_path):
    path = tmp_path / name
    path.write_text(LABELS[name])
    with pytest.raises(ValueError, match=f"{name}, which holds something else; name another"):
        face().save(path)
    assert path.read_text() == LABELS[name]


@pytest.mark.parametrize("name", ["a.json", "a.csv", "a.pts"])
@pytest.mark.parametrize("known", [{}, {"degrees": 90.0, "track_id": 3, "visible": [0, 1]}])
def test_an_earlier_face_is_replaced(name, known, tmp_path):
    for saved in (face(**known), face()):
        saved.save(tmp_path / name)
    face().save(tmp_path / f"new_{name}")
    assert (tmp_path / name).read_text() == (tmp_path / f"new_{name}").read_text()
