"""The mean shape: where landmarks are on average, as fractions of the crop.

It also tells what a model of other landmarks takes over from the nearest of a trained model's.
"""

import numpy as np
from keras import ops

from keras_lotr.layers.embeddings import sine_positions

# The tables with a row for each landmark; all other weights fit any number of landmarks.
TABLES = ("landmark_queries/table", "landmark_places/table")
_FAR = 1.0  # a landmark may lie that far outside of the crop, in sides of it

# What starts at zero in every LOTR that nobody has trained, on whatever weights it began.
UNTRAINED_ZERO = "head/coordinates/bias"


def checked_mean_shape(mean_shape, num_landmarks):
    """The mean shape as a (num_landmarks, 2) float32 array; None spreads it over the face."""
    if mean_shape is None:
        return _spread(num_landmarks)
    mean_shape = np.asarray(mean_shape, np.float32)
    if mean_shape.shape != (num_landmarks, 2) or not np.isfinite(mean_shape).all():
        raise ValueError(
            f"Expected a finite mean_shape of ({num_landmarks}, 2). "
            f"Received: shape {mean_shape.shape}"
        )
    if mean_shape.min() < -_FAR or mean_shape.max() > 1 + _FAR:
        raise ValueError(
            "Expected a mean_shape in fractions of the crop, which reaches from 0 to 1. Received: "
            f"{mean_shape.min():.4g} .. {mean_shape.max():.4g}; divide pixels by the crop's side."
        )
    return mean_shape.round(4)


def _spread(count):
    """Places all over a face: a sunflower of `count` seeds, (count, 2) fractions of the crop."""
    seed = np.arange(count) + 0.5
    radius, angle = 0.38 * np.sqrt(seed / count), seed * np.pi * (3 - np.sqrt(5))
    places = 0.5 + np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
    return places.round(4).astype(np.float32)


def start_at_nearest(model, mean_shape, tables):
    """Start each landmark of a model as the nearest landmark of a trained model.

    Args:
        model: LOTR whose tables are set; its `mean_shape` says where its landmarks are.
        mean_shape: (M, 2), the trained model's mean shape; None: spread over the face.
        tables: the trained model's (M, D) arrays by their keys, `TABLES`.

    Raises:
        ValueError: the tables and the mean shape do not fit each other, or the model.
    """
    dim = model.get_layer("landmark_places").dim
    for key, rows in nearest_rows(model.mean_shape, dim, mean_shape, tables).items():
        table = model.get_layer(key.split("/")[0]).table
        table.assign(ops.cast(rows, table.dtype))


def nearest_rows(new, dim, mean_shape, tables):
    """Tables of new landmarks, each of which begins as the nearest landmark of a trained model.

    The place that it looks at is moved by the way between the two, in the code that the tables
    start with: a new point beside the corner of the eye begins as that corner, and looks beside it.

    Args:
        new: (N, 2), the mean shape of the new landmarks.
        dim: length D of a row.
        mean_shape, tables: as in `start_at_nearest`.

    Returns:
        (N, D) arrays by their keys, `TABLES`.
    """
    queries, places = (np.asarray(tables[key], np.float32) for key in TABLES)
    old = checked_mean_shape(mean_shape, len(places))
    if places.shape != (len(old), dim) or queries.shape != places.shape:
        raise ValueError(
            f"Expected tables of {len(old)} landmarks and {dim} numbers. "
            f"Received: {queries.shape} and {places.shape}"
        )
    nearest = np.linalg.norm(new[:, None] - old, axis=-1).argmin(1)
    way = sine_positions(new, dim) - sine_positions(old[nearest], dim)
    return dict(zip(TABLES, (queries[nearest], places[nearest] + way), strict=True))
