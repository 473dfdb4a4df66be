"""What the face detector learns from: random views of photos, and what its teacher sees in them."""

from pathlib import Path

import cv2
import keras
import numpy as np

from keras_lotr import geometry
from keras_lotr.datasets.augmentation import change_colors, without_color
from keras_lotr.datasets.epoch_batches import EpochBatches
from keras_lotr.export.onnx import check_packages
from keras_lotr.images.reading import read_image
from keras_lotr.inference.detector_network import STRIDES, score_of
from keras_lotr.inference.onnx_session import open_session
from keras_lotr.sentences import sentence

# Layers of the student, and what the teacher's features of the same stride are called in its file.
FEATURES = {
    "stage1_unit2": "214",
    "stage2_unit2": "223",
    "stride8_unit": "256",
    "stride16_unit": "246",
    "stride32_unit": "236",
}
NUM_FEATURES = 64
SIZES = 640, 320  # of the large views, for the largest faces, and of the others


class Teacher:
    """What YuNet (Wu, Peng, Yu, Machine Intelligence Research 2023) makes of images.

    Args:
        path: face_detection_yunet_2023mar.onnx.

    Raises:
        ImportError: onnx or onnxruntime is missing.
        OSError: the file cannot be read.
        ValueError: it is another file.

    Call arguments:
        images: (B, S, S, 3) uint8 RGB, S a multiple of 32.

    Returns:
        {"cells": (B, cells, 15) float32 as `DetectorNetwork` gives them, but scores 0..1 in place
        of logits; name of a layer of the student: (B, h, w, 64) YuNet's features}.
    """

    def __init__(self, path):
        check_packages("export")
        import onnx

        content = Path(path).read_bytes()
        try:
            model = onnx.load_model_from_string(content)
        except Exception as error:  # protobuf's own, which have no other base
            raise _no_yunet(path, sentence(error)) from None
        known = {name for node in model.graph.node for name in node.output}
        if not known.issuperset(FEATURES.values()):
            raise _no_yunet(path, "a network without its features")
        for number, dimension in enumerate(model.graph.input[0].type.tensor_type.shape.dim):
            if number != 1:
                dimension.dim_param = f"size{number}"
        for output in model.graph.output:
            output.type.tensor_type.ClearField("shape")
        for name in FEATURES.values():
            model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
        # One thread: the student trains beside it.
        self._network = open_session(model.SerializeToString(), path, threads=1)
        self._names = [output.name for output in model.graph.output]

    def __call__(self, images):
        blob = cv2.dnn.blobFromImages(list(images), swapRB=True)
        outputs = self._network.run(self._names, {"input": blob})
        maps = dict(zip(self._names, outputs, strict=True))
        cells = np.concatenate([_cells(maps, len(images), stride) for stride in STRIDES], axis=1)
        features = {layer: maps[name].transpose(0, 2, 3, 1) for layer, name in FEATURES.items()}
        return {"cells": cells, **features}


def _no_yunet(path, reason):
    return ValueError(f"Expected face_detection_yunet_2023mar.onnx. Received: {path}: {reason}")


def _cells(maps, count, stride):
    confidence, is_face, box, points = (
        maps[f"{name}_{stride}"].reshape(count, -1, channels)
        for name, channels in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10))
    )
    return np.concatenate([score_of(confidence, is_face), box, points], axis=-1)


class KeptBatches(keras.utils.PyDataset):
    """Batches that are made once, for validation."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


class DetectorBatches(EpochBatches):
    """Batches (views uint8, what the teacher makes of them) for `keras.Model.fit`.

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
        **kwargs: of `EpochBatches`, such as `workers`.
    """

    def __init__(
        self, photos, teacher, steps, batch_size=8, seed=0, epoch=0, change=True, **kwargs
    ):
        super().__init__(epoch=epoch, **kwargs)
        self.photos, self.teacher, self.steps = photos, teacher, steps
        self.batch_size, self.seed, self.change = batch_size, seed, change

    def __len__(self):
        return self.steps

    def batch(self, index):
        rng = np.random.default_rng([self.seed, self.epoch, index])
        # Keras takes the shapes from the first two batches.
        size = SIZES[0] if index % 5 == 0 else SIZES[1]
        count = max(1, round(self.batch_size * (SIZES[1] / size) ** 2))
        views = [add_lights(random_view(self.photos, size, rng), rng) for _ in range(count)]
        views = np.stack(views)
        maps = self.teacher(views)
        if self.change:
            views = np.stack([change_look(view, rng) for view in views])
        return views, maps


def random_view(photos, size, rng):
    """A turned, zoomed, shifted, perhaps mirrored piece of a photo, or a mosaic of four.

    Args:
        photos: paths.
        size: side of the view in pixels.
        rng: `numpy.random.Generator`.

    Returns:
        (size, size, 3) uint8 RGB.
    """
    tiles = rng.integers(1, 3)
    rows = [
        np.hstack(
            [_piece(photos[rng.integers(len(photos))], size // tiles, rng) for _ in range(tiles)]
        )
        for _ in range(tiles)
    ]
    return np.ascontiguousarray(np.vstack(rows))


def _piece(path, size, rng):
    image = read_image(path)
    sides = np.array(image.shape[1::-1])
    scale = size / sides.max() * np.exp(rng.uniform(np.log(0.7), np.log(4)))
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


def add_lights(view, rng):
    """What a small network takes for faces: lights out of focus, or soft reflections on something
    dark like the visor of a helmet; each in a quarter of the views."""
    kind = rng.integers(4)
    if kind == 0:
        colors = [120, 30, 0], [255, 240, 220]  # from red to white
        return paint_discs(view, rng.integers(1, 12), (4, 40), colors, rng.uniform(0.5, 3), rng)
    if kind == 1:
        view = paint_discs(view, rng.integers(1, 4), (40, 120), ([0] * 3, [40] * 3), 2, rng)
        colors = [30] * 3, [220] * 3
        return paint_discs(view, rng.integers(1, 12), (5, 40), colors, rng.uniform(2, 10), rng)
    return view


def paint_discs(view, count, radii, colors, blur, rng):
    """Random discs on a view; `radii` and `colors` are (smallest, largest), `blur` is in pixels."""
    discs = np.zeros((*view.shape[:2], 4), np.float32)  # color and opacity
    for _ in range(count):
        axes = np.exp(rng.uniform(*np.log(radii))) * rng.uniform(0.7, 1.4, 2)
        share = np.clip(rng.random() + rng.uniform(-0.3, 0.3, 3), 0, 1)
        color = colors[0] + share * np.subtract(colors[1], colors[0])
        center, degrees = rng.integers(0, len(view), 2), rng.uniform(0, 180)
        disc = center.tolist(), axes.astype(int).tolist(), degrees, 0, 360, [*color, 1.0]
        cv2.ellipse(discs, *disc, thickness=cv2.FILLED)
    discs = cv2.GaussianBlur(discs, (0, 0), blur) * rng.uniform(0.5, 1)
    return (view * (1 - discs[..., 3:]) + discs[..., :3]).astype(np.uint8)


def change_look(view, rng):
    """A darker or brighter, grey, blurred, noisy or strongly compressed view; half as they are."""
    if rng.random() < 0.5:
        return view
    view = change_colors(view, 0.5, rng)
    if rng.random() < 0.15:  # night
        view = (view * rng.uniform(0.15, 0.6)).astype(np.uint8)
    if rng.random() < 0.15:
        view = without_color(view)
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
