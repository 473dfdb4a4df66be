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
    count, rate = live.show(live.file_frames(video), tracker(times))
    assert count == len(window.shown) == len(times) == 20 and window.closed
    assert clock.slept == pytest.approx(19 / 25) and rate == pytest.approx(20 / clock.slept)
    np.testing.assert_allclose(times, np.arange(20) / 25)


def test_late_frames_are_left_out(video, monkeypatch):
    Window(monkeypatch), Clock(monkeypatch, each=0.1)
    assert 1 <= live.show(live.file_frames(video), tracker([]))[0] < 10


def test_a_key_ends_it(video, monkeypatch):
    window = Window(monkeypatch, quit_after=2)
    assert live.show(live.file_frames(video), tracker([]))[0] == 2
    assert window.closed


def test_an_opencv_without_windows(monkeypatch):
    def none(*_):
        raise cv2.error("The function is not implemented.")

    monkeypatch.setattr(cv2, "namedWindow", none)
    with pytest.raises(ImportError, match="pip install opencv-python"):
        live.check_window()


def test_no_camera():
    with pytest.raises(OSError, match="There is no camera 77, or another program uses it"):
        live.camera_frames(77)


def test_no_file():
    with pytest.raises(FileNotFoundError, match="There is no video none.mp4"):
        live.file_frames("none.mp4")
