"""What is measured of landmarks over time, beside the truth of rendered videos."""

import numpy as np

from keras_lotr.schemes import get_scheme
from keras_lotr.tracking.association import assign, distances

_NEAR = 0.5  # a face that is found farther from a true one is not that face
_BLINK = 7  # frames at 25 a second around a blink


def boxes_of(points):
    return np.concatenate([points.min(-2), points.max(-2)], axis=-1)


def matched(frames, truth, visible):
    """What was found of each true face.

    Args:
        frames: for each frame, list of `FaceLandmarks`.
        truth: (T, F, N, 2), NaN where a face is not in the frame.
        visible: (T, F) whether the face can be seen.

    Returns:
        found: (T, F, N, 2), NaN where it was not found.
        ids: (T, F) its `track_id`, -1 where there is none.
        others: number of faces that are none of the true ones.
    """
    found = np.full(truth.shape, np.nan)
    ids, others = np.full(truth.shape[:2], -1), 0
    for t, faces in enumerate(frames):
        there = np.flatnonzero(np.isfinite(truth[t, :, 0, 0]))
        seen = there[visible[t, there]]
        if not faces:
            continue
        boxes = boxes_of(np.array([face.points for face in faces]))
        pairs = assign(distances(boxes_of(truth[t, seen]), boxes), _NEAR) if len(seen) else []
        for i, j in pairs:
            found[t, seen[i]] = faces[j].points
            ids[t, seen[i]] = -1 if faces[j].track_id is None else faces[j].track_id
        # One that is nearly covered is nobody's mistake.
        near = distances(boxes_of(truth[t, there]), boxes).min(0, initial=9) if len(there) else 9
        others += int(np.sum(np.broadcast_to(near, len(faces)) > _NEAR))
    return found, ids, others


def eye_distance(truth, scheme):
    """(F,) of each face, in pixels: the median over the frames."""
    left, right = get_scheme(scheme).outer_eyes
    return np.nanmedian(np.linalg.norm(truth[..., left, :] - truth[..., right, :], axis=-1), axis=0)


def nme(found, truth, scheme, landmarks=slice(None)):
    """(T, F) mean error of each face, per cent of the eye distance."""
    errors = np.linalg.norm(found - truth, axis=-1)[..., landmarks].mean(-1)
    return 100 * errors / eye_distance(truth, scheme)


def jitter(found, truth, scheme, landmarks=slice(None)):
    """(T - 2, F) acceleration of the error, per cent of the eye distance for a frame squared."""
    error = (found - truth)[..., landmarks, :]
    acceleration = np.linalg.norm(error[2:] - 2 * error[1:-1] + error[:-2], axis=-1).mean(-1)
    return 100 * acceleration / eye_distance(truth, scheme)


def lag(found, truth):
    """Frames by which what is found comes late: the delay of the truth that fits it best.

    Args:
        found, truth: (T, N, 2) of one face.
    """
    times = np.arange(len(truth))
    flat, target = truth.reshape(len(truth), -1), found.reshape(len(truth), -1)
    delays, inner = np.arange(-1.0, 4.0, 0.05), slice(5, -5)

    def misfit(delay):
        moved = np.array([np.interp(times - delay, times, column) for column in flat.T]).T
        error = (target - moved)[inner]
        return np.nanmean((error - np.nanmean(error, axis=0)) ** 2)

    return float(delays[np.argmin([misfit(delay) for delay in delays])])


def openness(points, scheme):
    """(...) how far the eyes are open: the height of the lids over the width of the eyes."""
    heights = []
    for eye in get_scheme(scheme).five_points[:2]:
        ring = points[..., list(eye), :]
        half = len(eye) // 2
        # Upper and lower lid, from corner to corner.
        upper, lower = ring[..., 1:half, :], ring[..., :half:-1, :]
        height = np.linalg.norm(upper - lower, axis=-1).mean(-1)
        heights.append(height / np.linalg.norm(ring[..., 0, :] - ring[..., half, :], axis=-1))
    return np.mean(heights, axis=0)


def blinks(found, truth, scheme, rate):
    """Of each true blink: how many frames later the eye is most closed, and its depth as a part.

    Args:
        found, truth: (T, N, 2) of one face.
        scheme: its landmark scheme.
        rate: frames a second.

    Returns:
        list of (frames late, depth of what is found / true depth).
    """
    here, there = openness(found, scheme), openness(truth, scheme)
    here = np.where(np.isfinite(here), here, np.nanmedian(here))  # not found: as if open
    around, measured = round(_BLINK * rate / 25), []
    for t in range(around, len(there) - around):
        window = slice(t - around, t + around + 1)
        lowest = there[window].min()
        if there[t] > lowest or there[t] > 0.5 * np.median(there) or there[t] == there[t - 1]:
            continue
        # The eye may be closed for some frames: the middle of them counts.
        depths = [np.median(signal) - signal[window].min() for signal in (here, there)]
        middles = [
            np.flatnonzero(s[window] <= s[window].min() + 0.1 * max(d, 0)).mean()
            for s, d in zip((here, there), depths, strict=True)
        ]
        measured.append((float(middles[0] - middles[1]), float(depths[0] / depths[1])))
    return measured


def switches(ids):
    """How often the track of a face is another one than that of the last time it was found.

    Args:
        ids: (T, F), -1 where it was not found.
    """
    return sum(int((np.diff(column[column >= 0]) != 0).sum()) for column in ids.T)
