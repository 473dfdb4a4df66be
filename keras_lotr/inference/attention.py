"""Where a landmark looks: the decoder's attention, laid over the photo."""

import cv2
import numpy as np

from keras_lotr import geometry


def attention_map(landmarker, image, face, landmark):
    """How much a landmark's query attends to each place of the photo.

    The mean over the heads of the last decoder layer's cross-attention, whose tokens lie on a grid
    over the crop.

    Args:
        landmarker: `FaceLandmarker` that runs on Keras.
        image: (H, W, 3) uint8 RGB.
        face: `FaceLandmarks` that it found in the image.
        landmark: number of the landmark.

    Returns:
        (H, W) float32, 0..1 with 1 at the largest; 0 outside the crop.

    Raises:
        ValueError: there is no such landmark.
    """
    count = len(face.points)
    if not 0 <= landmark < count:
        raise ValueError(f"Expected a landmark of 0..{count - 1}. Received: {landmark}")
    size = landmarker.preprocessor.image_size
    margin = landmarker.preprocessor.margin
    crop_from_image = geometry.crop_from_box(face.box, size, margin, face.degrees)
    crop = geometry.warp(image, crop_from_image, size)
    grid = landmarker.model.attention_maps(crop[None])[0, -1, :, landmark].mean(0)
    # Resizing has the convention of the crop: a token is the middle of its cell.
    in_crop = cv2.resize(grid / grid.max(), (size, size), interpolation=cv2.INTER_LINEAR)
    return cv2.warpAffine(
        in_crop, crop_from_image, image.shape[1::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )


def draw_attention(image, attention):
    """Lay an attention map over a photo: dark and grey where nothing is looked at.

    Args:
        image: (H, W, 3) uint8 RGB; it is not changed.
        attention: (H, W), 0..1.

    Returns:
        (H, W, 3) uint8 RGB array.

    Example:

    >>> draw_attention(np.full((4, 6, 3), 200, np.uint8), np.zeros((4, 6))).shape
    (4, 6, 3)
    """
    levels = np.rint(np.clip(attention, 0, 1) * 255).astype(np.uint8)
    heat = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    share = (0.75 * np.sqrt(np.clip(attention, 0, 1)))[..., None]
    return np.rint(image * (1 - share) + heat * share).astype(np.uint8)
