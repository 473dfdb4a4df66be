"""One face of a video: where it is, where it goes, how it looks, and whether it is still seen."""

import cv2
import numpy as np

from keras_lotr import geometry
from keras_lotr.inference.certainty import quality
from keras_lotr.inference.verification import GOOD_QUALITY, NO_QUALITY, is_face
from keras_lotr.tracking.crops import BoxesBeside, SteadyCrop, upright_degrees
from keras_lotr.tracking.smoothing import FaceSmoother

_PORTRAIT = 12  # side in pixels of the small image by which a face is known again
_BORDER = 8  # a crop's side over what is left out of it there, on each side
_COMPARED_SIDE, _COMPARED_MARGIN = 4 * _PORTRAIT, 1.3  # of the crop of a face that is detected
_MOTION = 0.12  # seconds over which the velocity is averaged
_LOOKS = 0.4  # seconds over which the looks are averaged
_COAST = 0.35  # seconds after which a hidden face has mostly stopped
_ALIKE = 0.55  # two portraits of a face, one frame apart, are more alike
_SURE = 0.75  # score of what is no mistake of the detector
_TIMES = 5  # what it found so often in a row is none either, if the landmarks once saw it well
_SURE_QUALITY = 0.5  # of landmarks that are no mistake of the network either
_WELL_SEEN = 2 * GOOD_QUALITY  # a face that once had this quality has it again when it is seen
_LIKE_ITSELF = 0.7  # nothing is in front of a face that is as much like its average looks


