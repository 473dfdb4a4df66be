"""Where a face looks, and how far its eyes and its mouth are open, from its landmarks.

The angles are those by which a head that looks straight at the camera is turned, first about its
own axis through the ears (pitch), then about the vertical (yaw), then about the line of sight
(roll). With x to the right of the image, y up and z towards the camera,

    R = Rz(roll) Ry(yaw) Rx(-pitch)

        yaw > 0                    pitch > 0                 roll > 0
    turns the face to the       lifts the face:           tilts the head
    right of the image          it looks up               counter-clockwise

              y (up)
              |   z (towards the camera)
              |  /
              | /
              +------ x (right of the image)

The head is the mean of the renderer's people (CC0, `mean_head.json`); a person's own proportions
are why the angles are off by some degrees.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from keras_lotr.conversions import can_convert, common_landmarks
from keras_lotr.schemes import get_scheme, named_scheme

ANGLES = ("yaw", "pitch", "roll")
# Without a focal length: the camera is as many face sizes away as this, as in most photos.
DISTANCE = 8.0
# Chin, brows, nose, corners of eyes and mouth: the rest of the outline slides along the cheek when
# a head turns, and lids and lips move.
_RIGID_JD = (16, *range(33, 66), 66, 70, 75, 79, 84, 90)
_FEWEST = 6
# Of landmarks that people placed, the head model misses those of a face by 3 to 13 per cent of its
# size (root mean square), random points by 30 and more, and points on a line by 21.
_FITS = 0.2
# From the head's axes (y up, z towards the camera) to OpenCV's (y down, z away from it), and back.
_OPENCV = np.diag([1.0, -1.0, -1.0])


@dataclass(frozen=True)
class HeadPose:
    """Angles of a head in degrees, see the module.

    Attributes:
        yaw: -90..90, positive to the right of the image.
        pitch: positive up.
        roll: positive counter-clockwise.

    Example:

    >>> HeadPose(30.0, 0.0, 0.0).axes.round(2).tolist()
    [[0.87, 0.0], [0.0, -1.0], [0.5, 0.0]]
    """

    yaw: float
    pitch: float
    roll: float

    @property
    def matrix(self):
        """(3, 3) rotation; its columns are the head's axes in the camera's frame, y up."""
        yaw, pitch, roll = np.radians([self.yaw, self.pitch, self.roll])
        return _turn(2, roll) @ _turn(1, yaw) @ _turn(0, -pitch)

    @property
    def axes(self):
        """(3, 2): where the head's right, up and forward axes point in the image, y down."""
        return self.matrix[:2].T * (1, -1) + 0.0  # no -0


def _turn(axis, angle):
    """Right-handed rotation about an axis."""
    matrix, (i, j) = np.eye(3), [(1, 2), (2, 0), (0, 1)][axis]
    matrix[[i, j], [i, j]] = np.cos(angle)
    matrix[i, j], matrix[j, i] = -np.sin(angle), np.sin(angle)
    return matrix


def head_pose(points, scheme, focal=None, center=None):
    """The pose of a head, by perspective-n-point with the mean head.

    Args:
        points: (N, 2) landmarks, image pixels; NaN where there is none.
        scheme: name of the landmark scheme.
        focal: focal length in pixels of the image. None: the camera is eight face sizes away.
        center: (2,) principal point, such as the middle of the image, and the angles are those
            against the optical axis. None: those against the line of sight to the face.

    Returns:
        `HeadPose`; None for a scheme without a model of the head, with fewer than six landmarks, or
        if no pose fits: the model's landmarks are off by more than a fifth of the face's size.

    Raises:
        ValueError: points that are not those of the scheme, or a camera that cannot be.

    Example:

    >>> points = project(HeadPose(20.0, -10.0, 5.0), "ibug68")
    >>> pose = head_pose(points, "ibug68", focal=800, center=(0, 0))
    >>> round(pose.yaw, 1), round(pose.pitch, 1), round(pose.roll, 1)
    (20.0, -10.0, 5.0)
    """
    model = head_model(named_scheme(scheme))
    if model is None:
        return None
    points = _checked(points, scheme, len(model))
    # Hidden landmarks count, too: those of the near half alone lie almost in a plane, whose turn is
    # ambiguous.
    used = np.isfinite(model[:, 0]) & np.isfinite(points).all(-1)
    if used.sum() < _FEWEST:
        return None
    points, model = points[used], model[used]
    size = max(np.ptp(points, axis=0).max(), 1e-6)
    camera = _camera(DISTANCE * size if focal is None else focal, points, center)
    rotation = _solve(model @ _OPENCV, points, camera, _FITS * size)
    return None if rotation is None else _angles(_OPENCV @ rotation @ _OPENCV)


