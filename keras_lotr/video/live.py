"""A camera, or a file in its place, shown in a window with the faces that are followed."""

import time
from contextlib import closing

import cv2

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


def camera_frames(number):
    """The frames of a camera as they come, each with its time.

    Args:
        number: 0 for the first camera.

    Yields:
        (H, W, 3) uint8 RGB, and seconds.

    Raises:
        OSError: there is no such camera.
    """
    with quiet_stderr():
        camera = cv2.VideoCapture(number)
    if not camera.isOpened():
        raise OSError(f"There is no camera {number}, or another program uses it.")

    def frames():
        try:
            while True:
                there, frame = camera.read()
                if not there:
                    return
                yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), time.monotonic()
        finally:
            camera.release()

    return frames()


def file_frames(path):
    """The frames of a video at its own pace, as a camera gives them; late ones are left out.

    Args:
        path: of a video.

    Yields:
        (H, W, 3) uint8 RGB, and seconds.

    Raises:
        FileNotFoundError, ValueError, ImportError: as of `VideoReader`.
    """
    reader = VideoReader(path)

    def frames():
        start = None
        with reader:
            for frame in reader.frames():
                now = time.monotonic()
                start = now - frame.time if start is None else start
                early = start + frame.time - now
                if early < -1 / float(reader.rate):
                    continue
                time.sleep(max(0.0, early))
                yield frame.image, frame.time

    return frames()


def show(frames, tracker):
    """Show frames with their faces, and how many a second could be computed, until a key ends it.

    Args:
        frames: generator of images and their times in seconds.
        tracker: `FaceTracker`.

    Returns:
        How many frames were shown, and how many a second.
    """
    count, began, took = 0, time.monotonic(), 0.1
    try:
        with closing(frames):
            for image, timestamp in frames:
                start = time.monotonic()
                faces = tracker(image, timestamp)
                drawn = draw(image, faces)
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
