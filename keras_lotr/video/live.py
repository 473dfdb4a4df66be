"""A camera, or a file in its place, shown in a window with the faces that are followed."""

import time
from contextlib import closing

import cv2
import numpy as np

from keras_lotr.images.drawing import draw, write_text
from keras_lotr.quiet import quiet_stderr
from keras_lotr.video.annotate import write_numbers
from keras_lotr.video.reading import VideoReader

_WINDOW = "keras-lotr"
_QUIT = (ord("q"), 27)  # 27: Esc


def check_window():
    """Refuse an OpenCV that has no windows.

    Raises:
        ImportError: with what to install.
    """
    try:
        with quiet_stderr():
            cv2.namedWindow(_WINDOW, cv2.WINDOW_NORMAL)
    except cv2.error:
        raise ImportError(
            "The window needs an OpenCV with windows, and a screen: pip uninstall "
            "opencv-python-headless, and then pip install opencv-python"
        ) from None


def warm_up(landmarker):
    """Load a landmarker's models and let them run once, so that no frame waits for it.

    Args:
        landmarker: `FaceLandmarker`.
    """
    grey = np.full((64, 64, 3), 128, np.uint8)
    landmarker([grey], [[[8, 8, 56, 56]]])
    landmarker(grey)


class LiveCamera:
    """A camera, whose frames are taken as they come.

    Args:
        number: 0 for the first camera.

    Attributes:
        failed: whether it stopped by itself.
        sentences: what is to be told at the end.

    Raises:
        OSError: there is no such camera, or it gives no frame.
    """

    def __init__(self, number):
        self._number, self.failed, self.sentences = number, False, []
        with quiet_stderr():
            self._camera = cv2.VideoCapture(number)
            opened = self._camera.isOpened()
            gives = opened and self._camera.read()[0]
        if not opened:
            raise OSError(f"There is no camera {number}, or another program uses it.")
        if not gives:
            self._camera.release()
            raise OSError(
                f"Camera {number} gives no frame: another program may use it, or the system does "
                "not allow it."
            )

    def frames(self):
        """Gives (H, W, 3) uint8 RGB and seconds, until the camera stops; then it is released."""
        try:
            while True:
                there, frame = self._camera.read()
                if not there:
                    self.failed = True
                    self.sentences = [f"Camera {self._number} stopped: it gives no more frames."]
                    return
                yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), time.monotonic()
        finally:
            self._camera.release()


class PlayedVideo:
    """A video at its own pace, as a camera gives it; late frames are left out.

    Args:
        path: of a video.

    Attributes:
        failed: whether it breaks off, or is damaged.
        sentences: what is to be told at the end.

    Raises:
        FileNotFoundError, ValueError, ImportError: as of `VideoReader`.
    """

    def __init__(self, path):
        self._reader = VideoReader(path)

    @property
    def failed(self):
        return bool(self._reader.broken or self._reader.damaged)

    @property
    def sentences(self):
        return self._reader.sentences

    def frames(self):
        """Gives (H, W, 3) uint8 RGB and seconds.

        Its time begins when the first frame was dealt with, for which models may be loaded.
        """
        start = None
        with self._reader as reader:
            for frame in reader.frames():
                if start is not None:
                    early = start + frame.time - time.monotonic()
                    if early < -1 / float(reader.rate):
                        continue
                    time.sleep(max(0.0, early))
                yield frame.image, frame.time
                if start is None:
                    start = time.monotonic() - frame.time


def show(frames, tracker, overlays=None):
    """Show frames with their faces, and how many a second could be computed, until a key ends it.

    Args:
        frames: generator of images and their times in seconds.
        tracker: `FaceTracker`.
        overlays: arguments of `draw`, such as {"pose": True}.

    Returns:
        How many frames were shown, and how many a second.
    """
    count, began, took = 0, time.monotonic(), 0.1
    try:
        with closing(frames):
            for image, timestamp in frames:
                start = time.monotonic()
                faces = tracker(image, timestamp)
                drawn = draw(image, faces, **overlays or {})
                write_numbers(drawn, faces)
                write_text(drawn, f"{1 / took:.0f} frames/s", (8, 24), 0.6, 4, 1)
                cv2.imshow(_WINDOW, cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
                count += 1
                took += 0.1 * (time.monotonic() - start - took)
                if cv2.waitKey(1) & 0xFF in _QUIT:
                    break
    finally:
        cv2.destroyAllWindows()
    return count, count / max(time.monotonic() - began, 1e-6)