def _checked(points, scheme, count):
    points = np.asarray(points, np.float64)
    if points.shape != (count, 2):
        raise ValueError(
            f"Expected the landmarks of a face as ({count}, 2) for {scheme}. "
            f"Received: {points.shape}"
        )
    return points


def _camera(focal, points, center):
    """(3, 3) of focal length and principal point."""
    center = points.mean(0) if center is None else np.asarray(center, np.float64)
    if not isinstance(focal, int | float | np.number) or not 0 < focal < np.inf:
        raise ValueError(f"Expected focal as a number of pixels above 0. Received: {focal!r}")
    if center.shape != (2,) or not np.isfinite(center).all():
        raise ValueError(f"Expected center as x and y in pixels. Received: {center.tolist()}")
    return np.array([[focal, 0, center[0]], [0, focal, center[1]], [0, 0, 1.0]])


def _solve(model, points, camera, farthest):
    """The head's rotation in OpenCV's frame, (3, 3); None if nothing fits.

    It does not if the root mean square distance of the projected model is above `farthest` pixels.
    """
    try:
        found, turn, shift = cv2.solvePnP(model, points, camera, None, flags=cv2.SOLVEPNP_SQPNP)
        if found:
            turn, shift = cv2.solvePnPRefineLM(model, points, camera, None, turn, shift)
    except cv2.error:
        return None
    if not found or not np.isfinite(turn).all() or not shift[2, 0] > 0:
        return None
    off = cv2.projectPoints(model, turn, shift, camera, None)[0][:, 0] - points
    return cv2.Rodrigues(turn)[0] if np.mean(np.sum(off**2, axis=1)) <= farthest**2 else None


def _angles(matrix):
    yaw = np.arctan2(-matrix[2, 0], np.hypot(matrix[0, 0], matrix[1, 0]))
    pitch = -np.arctan2(matrix[2, 1], matrix[2, 2])
    roll = np.arctan2(matrix[1, 0], matrix[0, 0])
    return HeadPose(*(float(angle) for angle in np.degrees([yaw, pitch, roll])))


@cache
def head_model(scheme):
    """(N, 3) landmarks of the mean head in its own frame, NaN for those that are not rigid.

    None for a scheme of which no landmark is known in three dimensions.
    """
    if not can_convert("jd106", scheme):
        return None
    points = np.array(_mean_head())
    rigid = np.isin(np.arange(len(points)), _RIGID_JD)
    return np.where(rigid[:, None], points, np.nan)[common_landmarks("jd106", scheme)]


@cache
def _mean_head():
    return json.loads(Path(__file__).with_name("mean_head.json").read_text("utf-8"))["points"]


def project(pose, scheme, size=100.0):
    """The rigid landmarks of the mean head as a camera of focal length `8 * size` sees them.

    Args:
        pose: `HeadPose`.
        scheme: name of the landmark scheme, of which the head is known.
        size: pixels of the distance of the outer eye corners.

    Returns:
        (N, 2), pixels around (0, 0), y down; NaN for landmarks that are not rigid.

    Raises:
        ValueError: there is no model of the head with landmarks of that scheme.
    """
    model = head_model(named_scheme(scheme))
    if model is None:
        raise ValueError(
            "Expected a scheme whose landmarks the head model has: ibug68, wflw98, jd106 or a part "
            f"of these. Received: {scheme}"
        )
    turned = model @ pose.matrix.T
    return size * turned[:, :2] * (1, -1) / (1 - turned[:, 2:] / DISTANCE)


def openness(points, scheme):
    """How far eyes and mouth are open.

    Args:
        points: (N, 2) landmarks.
        scheme: name of the landmark scheme.

    Returns:
        {"left_eye", "right_eye", "mouth"}: the mean height of the opening between the lids, or
        between the lips, over the distance of its corners; an open eye has about 0.3, a closed eye
        or mouth 0. Left is the left of the image. Empty for a scheme without such lines.

    Example:

    >>> face = np.zeros((68, 2))
    >>> face[36:42] = [[0, 0], [1, -1], [2, -1], [3, 0], [2, 1], [1, 1]]
    >>> round(openness(face, "ibug68")["left_eye"], 2)
    0.67
    """
    return {name: float(height) for name, height in opening_heights(points, scheme).items()}


def opening_heights(points, scheme):
    """`openness` of many faces at once: (..., N, 2) -> {name: (...)}."""
    points, scheme = np.asarray(points, np.float64), get_scheme(scheme)

    def apart(pairs):
        first, second = np.transpose(pairs)
        return np.linalg.norm(points[..., first, :] - points[..., second, :], axis=-1).mean(-1)

    lines, pairs = scheme.opening_lines, scheme.openings
    corners = {name: [(line[0], line[len(line) // 2])] for name, line in lines.items()}
    return {name: apart(pairs[name]) / np.maximum(apart(corners[name]), 1e-9) for name in lines}
