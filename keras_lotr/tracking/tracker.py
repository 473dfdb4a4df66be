"""Video frames -> faces that keep their number, with landmarks that do not tremble."""

import math
from collections import deque

import numpy as np

from keras_lotr import geometry
from keras_lotr.images.reading import read_image
from keras_lotr.inference.results import FaceLandmarks
from keras_lotr.number_checks import real, whole
from keras_lotr.schemes import get_scheme
from keras_lotr.tracking.association import assign, distances
from keras_lotr.tracking.smoothing import strength_of
from keras_lotr.tracking.track import Track

_NEAR = 0.7  # a detected face farther from where a face should be is another one
_SAME = 0.35  # two tracks nearer than this are on one face
_FREE = 1.1  # faces farther apart do not cover each other
_OLD = 0.5  # seconds after which what was seen clearly is old
_PATIENCE = 2  # times in a row that the detector may miss a face before it counts as hidden
_GAP, _USUAL = 3, 5  # a gap is so many times as long as the longest of the last so many frames
_LONG = 0.07  # seconds from frame to frame, in which a head may go where nobody expects it
_HIDDEN_EVERY = 2  # while a face is hidden, the detector looks for it this often
_OFF = 0.5  # landmarks farther from what the detector found have gone astray
# Of a face that was hidden, the distance and the unlikeness (0: as it was, 1: no likeness) may have
# this sum, and so much more for each second, since nobody knows where it went.
_LOST, _LOST_RATE = 1.5, 0.5


