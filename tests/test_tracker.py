"""The tracker, on drawn faces that a detector and a network of a few lines find."""

import math
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import tiny

from keras_lotr import Face, FaceLandmarker, FaceTracker, geometry
from keras_lotr.preprocessor import Preprocessor

pytestmark = pytest.mark.once
pytest.importorskip("scipy")

LAYOUT = (tiny.face_layout() - tiny.face_layout().min(0)) / np.ptp(tiny.face_layout(), axis=0)
WIDTH, HEIGHT, RATE = 320, 240, 25


def portrait(number):
    """(48, 48, 3) what a person looks like: coarse colours, none of them dark."""
    rng = np.random.default_rng(number)
    cells = rng.integers(70, 250, (4, 4, 3)).astype(np.uint8)
    return cv2.resize(cells, (48, 48), interpolation=cv2.INTER_CUBIC).clip(60, 255)


def picture(*people):
    """An image, and the boxes in it, of (number of the person, x, y, size), the last in front."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    boxes = []
    for number, x, y, size in people:
        x, y, size = round(x), round(y), round(size)
        image[y : y + size, x : x + size] = cv2.resize(portrait(number), (size, size))
        boxes.append([x - 0.5, y - 0.5, x + size - 0.5, y + size - 0.5])
    return image, np.array(boxes, float)


class Landmarker:
    """Stands in for a `FaceLandmarker`: the detector knows the boxes that are not covered."""

    landmarks_of = FaceLandmarker.landmarks_of
    sure_score = None

    def __init__(self):
        self.preprocessor, self.flip = Preprocessor("ibug68", 64), False
        self.model = SimpleNamespace(predict_points=self._predict)
        self.looked, self.batches = 0, []
        self.boxes, self.score = np.zeros((0, 4)), 0.9
        self.sigma = None  # pixels of the crop; a number makes the model say how sure it is

    def certain(self, sigma):
        self.sigma = sigma
        self.model.has_certainty, self.model.predict_certainty = True, self._predict_certainty

    def _predict_certainty(self, crops, flip):
        points = self._predict(crops, flip)
        sure = np.tile(np.array([self.sigma, 0, self.sigma, 1]), (*points.shape[:2], 1))
        return points, sure

    def detector(self, image):
        self.looked += 1
        faces = []
        for i, box in enumerate(self.boxes):
            in_front = geometry.share_inside(box[None], np.zeros(4))
            in_front = [geometry.share_inside(box[None], b)[0] for b in self.boxes[i + 1 :]]
            if max(in_front, default=0) < 0.5:
                faces.append(Face(box.astype(np.float32), score=self.score))
        return faces

    def _predict(self, crops, flip):
        """The bright thing nearest to the middle of a crop."""
        self.batches.append(len(crops))
        return np.array([self._points(crop) for crop in crops], np.float32)

    def _points(self, crop):
        mask = (crop.max(-1) > 40).astype(np.uint8)
        _, _, stats, centers = cv2.connectedComponentsWithStats(mask)
        if len(stats) < 2:
            return 20 + 24 * LAYOUT
        nearest = 1 + np.argmin(np.linalg.norm(centers[1:] - 31.5, axis=1))
        x, y, width, height = stats[nearest][:4]
        return np.array([x, y]) - 0.5 + LAYOUT * [width, height]


@pytest.fixture
def landmarker():
    return Landmarker()


def follow(tracker, frames, rate=RATE, start=0):
    """What the tracker returns for frames, each a list of people."""
    results = []
    for i, people in enumerate(frames, start):
        image, tracker.landmarker.boxes = picture(*people)
        results.append(tracker(image, i / rate))
    return results


def numbers(results):
    return [[face.track_id for face in faces] for faces in results]


def test_one_face_that_moves(landmarker):
    frames = [[(1, 40 + 5 * i, 60, 70)] for i in range(30)]
    results = follow(FaceTracker(landmarker, smooth="off"), frames)
    assert numbers(results) == [[0]] * 30
    for (face,), people in zip(results[2:], frames[2:], strict=True):
        np.testing.assert_allclose(geometry.box_of(face.points), picture(*people)[1][0], atol=3)
        assert face.score == 0.9 and face.scheme == "ibug68"


def test_the_first_landmarks_are_those_of_the_landmarker(landmarker):
    from keras_lotr.inference.photo_crops import crop_faces

    ((face,),) = follow(FaceTracker(landmarker), [[(1, 100, 60, 90)]])
    (found,) = landmarker.detector(None)
    image, _ = picture((1, 100, 60, 90))
    matrices, crops = crop_faces(image, [found], landmarker.preprocessor)
    points = geometry.apply(geometry.invert(matrices[0]), landmarker._predict(crops, False)[0])
    np.testing.assert_allclose(face.points, points, atol=1e-3)
    assert (face.box.tolist(), face.degrees) == (found.box.tolist(), 0.0)


def test_how_often_the_detector_looks(landmarker):
    follow(FaceTracker(landmarker, every=5), [[(1, 100, 60, 90)]] * 41)
    # At first, once more to be sure, and then in each fifth frame.
    assert landmarker.looked == 9
    landmarker.looked = 0
    follow(FaceTracker(landmarker, every=1), [[(1, 100, 60, 90)]] * 20)
    assert landmarker.looked == 20


def test_all_faces_of_a_frame_in_one_batch(landmarker):
    people = [(i, 10 + 75 * i, 60, 60) for i in range(4)]
    results = follow(FaceTracker(landmarker), [people] * 3)
    assert numbers(results) == [[0, 1, 2, 3]] * 3
    assert landmarker.batches == [4, 4, 4]


def test_a_new_face_gets_a_new_number(landmarker):
    frames = [[(1, 20, 60, 60)]] * 6 + [[(1, 20, 60, 60), (2, 200, 60, 60)]] * 6
    results = numbers(follow(FaceTracker(landmarker), frames))
    assert results[5] == [0] and results[-1] == [0, 1]


def test_two_faces_that_cross(landmarker):
    frames = [[(1, 20 + 7 * i, 60, 66), (2, 230 - 7 * i, 70, 70)] for i in range(31)]
    results = follow(FaceTracker(landmarker), frames)
    for faces, people in ((results[0], frames[0]), (results[-1], frames[-1])):
        boxes = picture(*people)[1]
        centers = {face.track_id: face.points.mean(0)[0] for face in faces}
        assert set(centers) == {0, 1}
        for number, (x0, _, x1, _) in enumerate(boxes):
            assert abs(centers[number] - (x0 + x1) / 2) < 8


def test_a_track_that_was_led_astray_does_not_take_the_face_of_another(landmarker):
    """The detector missed it, and its landmarks went over to the face in front of it."""
    frames = [[(1, 40, 80, 60), (2, 200 - 4 * i, 80, 60)] for i in range(8)]
    tracker = FaceTracker(landmarker)
    follow(tracker, frames)
    covered, in_front = tracker._tracks
    image, (_, box) = picture(*frames[-1])
    time, face = len(frames) / RATE, Face((box - [4, 0, 4, 0]).astype(np.float32), score=0.9)
    covered.misses, covered.box, covered._velocity = 1, face.box.astype(float), np.zeros(2)
    assert tracker._matches(image, [face], time) == {in_front: face}
    own = Face(np.array([39.5, 79.5, 99.5, 139.5], np.float32), score=0.9)
    covered.box = own.box.astype(float)
    assert tracker._matches(image, [face, own], time) == {in_front: face, covered: own}


@pytest.mark.parametrize("misses", [0, 1])
def test_of_two_tracks_on_one_face_that_which_the_detector_missed_goes(landmarker, misses):
    """However much it looks like itself; where the detector says nothing, looks do."""
    tracker = FaceTracker(landmarker)
    follow(tracker, [[(1, 40, 80, 60), (2, 200 - 4 * i, 80, 60)] for i in range(8)])
    covered, in_front = tracker._tracks
    covered.box, covered.misses, in_front._looks = in_front.box, misses, -in_front._last
    assert in_front.like_itself < covered.like_itself
    tracker._part(8 / RATE)
    assert (covered.hidden, in_front.hidden) == (bool(misses), not misses)


def test_a_face_that_was_hidden_is_known_again(landmarker):
    hidden = [[]] * 20  # 0.8 s
    frames = [[(1, 100, 60, 70)]] * 12 + hidden + [[(1, 110, 62, 70)]] * 12
    results = numbers(follow(FaceTracker(landmarker), frames))
    assert results[11] == [0] and results[-1] == [0]
    assert results[20] == []


def test_somebody_else_at_another_place_is_not_taken_for_who_was_hidden(landmarker):
    frames = [[(1, 30, 60, 70)]] * 12 + [[(5, 200, 90, 60)]] * 12
    results = numbers(follow(FaceTracker(landmarker), frames))
    assert results[11] == [0] and results[-1] == [1]


def test_hold(landmarker):
    frames = [[(1, 100, 60, 70)]] * 6 + [[]] * 20 + [[(1, 100, 60, 70)]] * 6
    assert numbers(follow(FaceTracker(landmarker, hold=0.2), frames))[-1] == [1]


def test_a_gap_in_the_times_and_reset(landmarker):
    tracker = FaceTracker(landmarker)
    assert numbers(follow(tracker, [[(1, 100, 60, 70)]] * 3)) == [[0]] * 3
    assert numbers(follow(tracker, [[(1, 100, 60, 70)]] * 2, start=100)) == [[1]] * 2
    tracker.reset()
    assert numbers(follow(tracker, [[(1, 100, 60, 70)]] * 2)) == [[2]] * 2


@pytest.mark.parametrize(
    ("hold", "rate"), [(0.2, 5), (0.1, 5), (0.0, 25), (1.0, 1000 / 1001), (1.0, 0.5)]
)
def test_frames_that_come_slowly_are_no_gap(landmarker, hold, rate):
    frames = [[(1, 100, 60, 70)]] * 12
    assert numbers(follow(FaceTracker(landmarker, hold=hold), frames, rate)) == [[0]] * 12


@pytest.mark.parametrize("lost", [1, 2])
def test_frames_of_a_time_lapse_that_are_missing_are_no_gap(landmarker, lost):
    tracker = FaceTracker(landmarker)
    before = follow(tracker, [[(1, 100, 60, 70)]] * 6, rate=0.5)
    after = follow(tracker, [[(1, 100, 60, 70)]] * 6, rate=0.5, start=6 + lost)
    assert numbers(before + after) == [[0]] * 12


def test_a_gap_in_a_time_lapse(landmarker):
    tracker = FaceTracker(landmarker)
    before = follow(tracker, [[(1, 100, 60, 70)]] * 6, rate=0.5)
    after = follow(tracker, [[(1, 100, 60, 70)]] * 6, rate=0.5, start=20)
    assert numbers(before + after) == [[0]] * 6 + [[1]] * 6


def test_times_that_vary_are_no_gap(landmarker):
    tracker = FaceTracker(landmarker, hold=0.2)
    image, landmarker.boxes = picture((1, 100, 60, 70))
    times = np.cumsum([0.04, 0.3] * 10)
    assert numbers([tracker(image, time) for time in times]) == [[0]] * 20


def test_what_the_detector_found_once_by_mistake_is_dropped(landmarker):
    tracker = FaceTracker(landmarker)
    black = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    landmarker.boxes = np.array([[50, 50, 90, 90.0]])
    assert len(tracker(black, 0.0)) == 1
    landmarker.boxes = np.zeros((0, 4))
    assert [len(tracker(black, i / RATE)) for i in range(1, 6)] == [0] * 5
    assert not tracker._tracks  # nothing is remembered of it


def test_the_same_frames_give_the_same_results(landmarker):
    frames = [[(1, 20 + 5 * i, 60, 60), (2, 230 - 6 * i, 70, 70)] for i in range(25)]
    first, second = (follow(FaceTracker(Landmarker()), frames) for _ in range(2))
    assert first == second


def test_smoothing_does_not_change_who_is_who(landmarker):
    frames = [[(1, 20 + 7 * i, 60, 66), (2, 230 - 7 * i, 70, 70)] for i in range(31)]
    ways = [numbers(follow(FaceTracker(Landmarker(), smooth=s), frames)) for s in ("off", "strong")]
    assert ways[0] == ways[1]


@pytest.mark.parametrize("time", [0.5, 0.4])
def test_times_that_do_not_go_on(landmarker, time):
    tracker = FaceTracker(landmarker)
    tracker(np.zeros((HEIGHT, WIDTH, 3), np.uint8), 0.5)
    with pytest.raises(ValueError, match="later than 0.5 of the frame before.*Call reset"):
        tracker(np.zeros((HEIGHT, WIDTH, 3), np.uint8), time)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"every": 0}, "Expected every as a number of frames, 1 or more. Received: 0"),
        ({"every": 2.5}, "Received: 2.5"),
        ({"smooth": "much"}, "one of off, light, strong. Received: 'much'"),
        ({"hold": "1"}, "Expected hold in seconds, 0 or more. Received: '1'"),
        ({"hold": None}, "Expected hold in seconds, 0 or more. Received: None"),
        ({"hold": -1}, "Expected hold in seconds, 0 or more. Received: -1"),
    ],
)
def test_bad_settings(landmarker, settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        FaceTracker(landmarker, **settings)


@pytest.mark.parametrize(
    "wrong", [None, "a", True, datetime(2026, 1, 1), math.nan, math.inf], ids=str
)
def test_a_timestamp_that_is_no_number_of_seconds(landmarker, wrong):
    with pytest.raises(ValueError, match="Expected a timestamp in seconds, such as .* Received"):
        FaceTracker(landmarker)(picture((1, 100, 60, 90))[0], wrong)


def test_settings_of_numpy(landmarker):
    tracker = FaceTracker(landmarker, every=np.int64(5), hold=np.float32(0.5))
    assert (type(tracker.every), tracker.every) == (int, 5)
    assert (type(tracker.hold), tracker.hold) == (float, 0.5)


def test_repr(landmarker):
    assert repr(FaceTracker(landmarker)).endswith("every=5, smooth='light', hold=1)")


def test_two_faces_that_stay_close_together(landmarker):
    frames = [[(1, 20 + 4 * i, 60, 66), (2, 90 + 4 * i, 64, 66)] for i in range(40)]
    # One of them is covered for a moment, far from where both began.
    for i in (30, 31, 32, 33):
        frames[i] = frames[i][:1]
    results = numbers(follow(FaceTracker(landmarker), frames))
    assert results[29] == results[-1] == [0, 1]


def test_the_box_is_around_the_landmarks_of_this_frame(landmarker):
    for (face,) in follow(FaceTracker(landmarker), [[(1, 40 + 9 * i, 60, 70)] for i in range(9)]):
        np.testing.assert_allclose(face.box, geometry.box_of(face.points), atol=1.1)


def test_a_face_of_which_the_detector_is_not_sure(landmarker):
    landmarker.score = 0.6
    tracker = FaceTracker(landmarker)
    assert [len(faces) for faces in follow(tracker, [[(1, 100, 60, 70)]] * 7)] == [0] * 4 + [1] * 3
    tracker.reset()
    seen = [[(1, 100, 60, 70)]] * 3
    assert [len(faces) for faces in follow(tracker, [*seen, [], *seen])] == [0] * 7


def test_a_face_whose_landmarks_say_that_it_is_covered_is_hidden_and_known_again(landmarker):
    landmarker.certain(0.5)
    tracker = FaceTracker(landmarker)
    still = [[(1, 100, 60, 70)]]
    assert numbers(follow(tracker, still * 6)) == [[0]] * 6
    landmarker.certain(20.0)
    assert numbers(follow(tracker, still * 6, start=6)) == [[]] * 6
    landmarker.certain(0.5)
    assert numbers(follow(tracker, still * 6, start=12))[-1] == [0]


def test_what_the_landmarks_say_is_no_face_gets_no_track(landmarker):
    landmarker.certain(40.0)
    tracker = FaceTracker(landmarker)
    assert numbers(follow(tracker, [[(1, 100, 60, 70)]] * 8)) == [[]] * 8
    assert not tracker._tracks


def test_a_model_that_never_saw_a_photo_leaves_it_to_the_detector(landmarker):
    landmarker.certain(40.0)
    landmarker.preprocessor = replace(landmarker.preprocessor, detector_decides=True)
    assert numbers(follow(FaceTracker(landmarker), [[(1, 100, 60, 70)]] * 8)) == [[0]] * 8


@pytest.mark.parametrize(("score", "found"), [(0.56, []), (0.9, [0])])
def test_a_box_that_both_score_and_landmarks_doubt_gets_no_track(landmarker, score, found):
    landmarker.certain(10.0)  # a quality of about 0.04
    landmarker.score, landmarker.sure_score = score, 0.55
    results = numbers(follow(FaceTracker(landmarker), [[(1, 100, 60, 70)]] * 10))
    assert results == [found] * 10


def test_a_blurred_face_that_was_never_better_stays(landmarker):
    landmarker.certain(6.0)  # a quality of about 0.1
    assert numbers(follow(FaceTracker(landmarker), [[(1, 100, 60, 70)]] * 8)) == [[0]] * 8


@pytest.mark.parametrize(("sigma", "frames"), [(0.5, 0), (2.4, 4), (3.2, 7)])
def test_only_landmarks_that_are_sure_make_a_face_sure_at_once(landmarker, sigma, frames):
    landmarker.certain(sigma)  # qualities of about 0.9, 0.35 and 0.2
    landmarker.score = 0.6
    results = numbers(follow(FaceTracker(landmarker), [[(1, 100, 60, 70)]] * 7))
    assert results == [[]] * frames + [[0]] * (7 - frames)


@pytest.mark.parametrize("given", ["lotr_s_68", None])
def test_a_tracker_of_no_landmarker(given):
    with pytest.raises(TypeError, match=r"Expected a FaceLandmarker.*: (None|'lotr_s_68')"):
        FaceTracker(given)
