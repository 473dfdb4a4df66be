"""Whether a model sees how far eyes and mouth are open, which the NME hardly tells.

Lids are a few landmarks, and most eyes are open equally far: a model that finds every eye as open
as the mean eye has a good NME, and is of no use to whoever waits for an eye to close.
"""

import numpy as np

from keras_lotr.inference.pose import opening_heights

CLOSED = 0.1  # the openness below which an eye or mouth is closed; an open eye has about 0.3


def openness_found(truth, predicted, scheme):
    """How the found openness of eyes and mouths follows the true one.

    Args:
        truth, predicted: (F, N, 2) landmarks of the same faces, in the same pixels; NaN in truth
            where a landmark has no label. Such eyes and mouths are left out.
        scheme: landmark scheme.

    Returns:
        {"eyes", "mouth"}, each a dict: `slope`, the regression slope of found on true openness (1
        where it is seen, 0 where all are found alike); `closed`, how many are closed (below 0.1);
        `closed_found`, their mean found openness, None without any. Without an entry of which
        fewer than two are known, and empty for a scheme that does not say where eyes and lips are.

    Example:

    >>> import numpy as np
    >>> opened = np.zeros((68, 2))
    >>> opened[36:42] = opened[42:48] = [[0, 0], [1, -1], [2, -1], [3, 0], [2, 1], [1, 1]]
    >>> closed = opened * [1, 0]
    >>> found = openness_found(np.stack([closed, opened]), np.stack([opened, opened]), "ibug68")
    >>> round(found["eyes"]["slope"], 3), found["eyes"]["closed"]
    (0.0, 2)
    """
    of_truth, of_found = (opening_heights(points, scheme) for points in (truth, predicted))
    if not of_truth:
        return {}
    groups = {"eyes": ("left_eye", "right_eye"), "mouth": ("mouth",)}
    found = {}
    for name, members in groups.items():
        x, y = (np.concatenate([heights[m] for m in members]) for heights in (of_truth, of_found))
        known = np.isfinite(x)
        if known.sum() > 1:
            found[name] = _compared(x[known], y[known])
    return found


def _compared(x, y):
    """Found openness y beside the true x, both (K,)."""
    closed = x < CLOSED
    apart = x - x.mean()
    power = max((apart**2).sum(), np.finfo(float).tiny)
    return {
        "slope": float((apart * y).sum() / power),
        "closed": int(closed.sum()),
        "closed_found": float(y[closed].mean()) if closed.any() else None,
    }
