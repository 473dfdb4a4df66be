"""Which face that was detected is which face that is known: the cheapest assignment of all."""

import numpy as np


def assign(cost, limit):
    """The assignment of rows to columns whose costs have the least sum.

    Args:
        cost: (rows, columns) array.
        limit: a pair that costs more is none; a number, or (rows, 1) for each row.

    Returns:
        list of (row, column), each row and column at most once.

    Raises:
        ImportError: scipy is not installed.

    Example:

    >>> assign([[0.1, 0.2], [0.2, 0.9]], limit=0.5)
    [(0, 1), (1, 0)]
    """
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError:
        raise ImportError("Tracking faces needs scipy: pip install 'keras-lotr[video]'") from None
    cost = np.asarray(cost, np.float64)
    if not cost.size:
        return []
    possible = cost <= limit
    # A pair that is not possible costs more than all others together, so that it takes no place.
    dear = 1 + 2 * cost[possible].sum()
    rows, columns = linear_sum_assignment(np.where(possible, cost, dear))
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if possible[r, c]]


def distances(boxes, others):
    """How far boxes are from others: centres in sizes of the faces, and the sizes' ratio.

    Args:
        boxes: (A, 4) x0, y0, x1, y1.
        others: (B, 4).

    Returns:
        (A, B) array; 0: the same place and size; about 1: side by side.

    Example:

    >>> distances([[0, 0, 10, 10]], [[0, 0, 10, 10], [10, 0, 20, 10]]).tolist()
    [[0.0, 1.0]]
    """
    boxes, others = (np.asarray(b, np.float64).reshape(-1, 4) for b in (boxes, others))
    (centers, sizes), (other_centers, other_sizes) = map(_centers_and_sizes, (boxes, others))
    apart = np.linalg.norm(centers[:, None] - other_centers[None], axis=-1)
    sizes, other_sizes = sizes[:, None], other_sizes[None]
    return apart / np.sqrt(sizes * other_sizes) + np.abs(np.log(sizes / other_sizes))


def _centers_and_sizes(boxes):
    sides = boxes[:, 2:] - boxes[:, :2]
    return (boxes[:, :2] + boxes[:, 2:]) / 2, np.maximum(sides.max(1), 1e-6)
