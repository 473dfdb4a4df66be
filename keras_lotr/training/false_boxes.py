"""Boxes without a face, or with half of one, as a detector may take them for faces."""

import os

import numpy as np

from keras_lotr import geometry
from keras_lotr.images.folders import expand
from keras_lotr.images.reading import read_image
from keras_lotr.inference.detectors import load_detector

HELD_OUT = 4  # every fourth photo measures, the others train
_SPREAD = 0.2  # of the crop: how far from a false box's landmarks a face would be
_BELOW = 0.3  # of the boxes in photos with faces: those of the body below a face


def photos_with_boxes(folder, held_out=False):
    """Photos with the boxes of the faces that the built-in detector finds in them.

    Args:
        folder: of images, which need no annotations.
        held_out: every fourth, on which nothing is trained; False: the others.

    Returns:
        list of (path, (F, 4) boxes).

    Raises:
        ValueError: there are too few.
    """
    paths = expand([os.fspath(folder)])
    every = len(paths)
    paths = [p for i, p in enumerate(paths) if (i % HELD_OUT == HELD_OUT - 1) == held_out]
    if not paths:
        raise ValueError(
            f"Expected at least {HELD_OUT} photos in {folder}: every {HELD_OUT}th one is for "
            f"measuring. Received: {every}"
        )
    detect = load_detector()
    faces = [[face.box for face in detect(read_image(path))] for path in paths]
    boxes = [np.reshape(found, (-1, 4)).astype(np.float32) for found in faces]
    return list(zip(paths, boxes, strict=True))


def false_box(shape, faces, rng, tries=20):
    """A random square in an image that hardly touches a face; often the body below one.

    Args:
        shape: (H, W, ...) of the image.
        faces: (F, 4) boxes.
        rng: `numpy.random.Generator`.
        tries: how often a square may touch a face until a corner of the image is taken.

    Returns:
        (4,) float32.
    """
    height, width = shape[:2]
    for _ in range(tries):
        if len(faces) and rng.random() < _BELOW:
            x0, y0, x1, y1 = faces[rng.integers(len(faces))]
            shift = (rng.uniform(-0.5, 0.5) * (x1 - x0), rng.uniform(1.1, 2) * (y1 - y0))
            box = np.array([x0, y0, x1, y1], np.float32) + np.float32([*shift, *shift])
        else:
            side = np.exp(rng.uniform(np.log(16), np.log(max(17, min(height, width)))))
            x, y = rng.uniform(0, max(1, width - side)), rng.uniform(0, max(1, height - side))
            box = np.array([x, y, x + side, y + side], np.float32)
        inside = box[0] < width - 8 and box[1] < height - 8
        if inside and (not len(faces) or geometry.overlaps(box, faces).max() < 0.1):
            return box
    return np.array([0, 0, 16, 16], np.float32)


def half_face(box, rng):
    """A box that is moved by half to nine tenths of its size, in a random direction: (4,)."""
    box = np.asarray(box, np.float32)
    angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 0.9)
    shift = far * (box[2:] - box[:2]) * np.float32([np.cos(angle), np.sin(angle)])
    return box + np.tile(shift, 2).astype(np.float32)


def crops_of_nothing(photos, count, model, rng):
    """Crops of boxes without a face: nothing is seen, and the landmarks may be anywhere.

    Args:
        photos: of `photos_with_boxes`.
        count: of crops.
        model: `LOTR`.
        rng: `numpy.random.Generator`.

    Yields:
        See `certainty_crops.see`.
    """
    size = model.image_size
    mean = model.mean_shape * size - 0.5
    for i in range(count):
        path, faces = photos[i % len(photos)]
        image = read_image(path)
        box, degrees = false_box(image.shape, faces, rng), rng.uniform(-30, 30)
        matrix = geometry.crop_from_box(box, size, model.preprocessor.margin, degrees)
        moved = mean + rng.normal(0, _SPREAD * size, 2)
        points = moved + rng.normal(0, _SPREAD / 2 * size, mean.shape)
        nothing_seen = np.zeros(len(mean), np.float32)
        crop = geometry.warp(image, matrix, size)
        yield crop, points.astype(np.float32), nothing_seen, ""
