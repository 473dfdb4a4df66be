"""A visitor's camera: its faces keep their numbers, and their landmarks do not tremble."""

import time
from collections import deque

from keras_lotr.demo.service import VIEW, checked_image, fit, sentence
from keras_lotr.images.drawing import draw
from keras_lotr.tracking.tracker import FaceTracker
from keras_lotr.video.annotate import write_numbers

_FRAMES = 20  # over which frames per second are counted


class Camera:
    """Follows the faces in the frames of one camera.

    Args:
        service: `Service`, whose models are shared between cameras.
        settings: `Settings`; for other settings another `Camera` is needed.
    """

    def __init__(self, service, settings):
        self.service, self.settings = service, settings
        self._tracker = FaceTracker(service.landmarker(settings))
        self._shape, self._times = None, deque(maxlen=_FRAMES)

    def annotate(self, picture):
        """Find and draw the faces of the next frame.

        Args:
            picture: bytes of an image file.

        Returns:
            (H, W, 3) uint8 RGB with the landmarks and the number of each face; and a sentence.

        Raises:
            ValueError: not an image, or too large, in a sentence for the visitor.
        """
        image, start = checked_image(picture), time.monotonic()
        if image.shape != self._shape:  # the camera was turned, or is another one
            self._shape = image.shape
            self._tracker.reset()
        faces = self._tracker(image, start)
        said = sentence(len(faces), 1000 * (time.monotonic() - start))
        shown = self.service.with_attention(image, faces, self.settings)
        shown = draw(shown, faces, **self.settings.drawn, shown=VIEW)
        write_numbers(shown, faces)
        self._times.append(time.monotonic())  # after the first frame, which may load a model
        seconds = self._times[-1] - self._times[0]
        if seconds:
            rate = f"{(len(self._times) - 1) / seconds:.0f} frames/s."
            said = f"{said[:-1]}, {rate}" if faces else f"{said} {rate}"
        return fit(shown), said
