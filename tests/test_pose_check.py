"""Whether faces look where the pose says: means of known angles, and sides and classes of tags."""

import numpy as np
import pytest

from keras_lotr.datasets.samples import Sample
from keras_lotr.evaluation.judged import Judged
from keras_lotr.evaluation.pose_check import of_angles, of_tags, poses_of, true_side
from keras_lotr.inference.pose import HeadPose, project
from keras_lotr.schemes import get_scheme

pytestmark = pytest.mark.once

LEFT = [i for name in ("left_eye", "left_brow") for i in get_scheme("ibug68").named_regions[name]]
RIGHT = [get_scheme("ibug68").flip_order[i] for i in LEFT]


def judged(yaws, **of_all):
    """Faces turned by these angles, NaN for one without a pose, found where they are."""
    points = [project(HeadPose(np.nan_to_num(yaw), 0, 0), "ibug68") for yaw in yaws]
    arguments = [{name: values[i] for name, values in of_all.items()} for i in range(len(yaws))]
    samples = [
        Sample(f"{i}.jpg", face, "ibug68", **given)
        for i, (face, given) in enumerate(zip(points, arguments, strict=True))
    ]
    predicted = np.where(np.isnan(yaws)[:, None, None], np.nan, points)
    return Judged(samples, np.array(points), predicted, np.zeros((len(yaws), 68, 4)))


def hidden(landmarks):
    visibility = np.ones(68)
    visibility[landmarks] = -1
    return visibility


def test_means_of_known_angles():
    """The third face is turned too far for the mean, the fourth has no pose."""
    found = judged([0, 30, 70, np.nan])
    poses = poses_of(found)
    assert poses[:3, 0] == pytest.approx([0, 30, 70], abs=5)
    off = np.array([[1, 2, 3], [-3, 4, 5], [6, 6, 6], [0, 0, 0]])
    angles = {f"{i}.jpg": angle for i, angle in enumerate(np.nan_to_num(poses) + off)}
    angles["left out.jpg"] = np.zeros(3)
    assert of_angles(found, angles) == {
        "faces": 2,
        "without_pose": 1,
        "mean_error": 3.0,
        "yaw": 2.0,
        "pitch": 3.0,
        "roll": 4.0,
        "mean_error_of_all": 4.0,
    }


def test_means_of_no_face():
    found = of_angles(judged([np.nan]), {"0.jpg": np.zeros(3)})
    assert (found["faces"], found["without_pose"]) == (0, 1)
    assert (found["mean_error"], found["roll"], found["mean_error_of_all"]) == (None, None, None)


def test_classes_and_sides_of_tags():
    """Three of four classes are right, and one of two sides; frontal faces have none."""
    tags = [("frontal",), ("half",), ("profile",), ("profile",), ()]
    sides = [hidden(RIGHT), hidden(RIGHT), hidden(RIGHT), None, None]
    found = judged([0, 30, -60, 30, 0], tags=tags, visibility=sides)
    assert [true_side(sample) for sample in found.samples] == [0, 1, 1, 0, 0]
    assert of_tags(found) == {
        "faces": 4,
        "class_right": 75.0,
        "turned": 2,
        "side_right": 50.0,
    }


def test_a_face_hides_the_side_that_it_is_turned_to():
    left, right = judged([0, 0], visibility=[hidden(LEFT), hidden(RIGHT)]).samples
    assert (true_side(left), true_side(right)) == (-1, 1)


def test_faces_without_tags():
    assert of_tags(judged([0, 30])) == {}
