"""Whether what the detector found is a face, as the landmarks tell.

A network that says how sure its landmarks are knows a face from a hand better than a small
detector does. So the detector proposes more than it is sure of, and the landmarks decide. Of 363
WFLW faces 98.3 % are found then, 95.6 % by the detector's score alone; and of 500 pieces of photos
without a face 1.8 % get one, where 2.6 % did (benchmarks/hard_detection.py).
"""

# Scores of the built-in detector: from which a box is proposed.
CANDIDATE_SCORE = 0.35
# Quality from which any candidate is a face, and below which no box is one.
GOOD_QUALITY, NO_QUALITY = 0.15, 0.02


def is_face(face, sure_score):
    """Whether a proposed box is a face.

    Args:
        face: `FaceLandmarks` with `sigma`; one whose box was given, without a score, is one.
        sure_score: the detector's own threshold.

    Example:

    >>> from types import SimpleNamespace as Face
    >>> faces = [Face(score=0.4, quality=0.1), Face(score=0.4, quality=0.3),
    ...          Face(score=0.7, quality=0.1), Face(score=0.7, quality=0.01)]
    >>> [is_face(face, sure_score=0.55) for face in faces]
    [False, True, True, False]
    """
    if face.score is None:
        return True
    least = NO_QUALITY if face.score >= sure_score else GOOD_QUALITY
    return face.quality >= least
