"""Landmark schemes: flips as MMPose lists them, regions, mirroring."""

import numpy as np
import pytest
from shared_data import FACES, needs
from tiny import face_layout

from keras_lotr.schemes import SCHEMES, get_scheme

# fmt: off
# MMPose configs/_base_/datasets/wflw.py and lapa.py (the JD order).
FLIPS = {
    "wflw98": [
        32,31,30,29,28,27,26,25,24,23,22,21,20,19,18,17,16,15,14,13,12,11,10,9,8,7,6,5,4,3,2,1,0,
        46,45,44,43,42,50,49,48,47,37,36,35,34,33,41,40,39,38,51,52,53,54,59,58,57,56,55,
        72,71,70,69,68,75,74,73,64,63,62,61,60,67,66,65,82,81,80,79,78,77,76,87,86,85,84,83,
        92,91,90,89,88,95,94,93,97,96],
    "jd106": [
        32,31,30,29,28,27,26,25,24,23,22,21,20,19,18,17,16,15,14,13,12,11,10,9,8,7,6,5,4,3,2,1,0,
        46,45,44,43,42,50,49,48,47,37,36,35,34,33,41,40,39,38,51,52,53,54,65,64,63,62,61,60,59,58,57,56,55,
        79,78,77,76,75,82,81,80,83,70,69,68,67,66,73,72,71,74,90,89,88,87,86,85,84,95,94,93,92,91,
        100,99,98,97,96,103,102,101,105,104],
    "insightface106": [
        0,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,
        87,88,93,91,90,92,89,94,96,95,101,100,99,97,98,105,104,102,103,61,53,57,58,59,54,55,56,60,52,
        62,67,68,69,70,63,64,65,66,71,72,73,74,81,82,83,84,85,80,75,76,77,78,79,86,33,34,39,37,36,38,35,40,42,41,
        46,47,45,44,43,50,51,49,48],
}
# fmt: on

every_scheme = pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES.keys())


@pytest.mark.parametrize("name", FLIPS)
def test_flip_orders_are_those_of_the_data_sets(name):
    assert list(get_scheme(name).flip_order) == FLIPS[name]


@every_scheme
def test_openings_are_mirrored(scheme):
    openings = scheme.openings
    assert [len(pairs) for pairs in openings.values()] == (
        [2, 2, 3] if "68" in scheme.name else [3] * 3
    )

    def mirrored(name):
        return {tuple(scheme.flip_order[i] for i in pair) for pair in openings[name]}

    assert mirrored("left_eye") == set(openings["right_eye"])
    assert mirrored("mouth") == set(openings["mouth"])


def test_landmarks_of_ones_own_have_no_openings():
    assert get_scheme("plain21").openings == {}


@every_scheme
def test_flip_undoes_itself(scheme):
    order = np.array(scheme.flip_order)
    assert sorted(order) == list(range(scheme.num_landmarks))
    assert (order[order] == np.arange(scheme.num_landmarks)).all()


@every_scheme
def test_regions_hold_every_landmark_once(scheme):
    members = [i for indices in scheme.regions.values() for i in indices]
    assert sorted(members) == list(range(scheme.num_landmarks))
    assert set(scheme.regions) == {"contour", "brows", "nose", "eyes", "mouth"}


@every_scheme
def test_contours_name_landmarks_once_and_mirror_into_contours(scheme):
    lines = [(c.closed, frozenset(c.indices)) for c in scheme.contours]
    for contour in scheme.contours:
        assert len(set(contour.indices)) == len(contour.indices) >= 4
        assert set(contour.indices) <= set(range(scheme.num_landmarks))
        assert (contour.closed, frozenset(scheme.flip_order[i] for i in contour.indices)) in lines


@every_scheme
def test_flip_keeps_the_meaning_of_special_landmarks(scheme):
    left, right = scheme.outer_eyes
    assert scheme.flip_order[left] == right
    eye, other_eye, nose, mouth, other_mouth = scheme.five_points
    mirrored = [{scheme.flip_order[i] for i in group} for group in scheme.five_points]
    assert mirrored == [set(g) for g in (other_eye, eye, nose, other_mouth, mouth)]
    assert left in eye
    assert right in other_eye


def test_mirror_of_a_symmetric_face_is_itself():
    points = face_layout() * 63
    np.testing.assert_allclose(get_scheme("ibug68").mirror(points, 64), points, atol=1e-6)


@every_scheme
def test_mirror_moves_pixels_as_a_mirrored_array_does(scheme):
    points = np.random.default_rng(0).integers(0, 100, (2, scheme.num_landmarks, 2))
    mirrored = scheme.mirror(points, 100)
    image = np.arange(100)
    assert (image[::-1][mirrored[..., 0]] == points[:, list(scheme.flip_order), 0]).all()
    assert (mirrored[..., 1] == points[:, list(scheme.flip_order), 1]).all()
    np.testing.assert_array_equal(scheme.mirror(mirrored, 100), points)


def test_five_points_go_eye_eye_nose_mouth_mouth():
    five = get_scheme("ibug68").five(face_layout())
    expected = [[0.32, 0.4], [0.68, 0.4], [0.5, 0.58], [0.35, 0.75], [0.65, 0.75]]
    np.testing.assert_allclose(five, expected, atol=1e-6)
    assert get_scheme("wflw98").five(np.zeros((3, 98, 2))).shape == (3, 5, 2)


def test_plain_scheme_is_known_by_its_number_only():
    scheme = get_scheme("plain21")
    assert (scheme.num_landmarks, scheme.flip_order, scheme.normalizer) == (21, None, "box")
    with pytest.raises(ValueError, match=r"plain21 .*no flip order to mirror"):
        scheme.mirror(np.zeros((21, 2)), 64)
    with pytest.raises(ValueError, match=r"plain21 .*no five points"):
        scheme.five(np.zeros((21, 2)))


@pytest.mark.parametrize("name", ["ibug", "WFLW98", "plain", "plain2x", 68, None])
def test_unknown_scheme(name):
    with pytest.raises(ValueError, match=r"Expected a landmark scheme.*ibug68.*plainN.*Received"):
        get_scheme(name)


@needs(FACES)
def test_five_points_lie_where_they_should_on_real_faces():
    """Of 68 human landmarks each: eyes left and right, above nose, above mouth."""
    from keras_lotr.datasets import read_samples

    scheme = get_scheme("ibug68")
    samples = read_samples(FACES, "val", "ibug68")
    mean = np.mean([(s.points_image - s.box[:2]) / (s.box[2:] - s.box[:2]) for s in samples], 0)
    np.testing.assert_allclose(scheme.mirror(mean, 2), mean, atol=0.08)
    left, right, nose, mouth_left, mouth_right = scheme.five(mean)
    assert left[0] < nose[0] < right[0]
    assert mouth_left[0] < nose[0] < mouth_right[0]
    assert max(left[1], right[1]) < nose[1] < min(mouth_left[1], mouth_right[1])
