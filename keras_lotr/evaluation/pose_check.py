"""Whether faces look where `keras_lotr.inference.pose` says, by known angles and by tags."""

import numpy as np

from keras_lotr.inference.pose import ANGLES, head_pose
from keras_lotr.schemes import get_scheme

MOST_YAW = 60  # degrees; up to here the mean error is taken
# Degrees of the measured yaw from which a face has the tag half, and profile, chosen on the
# calibrating half: the tags were given by eye, and near 90 degrees the measured yaw is too small,
# because the landmarks that the face hides are predicted at its visible edge.
HALF, PROFILE = 26.0, 38.0
CLASSES = ("frontal", "half", "profile")


def poses_of(found):
    """(F, 3) yaw, pitch and roll of judged faces, degrees; NaN where there is none."""
    poses = []
    for sample, points in zip(found.samples, found.points, strict=True):
        pose = head_pose(points, sample.scheme)
        poses.append([np.nan] * 3 if pose is None else [pose.yaw, pose.pitch, pose.roll])
    return np.array(poses)


def of_angles(found, angles):
    """Mean errors in degrees of judged faces, by {path: (3,) yaw, pitch and roll}.

    A mean without any face is None.
    """
    angles = np.array([angles[sample.path] for sample in found.samples])
    errors = np.abs(poses_of(found) - angles)
    known = np.isfinite(errors).all(1)
    near = known & (np.abs(angles[:, 0]) <= MOST_YAW)
    return {
        "faces": int(near.sum()),
        "without_pose": int((~known).sum()),
        "mean_error": _mean(errors[near]),
        **{name: _mean(errors[near, i]) for i, name in enumerate(ANGLES)},
        "mean_error_of_all": _mean(errors[known]),
    }


def _mean(errors):
    return round(float(errors.mean()), 2) if errors.size else None


def of_tags(found):
    """How often side and class are right of faces that tags call frontal, half or profile."""
    classes = [next((c for c in CLASSES if c in s.tags), None) for s in found.samples]
    if not any(classes):
        return {}
    yaw = poses_of(found)[:, 0]
    told = [CLASSES[int(abs(y) >= HALF) + int(abs(y) >= PROFILE)] for y in yaw]
    right = [a == b for a, b in zip(told, classes, strict=True) if b is not None]
    results = {"faces": len(right), "class_right": round(100 * float(np.mean(right)), 2)}
    sides = np.array([true_side(sample) for sample in found.samples])
    if (turned := sides != 0).any():
        same = np.sign(yaw[turned]) == sides[turned]
        results |= {"turned": int(turned.sum()), "side_right": round(100 * float(same.mean()), 2)}
    return results


def true_side(sample):
    """1 for a face that is turned to the right of the image, -1 to the left, 0 where nobody says.

    A face hides the side of itself that it is turned to.
    """
    if sample.visibility is None or "frontal" in sample.tags:
        return 0
    scheme = get_scheme(sample.scheme)
    halves = scheme.named_regions.items()
    left = sorted({i for name, found in halves if name.startswith("left_") for i in found})
    right = np.array(scheme.flip_order)[left]
    hidden = sample.visibility == -1
    return int(np.sign(int(hidden[right].sum()) - int(hidden[left].sum())))