class FaceTracker:
    """Follows the faces of a video: each keeps its number, and its landmarks are smoothed.

    A face is cropped where its last landmarks were, upright. The detector looks in every k-th
    frame, and at once when a face was lost or looks suddenly different. At less than 14 frames a
    second it looks in each, and the crop is where it finds the face. A face that the detector no
    longer finds is hidden: it is not returned, and known again where it should be by now, if it
    looks as it did. So is one whose landmarks say that there is no face, or a covered one, if the
    model says how sure it is. A face whose score is below 0.75 may be a mistake of the detector: it
    is returned once it was found five times in a row and its landmarks do not doubt it, or as soon
    as they say for certain that it is a face.

    A tracker is for one video, and for one thread at a time; a landmarker may be shared between
    trackers. It has no clock of its own and remembers only the faces that are there, so that the
    same frames give the same results, however long the video is.

    Args:
        landmarker: `FaceLandmarker`.
        every: the detector looks in every so many-th frame at least; 1: in each. A face that comes
            into the image is found at most `every` - 1 frames later.
        smooth: "off", "light" or "strong".
        hold: seconds for which a hidden face keeps its number.

    Call arguments:
        frame: an image, as `read_image` takes it; all of one video have one size.
        timestamp: in seconds, later than that of the frame before. All faces count as new after a
            time without a frame that is longer than `hold`, and longer than three times the longest
            time between the last six frames. Call `reset` before another part of the video.

    Returns:
        list of `FaceLandmarks` with a `track_id`, which counts from 0, in the order of these.
        The first landmarks of a face, with box and degrees, are those that the landmarker gives;
        later, the box is around the landmarks, and `degrees` is the tilt of the face.

    Raises:
        ValueError: the timestamp is not later, the frame is no image, or a setting is out of its
            range.
        ImportError: scipy is not installed.

    Example:

    >>> import numpy as np
    >>> from keras_lotr import FaceLandmarker, FaceTracker, read_image
    >>> tracker = FaceTracker(FaceLandmarker("lotr_m_68", engine="onnxruntime"))
    >>> photo = read_image("examples/astronaut.jpg")
    >>> frames = [np.roll(photo, -4 * i, axis=1) for i in range(3)]
    >>> [[face.track_id for face in tracker(f, i / 25)] for i, f in enumerate(frames)]
    [[0], [0], [0]]
    """

    def __init__(self, landmarker, every=5, smooth="light", hold=1.0):
        if not hasattr(landmarker, "landmarks_of"):
            raise TypeError(
                "Expected a FaceLandmarker, such as FaceLandmarker('lotr_s_68'). "
                f"Received: {landmarker!r}"
            )
        frames, seconds = whole(every), real(hold)
        if frames is None or frames < 1:
            raise ValueError(
                f"Expected every as a number of frames, 1 or more. Received: {every!r}"
            )
        if seconds is None or not 0 <= seconds < math.inf:
            raise ValueError(f"Expected hold in seconds, 0 or more. Received: {hold!r}")
        self.landmarker, self.every, self.smooth, self.hold = landmarker, frames, smooth, seconds
        self._strength = strength_of(smooth)
        self._next_id = 0
        self.reset()

    def __repr__(self):
        settings = f"every={self.every}, smooth={self.smooth!r}, hold={self.hold:g}"
        return f"FaceTracker({self.landmarker!r}, {settings})"

    def reset(self):
        """Forget all faces, before another part of the video; numbers are not used again."""
        self._tracks, self._time, self._since, self._long = [], None, math.inf, False
        self._steps = deque(maxlen=_USUAL)  # seconds between the last frames

    def __call__(self, frame, timestamp):
        image, timestamp = read_image(frame), self._checked(timestamp)
        self._forget_after_gap(timestamp)
        self._time = timestamp
        self._since += 1
        looked = self._due()
        if looked:
            self._look(image, timestamp)
        self._find(image, self._visible, timestamp)
        if not looked and any(track.doubtful for track in self._visible):
            self._find(image, self._look(image, timestamp), timestamp)
        for track in self._visible:
            if track.lost:
                track.hide()
        self._part(timestamp)
        self._tracks = [track for track in self._tracks if not self._ended(track, timestamp)]
        return [self._result(track, timestamp) for track in self._visible if track.sure]

    @property
    def _visible(self):
        return [track for track in self._tracks if not track.hidden]

    def _checked(self, timestamp):
        seconds = real(timestamp)
        if seconds is None or not math.isfinite(seconds):
            raise ValueError(
                "Expected a timestamp in seconds, such as the number of the frame divided by the "
                f"frames per second. Received: {timestamp!r}"
            )
        if self._time is not None and seconds <= self._time:
            raise ValueError(
                f"Expected a timestamp in seconds, later than {self._time} of the frame before. "
                f"Received: {seconds}. Call reset() before another part of the video."
            )
        return seconds

    def _forget_after_gap(self, timestamp):
        if self._time is None:
            return
        step = timestamp - self._time
        self._long = step > _LONG
        if self._steps and step > max(self.hold, _GAP * max(self._steps)):
            self.reset()
        else:
            self._steps.append(step)

    def _due(self):
        """Whether the detector is to look at this frame."""
        if self._long:
            return True
        doubted = any(
            t.misses or t.doubtful or t.confirmed == 1 or not t.sure for t in self._visible
        )
        hidden = len(self._visible) < len(self._tracks)
        wait = 1 if doubted else _HIDDEN_EVERY if hidden else self.every
        return self._since >= min(wait, self.every)

    def _look(self, image, timestamp):
        """Ask the detector, and say which tracks begin at what it found, new or again."""
        self._since = 0
        faces = self.landmarker.detector(image)
        matches, begun = self._matches(image, faces, timestamp), []
        for track in self._tracks:
            if track not in matches:
                self._missed(track)
                continue
            face = matches[track]
            far = distances(track.expected(timestamp), face.box)[0, 0] > _OFF
            if far and not track.hidden and track.doubtful:
                track.hide()
            if track.hidden or self._long:
                begun.append(track)
            track.confirm(face, timestamp)
        known = np.array([track.expected(timestamp) for track in self._visible]).reshape(-1, 4)
        taken = set(map(id, matches.values()))
        for face in faces:
            if id(face) not in taken and not (distances(face.box, known) < _OFF).any():
                landmarker = self.landmarker
                settings = landmarker.sure_score, landmarker.preprocessor.detector_decides
                begun.append(Track(self._next_id, face, timestamp, self._strength, *settings))
                self._tracks.append(begun[-1])
                self._next_id += 1
        return begun

    def _missed(self, track):
        track.misses += 1
        waits = track.sure and not track.doubtful
        patience = min(_PATIENCE, track.confirmed) if waits else 1
        if not track.hidden and track.misses >= patience:
            track.hide()

    def _matches(self, image, faces, timestamp):
        """{track: its face}; faces are given first to the tracks that have them most likely.

        A track that the detector missed may have been led astray by what covered its face, and
        must not take the face of another; hidden ones get what is left and looks like them. After
        a long step the looks count for all.
        """
        found = [track for track in self._visible if not track.misses]
        missed = [track for track in self._visible if track.misses]
        hidden = [track for track in self._tracks if track.hidden]
        matches, left = {}, list(faces)
        for tracks in (found, missed, hidden):
            cost, limit = _apart(tracks, left, timestamp), np.full((len(tracks), 1), _NEAR)
            for i, track in enumerate(tracks):
                if track.hidden or self._long:
                    cost[i] += [1 - track.likeness_to(image, face) for face in left]
                    limit[i] = _LOST + _LOST_RATE * track.unclear_for(timestamp)
            pairs = assign(cost, limit)
            matches |= {tracks[row]: left[column] for row, column in pairs}
            taken = {column for _, column in pairs}
            left = [face for column, face in enumerate(left) if column not in taken]
        return matches

    def _find(self, image, tracks, timestamp):
        """Landmarks of these tracks, all in one call of the network."""
        if not tracks:
            return
        landmarker = self.landmarker
        preprocessor, scheme = landmarker.preprocessor, get_scheme(landmarker.preprocessor.scheme)
        matrices = [track.crop(preprocessor, timestamp, self._long) for track in tracks]
        crops = [geometry.warp(image, m, preprocessor.image_size) for m in matrices]
        found = landmarker.landmarks_of(crops, matrices)
        for track, crop, matrix, (points, known) in zip(
            tracks, crops, matrices, found, strict=True
        ):
            track.update(points.astype(np.float64), known, crop, matrix, timestamp, scheme)

    def _part(self, timestamp):
        """Of two tracks on one face, the one that the detector missed is hidden.

        If it found both or none of them, the one that is less like itself.
        """
        tracks = self._visible
        boxes = np.array([track.box for track in tracks]).reshape(-1, 4)
        apart = distances(boxes, boxes) + np.diag(np.full(len(boxes), np.inf))
        for i, j in np.argwhere(np.triu(apart < _SAME)):
            if not (tracks[i].hidden or tracks[j].hidden):
                astray = min(tracks[i], tracks[j], key=lambda t: (not t.misses, t.like_itself))
                astray.hide()
        for i, track in enumerate(tracks):
            if track.hidden or track.misses:
                continue
            found = self._since == 0  # by the detector, just now
            clear = (found or not track.doubtful) and (apart[i] > _FREE).all()
            # Of two faces that stay close together, what is known must not grow old.
            if clear or found and track.unclear_for(timestamp) > _OLD:
                track.seen_clearly(timestamp)
            if clear and found and not track.doubtful:
                track.compare()

    def _ended(self, track, timestamp):
        """Whether a face has gone: for too long, or it was none, or none for certain."""
        certain = track.sure and track.confirmed > 1
        return track.hidden and (not certain or track.unclear_for(timestamp) > self.hold)

    def _result(self, track, timestamp):
        points, scheme = track.smoothed, self.landmarker.preprocessor.scheme
        face, degrees, box = track.face, track.degrees, geometry.box_of(points)
        if track.fresh:
            box, degrees = face.box, face.degrees
        known = {"track_id": track.track_id, **track.known}
        return FaceLandmarks(points, box, face.score, scheme, degrees, **known)


def _apart(tracks, faces, timestamp):
    """(tracks, faces) how far detected faces are from where these tracks should be."""
    expected = [track.expected(timestamp) for track in tracks]
    return distances(expected, [face.box for face in faces])
