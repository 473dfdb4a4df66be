"""The images of a model card: which number is where, and what the preset finds on faces."""

import json
from pathlib import Path

import cv2
import numpy as np

from keras_lotr.geometry import apply, crop_from_box, warp
from keras_lotr.images.drawing import draw
from keras_lotr.images.reading import read_image
from keras_lotr.inference.landmarker import FaceLandmarker
from keras_lotr.inference.results import FaceLandmarks

_GREY = 70


def scheme_picture(model, size=560):
    """The landmarks of a LOTR with their numbers, on its mean face: PNG file, bytes."""
    shape = np.asarray(model.mean_shape)
    low, high = shape.min(0), shape.max(0)
    points = (shape - (low + high) / 2) / (high - low).max() * 0.86 * size + size / 2
    box = np.concatenate([points.min(0), points.max(0)])
    face = FaceLandmarks(points, box, None, model.preprocessor.scheme)
    canvas = np.full((size, size, 3), _GREY, np.uint8)
    drawn = draw(canvas, [face], numbers=True)
    return _encode(".png", drawn, cv2.IMWRITE_PNG_COMPRESSION, 9)


def samples_picture(preset, examples, size=320):
    """What a preset finds on the rendered faces of a folder, side by side: JPEG file, bytes.

    Args:
        preset, examples, size: see `draw_examples`. Only images named rendered* are taken:
            nobody's face needs a permission there.
    """
    return _encode(".jpg", np.hstack(draw_examples(preset, examples, size, "rendered")))


def draw_examples(preset, examples, size, prefix=""):
    """What a preset finds on example images: list of (size, size, 3) uint8 RGB, by name.

    Args:
        preset: see `resolve`.
        examples: folder of images, with `boxes.json`: {filename: [[x0, y0, x1, y1]]}.
        size: side of each in pixels.
        prefix: beginning of the names of those that are taken.
    """
    boxes = json.loads((Path(examples) / "boxes.json").read_text(encoding="utf-8"))
    pictures, crops = [], []
    for name, (box, *_) in sorted(boxes.items()):
        if name.startswith(prefix):
            here_from_image = crop_from_box(box, size, 1.45)
            pictures.append(warp(read_image(Path(examples) / name), here_from_image, size))
            crops.append(apply(here_from_image, np.reshape(box, (2, 2))).reshape(1, 4))
    if not pictures:
        raise ValueError(f"Expected images {prefix}* in {Path(examples) / 'boxes.json'}.")
    found = FaceLandmarker.from_preset(preset, flip=True)(pictures, crops)
    return [draw(picture, faces) for picture, faces in zip(pictures, found, strict=True)]


def _encode(ending, image, *settings):
    bgr = np.ascontiguousarray(image[..., ::-1])
    return cv2.imencode(ending, bgr, settings)[1].tobytes()
