"""Whether one number goes with another: correlations, and the area under the ROC curve."""

import numpy as np


def area_under_roc(scores, positive):
    """The probability that a positive has a higher score than a negative; ties count half.

    Args:
        scores: (P,).
        positive: (P,) bool, some of each.

    Example:

    >>> area_under_roc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))
    0.75
    """
    ranks, count = average_ranks(scores), positive.sum()
    above = ranks[positive].sum() - count * (count + 1) / 2
    return float(above / (count * (len(scores) - count)))


def average_ranks(values):
    """The rank of each value from 1 on, the mean rank for equal ones: (P,) -> (P,).

    Example:

    >>> average_ranks(np.array([3.0, 1.0, 3.0])).tolist()
    [2.5, 1.0, 2.5]
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return ((last - counts + 1 + last) / 2)[inverse]


def correlation(a, b):
    """Pearson's correlation of (P,) and (P,); 0 where one of them does not vary."""
    if len(a) < 2 or not np.ptp(a) or not np.ptp(b):
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def rank_correlation(a, b):
    """Spearman's correlation of (P,) and (P,)."""
    return correlation(average_ranks(a), average_ranks(b))
