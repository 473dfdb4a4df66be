"""A file in the place of the camera, and a window that is none."""

import cv2
import numpy as np
import pytest

from keras_lotr.video import live

pytestmark = pytest.mark.once
pytest.importorskip("av")


class Window:
    """What OpenCV's windows would show."""

    def __init__(self, monkeypatch, quit_after=10**9):
        self.shown, self.closed, self.quit_after = [], False, quit_after
        monkeypatch.setattr(cv2, "namedWindow", lambda *_: None)
        monkeypatch.setattr(cv2, "imshow", lambda name, image: self.shown.append(image))
        monkeypatch.setattr(cv2, "waitKey", self._key)
        monkeypatch.setattr(cv2, "destroyAllWindows", lambda: setattr(self, "closed", True))

    def _key(self, _):
        return ord("q") if len(self.shown) >= self.quit_after else -1


def tracker(times):
    def track(image, timestamp):
        times.append(timestamp)
        return []

    return track


class Clock:
    """A clock that goes on when somebody sleeps, and by `each` when somebody looks."""

    def __init__(self, monkeypatch, each=0.0):
        self.now, self.slept, self.each = 100.0, 0.0, each
        monkeypatch.setattr(live.time, "monotonic", self._look)
        monkeypatch.setattr(live.time, "sleep", self._sleep)

    def _look(self):
        self.now += self.each
        return self.now

    def _sleep(self, seconds):
        self.now += seconds
        self.slept += seconds


def test_a_file_as_the_camera(video, monkeypatch):
    window, clock, times = Window(monkeypatch), Clock(monkeypatch), []
    live.check_window()
    count, rate = live.show(live.PlayedVideo(video).frames(), tracker(times))
    assert count == len(window.shown) == len(times) == 20 and window.closed
    assert clock.slept == pytest.approx(19 / 25) and rate == pytest.approx(20 / clock.slept)
    np.testing.assert_allclose(times, np.arange(20) / 25)


def test_late_frames_are_left_out(video, monkeypatch):
    Window(monkeypatch), Clock(monkeypatch, each=0.1)
    assert 1 <= live.show(live.PlayedVideo(video).frames(), tracker([]))[0] < 10


def test_the_beginning_is_shown_however_long_the_first_frame_takes(video, monkeypatch):
    Window(monkeypatch)
    clock, times = Clock(monkeypatch), []

    def slow_at_first(image, timestamp):
        clock.now += 3.0 * (not times)
        times.append(timestamp)
        return []

    live.show(live.PlayedVideo(video).frames(), slow_at_first)
    np.testing.assert_allclose(times, np.arange(20) / 25)


class Camera:
    """Stands in for a `cv2.VideoCapture` that opens, and gives so many frames."""

    def __init__(self, monkeypatch, count):
        self.left, self.released = count, False
        monkeypatch.setattr(cv2, "VideoCapture", lambda number: self)

    def isOpened(self):
        return True

    def read(self):
        self.left -= 1
        return self.left >= 0, np.zeros((48, 64, 3), np.uint8)

    def release(self):
        self.released = True


def test_a_camera_that_gives_no_frame(monkeypatch):
    camera = Camera(monkeypatch, 0)
    with pytest.raises(OSError, match="Camera 0 gives no frame: another program may use it, or"):
        live.LiveCamera(0)
    assert camera.released


def test_a_camera_that_stops(monkeypatch):
    camera = Camera(monkeypatch, 4)  # the first one only says that it works
    source = live.LiveCamera(0)
    assert len(list(source.frames())) == 3 and camera.released
    assert source.failed and source.sentences == ["Camera 0 stopped: it gives no more frames."]


def test_a_camera_that_the_user_leaves(monkeypatch):
    camera, window = Camera(monkeypatch, 100), Window(monkeypatch, quit_after=2)
    source = live.LiveCamera(0)
    assert live.show(source.frames(), tracker([]))[0] == len(window.shown) == 2
    assert camera.released and not source.failed and source.sentences == []


def test_a_key_ends_it(video, monkeypatch):
    window = Window(monkeypatch, quit_after=2)
    assert live.show(live.PlayedVideo(video).frames(), tracker([]))[0] == 2
    assert window.closed


def test_an_opencv_without_windows(monkeypatch):
    def none(*_):
        raise cv2.error("The function is not implemented.")

    monkeypatch.setattr(cv2, "namedWindow", none)
    with pytest.raises(ImportError, match="pip install opencv-python"):
        live.check_window()


def test_no_camera():
    with pytest.raises(OSError, match="There is no camera 77, or another program uses it"):
        live.LiveCamera(77)


def test_no_file():
    with pytest.raises(FileNotFoundError, match="There is no video none.mp4"):
        live.PlayedVideo("none.mp4")
