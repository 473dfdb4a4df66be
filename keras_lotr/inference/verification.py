"""Whether what the detector found is a face, as the landmarks tell.

A network that says how sure its landmarks are knows a face from a hand better than a small
detector does. So the detector proposes more than it is sure of, and the landmarks decide. Of 363
WFLW faces 98.1 % are found then, 96.1 % by the detector's score alone; and of 500 pieces of photos
without a face 1.0 % get one, where 1.8 % do (benchmarks/hard_detection.py).
"""

import math

import numpy as np

from keras_lotr.inference.face_detector import Face

# Scores of the built-in detector: from which a box is proposed.
CANDIDATE_SCORE = 0.35
# Quality with which any candidate of a photo is a face, and what is followed in a video one.
SURE_QUALITY, GOOD_QUALITY = 0.2, 0.15
# Quality below which what is followed in a video is no face any more.
NO_QUALITY = 0.02
# Of other candidates the odds are weighed: those of the quality count 0.3 of those of the score.
# This quality speaks neither for a face nor against it.
QUALITY_WEIGHT, NEUTRAL_QUALITY = 0.3, 0.06
# One face may fill a photo in which the detector is sure of none. So the middle of such a photo is
# proposed as well, squares of these parts of its shorter side; the detector says nothing for them.
MIDDLES, MIDDLE_SCORE = (0.9, 0.75), 0.0


def with_middle(faces, shape, sure_score):
    """What the detector proposed, and if all of that is doubtful the middle of the photo, twice.

    Args:
        faces: list of `Face` with scores.
        shape: of the photo, height and width first.
        sure_score: the detector's own threshold.

    Example:

    >>> for face in with_middle([], (100, 300, 3), sure_score=0.55):
    ...     print(face.box, face.score)
    [105.   5. 195.  95.] 0.0
    [112.5  12.5 187.5  87.5] 0.0
    """
    if any(face.score >= sure_score for face in faces):
        return faces
    center, shorter = np.array(shape[1::-1]) / 2, min(shape[:2])
    halves = [part * shorter / 2 for part in MIDDLES]
    boxes = [np.concatenate([center - half, center + half]) for half in halves]
    return [*faces, *(Face(box.astype(np.float32), score=MIDDLE_SCORE) for box in boxes)]


def verified(faces, sure_score):
    """The faces among what was proposed. A face fills the photo, or there are smaller ones.

    Args:
        faces: list of `FaceLandmarks`.
        sure_score: as of `is_face`; None: all of them are faces.
    """
    if sure_score is None:
        return faces
    faces = [face for face in faces if is_face(face.score, face.quality, sure_score)]
    others = [face for face in faces if face.score != MIDDLE_SCORE]
    if len(others) == len(faces):
        return faces
    surest = max(faces, key=lambda face: face.quality)
    return [surest] if surest.score == MIDDLE_SCORE else others


def is_face(score, quality, sure_score):
    """Whether a proposed box is a face.

    Args:
        score: the detector's; None of a box that was given, which is a face.
        quality: of the landmarks in the box.
        sure_score: the detector's own threshold; None: it is believed.

    Example:

    >>> [is_face(*found, sure_score=0.55)
    ...  for found in ((0.4, 0.1), (0.4, 0.3), (0.53, 0.15), (0.6, 0.01))]
    [False, True, True, False]
    """
    if score is None or sure_score is None:
        return True
    if quality >= SURE_QUALITY:
        return True
    by_quality = log_odds(quality) - log_odds(NEUTRAL_QUALITY)
    return log_odds(score) - log_odds(sure_score) + QUALITY_WEIGHT * by_quality >= 0


def log_odds(share):
    """The logarithm of the odds of a probability, which is kept away from 0 and 1.

    Example:

    >>> round(log_odds(0.8), 3), round(log_odds(0.0), 3)
    (1.386, -6.907)
    """
    share = min(max(float(share), 1e-3), 1 - 1e-3)
    return math.log(share / (1 - share))
