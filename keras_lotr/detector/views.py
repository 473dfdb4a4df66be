"""What the face detector learns from: random views of photos, and what its teacher sees in them."""

import threading

import cv2
import keras
import numpy as np

from keras_lotr import geometry
from keras_lotr.datasets.augment import change_colors
from keras_lotr.datasets.batches import read_rgb
from keras_lotr.detector.network import STRIDES


class Teacher:
    """The output maps of YuNet (Wu, Peng, Yu, Machine Intelligence Research 2023), by OpenCV.

    Args:
        path: face_detection_yunet_2023mar.onnx.

    Call arguments:
        images: (B, S, S, 3) uint8 RGB, S a multiple of 32.

    Returns:
        (B, cells, 15) float32 as `DetectorNetwork` gives them, but scores 0..1 in place of logits.
    """

    def __init__(self, path):
        self._network = cv2.dnn.readNetFromONNX(str(path))
        self._names = self._network.getUnconnectedOutLayersNames()
        self._lock = threading.Lock()

    def __call__(self, images):
        count = len(images)
        with self._lock:
            self._network.setInput(cv2.dnn.blobFromImages(list(images), swapRB=True))
            outputs = self._network.forward(self._names)
        outputs = [a.reshape(count, -1, a.shape[-1]) for a in outputs]
        maps = dict(zip(self._names, outputs, strict=True))
        return np.concatenate([_joined(maps, stride) for stride in STRIDES], axis=1)


def _joined(maps, stride):
    confidence, is_face = (np.clip(maps[f"{name}_{stride}"], 0, 1) for name in ("cls", "obj"))
    score = np.sqrt(confidence * is_face)
    return np.concatenate([score, maps[f"bbox_{stride}"], maps[f"kps_{stride}"]], axis=-1)


class DetectorBatches(keras.utils.PyDataset):
    """Batches (views uint8, the teacher's maps) for `keras.Model.fit`.

    The teacher sees the view, the student the same view darker, brighter, grey, blurred or noisy.
    A batch depends on seed, epoch and its number only.

    Args:
        photos: paths.
        teacher: `Teacher`.
        steps: batches in an epoch.
        batch_size: views of 320 pixels in a batch. Each fifth batch has views of 640 pixels for
            the largest faces, and a quarter as many.
        seed, epoch: of all that is random; the first epoch.
        change: False leaves the student's view as the teacher's.
        **kwargs: of `keras.utils.PyDataset`, such as `workers`.
    """

    def __init__(
        self, photos, teacher, steps, batch_size=16, seed=0, epoch=0, change=True, **kwargs
    ):
        super().__init__(**kwargs)
        self.photos, self.teacher, self.steps = photos, teacher, steps
        self.batch_size, self.seed, self.epoch, self.change = batch_size, seed, epoch, change

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        rng = np.random.default_rng([self.seed, self.epoch, index])
        large = index % 5 == 0  # Keras takes the shapes from the first two batches
        size, count = (640, max(1, self.batch_size // 4)) if large else (320, self.batch_size)
        views = np.stack([random_view(self.photos, size, rng) for _ in range(count)])
        maps = self.teacher(views)
        if self.change:
            views = np.stack([change_look(view, rng) for view in views])
        return views, maps

    def on_epoch_end(self):
        self.epoch += 1


def random_view(photos, size, rng):
    """A turned, zoomed, shifted, perhaps mirrored piece of a photo, or a mosaic of four.

    Args:
        photos: paths.
        size: side of the view in pixels.
        rng: `numpy.random.Generator`.

    Returns:
        (size, size, 3) uint8 RGB.
    """
    tiles = 1 if rng.random() < 0.6 else 2
    rows = [
        np.hstack(
            [_piece(photos[rng.integers(len(photos))], size // tiles, rng) for _ in range(tiles)]
        )
        for _ in range(tiles)
    ]
    return np.ascontiguousarray(np.vstack(rows))


def _piece(path, size, rng):
    image = read_rgb(path)
    sides = np.array(image.shape[1::-1])
    scale = size / sides.max() * np.exp(rng.uniform(np.log(0.5), np.log(3)))
    # The centre is drawn from where the view, unturned, holds as much of the photo as it can.
    low, high = (
        np.minimum(size / scale / 2, sides / 2),
        np.maximum(sides - size / scale / 2, sides / 2),
    )
    degrees = rng.uniform(-15, 15) if rng.random() < 0.7 else rng.uniform(-50, 50)
    view_from_image = geometry.similarity(
        rng.uniform(low, high), [(size - 1) / 2] * 2, scale, degrees
    )
    view = geometry.warp(image, view_from_image, size)
    return view[:, ::-1] if rng.random() < 0.5 else view


def change_look(view, rng):
    """A darker or brighter, grey, blurred, noisy or strongly compressed version of a view."""
    view = change_colors(view, 0.5, rng)
    if rng.random() < 0.15:  # night
        view = (view * rng.uniform(0.15, 0.6)).astype(np.uint8)
    if rng.random() < 0.15:
        view = cv2.cvtColor(cv2.cvtColor(view, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    kind = rng.integers(6)
    if kind == 0:
        return cv2.GaussianBlur(view, (0, 0), rng.uniform(0.4, 1.5))
    if kind == 1:
        noise = rng.normal(0, rng.uniform(3, 12), view.shape).astype(np.float32)
        return np.clip(view + noise, 0, 255).astype(np.uint8)
    if kind == 2:
        quality = int(rng.integers(20, 80))
        return cv2.imdecode(cv2.imencode(".jpg", view, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1)
    return view
