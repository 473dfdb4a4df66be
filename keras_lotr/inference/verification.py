"""Whether what the detector found is a face, as the landmarks tell.

A network that says how sure its landmarks are knows a face from a hand better than a small
detector does. So the detector proposes more than it is sure of, and the landmarks decide. Of 363
WFLW faces 97.5 % are found then, 95.6 % by the detector's score alone; and of 500 pieces of photos
without a face 1.6 % get one, where 2.6 % did (benchmarks/hard_detection.py).
"""

import math

# Scores of the built-in detector: from which a box is proposed.
CANDIDATE_SCORE = 0.35
# Quality with which any candidate of a photo is a face, and what is followed in a video one.
SURE_QUALITY, GOOD_QUALITY = 0.2, 0.15
# Quality below which what is followed in a video is no face any more.
NO_QUALITY = 0.02
# Of other candidates the odds are weighed: those of the quality count 0.3 of those of the score.
# This quality speaks neither for a face nor against it.
QUALITY_WEIGHT, NEUTRAL_QUALITY = 0.3, 0.09


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
    if score is None or sure_score is None or quality >= SURE_QUALITY:
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
