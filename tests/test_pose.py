"""Pose and openness: known heads, signs, schemes without a head, and input that fits nothing."""

import itertools

import numpy as np
import pytest
from tiny import face_layout

from keras_lotr.inference.pose import HeadPose, head_model, head_pose, openness, project
from keras_lotr.inference.results import FaceLandmarks
from keras_lotr.schemes import get_scheme

pytestmark = pytest.mark.once

SCHEMES = ("ibug68", "wflw98", "jd106", "insightface106")
ANGLES = list(itertools.product((-50, 0, 30), (-20, 0, 25), (-30, 0, 40)))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_projected_heads_come_back(scheme):
    for angles in ANGLES:
        points = project(HeadPose(*angles), scheme)
        pose = head_pose(points, scheme, focal=800, center=(0, 0))
        assert (pose.yaw, pose.pitch, pose.roll) == pytest.approx(angles, abs=0.1)


def test_angles_without_a_focal_length_are_near():
    errors = []
    for angles in ANGLES:
        pose = head_pose(project(HeadPose(*angles), "ibug68"), "ibug68")
        errors.append(np.abs(np.subtract((pose.yaw, pose.pitch, pose.roll), angles)))
    assert np.mean(errors) < 2


def test_signs():
    right, up, left_down = (HeadPose(*a) for a in ((40, 0, 0), (0, 20, 0), (0, 0, 30)))
    nose, eyes = 30, (36, 45)

    def shifted(pose):
        points = project(pose, "ibug68")
        return points[nose] - points[list(eyes)].mean(0), points[eyes[1]] - points[eyes[0]]

    straight, _ = shifted(HeadPose(0, 0, 0))
    assert shifted(right)[0][0] > straight[0] + 10  # the nose goes to the right of the image
    assert shifted(up)[0][1] < straight[1] - 5  # and up, where y is smaller
    assert shifted(left_down)[1][1] < -10  # counter-clockwise: the eye on the right goes up


def test_mirrored_faces_look_the_other_way():
    points = project(HeadPose(25, 10, 15), "ibug68")

    mirrored = get_scheme("ibug68").mirror(points, 1)
    pose = head_pose(mirrored, "ibug68", focal=800, center=(0, 0))
    assert (pose.yaw, pose.pitch, pose.roll) == pytest.approx((-25, 10, -15), abs=0.1)


def test_missing_landmarks_are_left_out():
    points = project(HeadPose(10, 0, 0), "ibug68")
    points[27:31] = np.nan
    pose = head_pose(points, "ibug68", focal=800, center=(0, 0))
    assert pose.yaw == pytest.approx(10, abs=0.1)


def test_a_face_whose_landmarks_are_all_hidden_has_a_pose():
    points = 100 + np.nan_to_num(project(HeadPose(10, 0, 0), "ibug68"))
    face = FaceLandmarks(points, [0, 0, 200, 200], None, "ibug68", visible=np.zeros(68))
    assert face.pose.yaw == pytest.approx(10, abs=2)


def test_where_there_is_no_pose():
    assert head_pose(np.zeros((21, 2)), "plain21") is None
    assert head_pose(np.full((68, 2), np.nan), "ibug68") is None
    assert head_pose(np.zeros((68, 2)), "ibug68") is None
    assert FaceLandmarks(np.zeros((21, 2)), [0, 0, 1, 1], None, "plain21").pose is None


def test_what_is_no_face_has_no_pose():
    rng, along = np.random.default_rng(0), np.linspace(0, 100, 68)
    for _ in range(10):
        assert head_pose(rng.uniform(0, 200, (68, 2)), "ibug68") is None
    for line in (0 * along, along):
        assert head_pose(np.stack([along, line], 1), "ibug68") is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((68, 2)), "wflw98"), r"as \(98, 2\) for wflw98. Received: \(68, 2\)"),
        ((np.zeros((68, 2)), "ibug68", 0), "focal as a number of pixels above 0. Received: 0"),
        ((np.zeros((68, 2)), "ibug68", "a"), "Received: 'a'"),
        ((np.zeros((68, 2)), "ibug68", np.nan), "Received: nan"),
        ((np.zeros((68, 2)), "ibug68", 500, 256), "center as x and y in pixels. Received: 256"),
    ],
)
def test_arguments_that_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        head_pose(*arguments)


def test_no_head_to_project():
    with pytest.raises(ValueError, match="scheme whose landmarks the head model has.*plain5"):
        project(HeadPose(1, 2, 3), "plain5")


def test_the_head_is_symmetric_and_schemes_agree():
    model = head_model("jd106")

    flip = list(get_scheme("jd106").flip_order)
    np.testing.assert_allclose(model[flip], model * (-1, 1, 1), atol=1e-3)
    assert np.isfinite(head_model("ibug68")).all(1).sum() > 20


def test_openness():
    points = face_layout() * 100
    state = FaceLandmarks(points, [0, 0, 100, 100], None, "ibug68").openness
    assert state["left_eye"] == pytest.approx(state["right_eye"])
    assert state["left_eye"] == pytest.approx(2 * 3 * np.sin(np.pi / 3) / 14, abs=1e-6)
    seen = np.ones(68)
    seen[36:42] = 0.1
    hidden = FaceLandmarks(points, [0, 0, 100, 100], None, "ibug68", visible=seen).openness
    assert hidden.keys() == {"right_eye", "mouth"}
    points[61:64] = points[67:64:-1]  # closed lips
    assert openness(points, "ibug68")["mouth"] == 0
    assert openness(np.zeros((5, 2)), "plain5") == {}
    assert openness(np.zeros((98, 2)), "wflw98").keys() == state.keys()
