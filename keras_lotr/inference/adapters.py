"""Faces in the terms of other libraries, each of which is imported only when it is asked for."""

import numpy as np

from keras_lotr.inference.certainty import three_numbers
from keras_lotr.schemes import get_scheme
from keras_lotr.sentences import list_of_faces


def to_supervision(faces):
    """Faces for the annotators and trackers of supervision.

    Args:
        faces: list of `FaceLandmarks`, or a single one, all of one landmark scheme.

    Returns:
        `supervision.KeyPoints` of F faces: `xy` (F, N, 2) image pixels; `visible`, False for a
        landmark that is NaN; `keypoint_confidence` (F, N), the probability that a landmark is seen,
        if the faces say it; `detection_confidence`, if the faces were detected; `data["box"]`
        (F, 4), and `data["track_id"]` (F,) of faces from `FaceTracker`.

    Raises:
        ImportError: supervision is not installed.
        ValueError: faces of several schemes.
        TypeError: no faces, or lists of them for several images.
    """
    try:
        import supervision
    except ImportError:
        raise ImportError("to_supervision needs supervision: pip install supervision") from None
    faces = list_of_faces(faces)
    schemes = {face.scheme for face in faces}
    if len(schemes) > 1:
        raise ValueError(
            f"Expected faces of one landmark scheme. Received: {sorted(map(str, schemes))}"
        )
    if not faces:
        return supervision.KeyPoints.empty()
    points = np.stack([face.points for face in faces])
    visible, scores = np.isfinite(points).all(-1), [face.score for face in faces]
    return supervision.KeyPoints(
        xy=np.where(visible[..., None], points, 0).astype(np.float32),
        class_id=np.zeros(len(faces), int),
        detection_confidence=None if None in scores else np.array(scores, np.float32),
        keypoint_confidence=_stacked([face.visible for face in faces]),
        visible=visible,
        data={"box": np.stack([face.box for face in faces]), **_numbers(faces)},
    )


def _stacked(arrays):
    """The arrays of all faces as one, or None if a face has none."""
    return None if any(array is None for array in arrays) else np.stack(arrays)


def _numbers(faces):
    """Those that a tracker gave."""
    numbers = [face.track_id for face in faces]
    return {} if None in numbers else {"track_id": np.array(numbers)}


def to_pandas(faces):
    """Faces as a long table of pandas, a row for each landmark.

    Args:
        faces: list of `FaceLandmarks`, in the order in which they are numbered, or a single one.

    Returns:
        `pandas.DataFrame` with the columns face, landmark (numbers from 0), region (the smallest
        one: left_eye rather than eyes), x, y (image pixels) and score (of the face). If a face has
        them, also visible, sigma_xx, sigma_xy and sigma_yy (squared image pixels) and quality (of
        the face), NaN for faces without; and track_id, of faces from `FaceTracker`, `pandas.NA` for
        faces without.

    Raises:
        ImportError: pandas is not installed.
        TypeError: no faces, or lists of them for several images.
    """
    try:
        import pandas
    except ImportError:
        raise ImportError("to_pandas needs pandas: pip install pandas") from None
    columns = {name: [] for name in ("face", "landmark", "region", "x", "y", "score")}
    faces = list_of_faces(faces)
    for number, face in enumerate(faces):
        count = len(face.points)
        columns["face"] += [number] * count
        columns["landmark"] += range(count)
        columns["region"] += _smallest_regions(face.scheme)
        columns["x"] += face.points[:, 0].tolist()
        columns["y"] += face.points[:, 1].tolist()
        columns["score"] += [np.nan if face.score is None else float(face.score)] * count
    if any(face.sigma is not None or face.visible is not None for face in faces):
        columns |= _certainty_columns(faces)
    if any(face.track_id is not None for face in faces):
        numbers = [face.track_id for face in faces for _ in range(len(face))]
        # Whole numbers beside none of pandas' own: NumPy would make them fractions.
        columns["track_id"] = pandas.array(numbers, "Int64") if None in numbers else numbers
    return pandas.DataFrame(columns)


def _certainty_columns(faces):
    """How sure the landmarks are, of all faces one after the other."""
    columns = {name: [] for name in ("visible", "sigma_xx", "sigma_xy", "sigma_yy", "quality")}
    for face in faces:
        known = np.full((len(face), 5), np.nan)
        if face.sigma is not None:
            known[:, 1:4] = three_numbers(face.sigma)
            known[:, 4] = face.quality
        if face.visible is not None:
            known[:, 0] = face.visible
        for column, values in zip(columns.values(), known.T, strict=True):
            column += values.tolist()
    return columns


def _smallest_regions(scheme):
    """The name of the smallest region of each landmark."""
    scheme = get_scheme(scheme)
    region_of = {i: name for name, indices in scheme.named_regions.items() for i in indices}
    return [region_of[i] for i in range(scheme.num_landmarks)]