class Track:
    """A face with its number.

    Args:
        track_id: its number.
        face: `Face`, as the detector found it.
        strength: `smoothing.Strength`; None does not smooth.
        sure_score: of the landmarker; None: its detector is believed.
        detector_decides: of its preprocessor; the landmarks then say nothing of what is a face.

    Attributes:
        track_id: its number.
        face: the `Face` that was found last.
        points: (N, 2) image pixels, as the network said last, not smoothed; None before the first.
        smoothed: (N, 2) the same, smoothed.
        box: (4,) where it is, or, while it is hidden, where it should be.
        known: {"sigma", "visible"} of the last landmarks, if the model says how sure it is.
        fresh: whether its landmarks are of the detector's crop, and not of the landmarks before.
        hidden: whether it is not seen at present.
        misses: how often in a row the detector did not find it.
        confirmed: how often the detector found it.
        sure: whether it is a face for certain: found with a high score, or several times and once
            well seen by its landmarks, or they alone say so.
    """

    def __init__(self, track_id, face, timestamp, strength, sure_score, detector_decides=False):
        self.track_id, self._strength, self._sure_score = track_id, strength, sure_score
        self._detector_decides = detector_decides
        self.hidden, self.misses, self.confirmed, self.sure = False, 0, 0, False
        self._quality, self._well_seen = None, False
        self._looks = self._last = self._before = self.points = None
        self.confirm(face, timestamp)
        self._restart(face, timestamp)

    def _restart(self, face, timestamp):
        """Begin again at what the detector found: nothing of the way there is known."""
        self.points, self.degrees, self.fresh, self.known = None, face.degrees, True, {}
        self.box, self._velocity, self._time = np.asarray(face.box, float), np.zeros(2), timestamp
        self._seen = self.box, self._velocity, timestamp
        self._smooth = FaceSmoother(self._strength) if self._strength else None
        self._steady, self._beside = SteadyCrop(), BoxesBeside()

    def confirm(self, face, timestamp):
        """The detector found it."""
        self.face, self.misses, self._found = face, 0, timestamp
        self.confirmed += 1
        often = self.confirmed >= _TIMES and (self._quality is None or self._well_seen)
        self.sure |= face.score is None or face.score >= _SURE or often
        if self.hidden:
            self.hidden = False
            self._restart(face, timestamp)

    def hide(self):
        """It is not seen: it goes on as it went when it was last seen clearly."""
        self.hidden = True
        self.box, self._velocity, _ = self._seen

    def unclear_for(self, timestamp):
        """Seconds since it was last seen clearly."""
        return timestamp - self._seen[2]

    def expected(self, timestamp):
        """(4,) the box where it should be at that time."""
        if not self.hidden:
            return self.box + np.tile(self._velocity * (timestamp - self._time), 2)
        box, velocity, since = self._seen
        return box + np.tile(velocity * _COAST * (1 - np.exp((since - timestamp) / _COAST)), 2)

    def crop(self, preprocessor, timestamp, afresh=False):
        """The (2, 3) `crop_from_image` in which the network looks for its landmarks.

        Args:
            preprocessor: of the landmarker.
            timestamp: of the frame, in seconds.
            afresh: whether what the detector finds in this frame is better known than where the
                last landmarks have gone.
        """
        if self.points is None or (afresh and self._found == timestamp):
            size, margin, self._steady = preprocessor.image_size, preprocessor.margin, SteadyCrop()
            return geometry.crop_from_box(self.face.box, size, margin, self.face.degrees)
        moved = self.points + self._velocity * (timestamp - self._time)
        return self._steady(moved, self.degrees, timestamp, preprocessor, self._beside.offset)

    def update(self, points, known, crop, crop_from_image, timestamp, scheme):
        """Take the landmarks that the network found.

        Args:
            points: (N, 2) image pixels.
            known: {"sigma", "visible"} of them, or {}.
            crop: (S, S, 3) uint8, where it found them.
            crop_from_image: (2, 3), where the crop is.
            timestamp: of the frame, in seconds.
            scheme: `LandmarkScheme`.
        """
        box, elapsed = geometry.box_of(points), timestamp - self._time
        self.fresh = self.points is None
        if not self.fresh:
            moved = (points.mean(0) - self.points.mean(0)) / elapsed
            self._velocity = _mixed(self._velocity, moved, elapsed / _MOTION)
        self.points, self.box, self._time, self.known = points, box, timestamp, known
        self.smoothed = points
        if self._smooth is not None:
            sigma = known.get("sigma")
            self.smoothed = self._smooth(points, crop, crop_from_image, timestamp, sigma)
        self.degrees = upright_degrees(points, scheme, self.degrees)
        if "sigma" in known and not self._detector_decides:
            self._quality = quality(known["sigma"], points)
            self._well_seen |= self._quality >= _WELL_SEEN
            self.sure |= self._quality >= _SURE_QUALITY
        self._before, self._last = self._last, portrait(crop)

    @property
    def lost(self):
        """Whether its landmarks say that there is no face, or that it is covered.

        A model that does not say how sure it is loses none.
        """
        if self._quality is None:
            return False
        if self._well_seen:
            return self._quality < GOOD_QUALITY
        return self._quality < NO_QUALITY or not is_face(
            self.face.score, self._quality, self._sure_score
        )

    @property
    def doubtful(self):
        """Whether it suddenly looks different: something may be in front, or the scene was cut."""
        sudden = self._before is not None and likeness(self._before, self._last) < _ALIKE
        return sudden or self.like_itself < _LIKE_ITSELF

    @property
    def like_itself(self):
        """-1..1: how well what is seen now fits what it looked like so far."""
        return 1.0 if self._looks is None else likeness(self._looks, self._last)

    def compare(self):
        """Note how the detector's box of this frame differs from that of the landmarks."""
        self._beside.compare(self.box, self.face)

    def seen_clearly(self, timestamp):
        """Remember place, velocity and looks: nothing is in front."""
        elapsed = timestamp - self._seen[2]
        self._seen = self.box, self._velocity, timestamp
        first = self._looks is None
        self._looks = self._last if first else _mixed(self._looks, self._last, elapsed / _LOOKS)

    def likeness_to(self, image, face):
        """-1..1: how much a face that was detected looks like this one."""
        if self._looks is None:
            return 0.0
        matrix = geometry.crop_from_box(face.box, _COMPARED_SIDE, _COMPARED_MARGIN, self.degrees)
        return likeness(self._looks, portrait(geometry.warp(image, matrix, _COMPARED_SIDE)))


def _mixed(old, new, share):
    share = min(1.0, share)
    return old + share * (new - old)


def portrait(crop):
    """(12, 12, 3) float: what a face looks like, without lighting and surroundings."""
    border = len(crop) // _BORDER
    inner = crop[border:-border, border:-border]
    small = cv2.resize(inner, (_PORTRAIT, _PORTRAIT), interpolation=cv2.INTER_AREA)
    small = small.astype(np.float64) - small.mean()
    return small / max(1e-6, np.linalg.norm(small))


def likeness(portrait, other):
    """-1..1: the correlation of two portraits."""
    scale = max(1e-6, np.linalg.norm(portrait) * np.linalg.norm(other))
    return float(np.vdot(portrait, other) / scale)
