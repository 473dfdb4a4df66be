"""Landmarks drawn on a photo."""

import cv2
import numpy as np

from keras_lotr.images.reading import read_image
from keras_lotr.number_checks import real
from keras_lotr.schemes import get_scheme
from keras_lotr.sentences import list_of_faces

# RGB, bright and apart from skin; each region of a scheme has its own.
_COLORS = {
    "contour": (86, 204, 255),
    "brows": (255, 196, 61),
    "nose": (120, 255, 150),
    "eyes": (255, 255, 255),
    "mouth": (255, 110, 150),
}
_GREYS = dict.fromkeys(_COLORS, (150, 150, 150))
_AXES = ((255, 80, 80), (90, 230, 90), (90, 140, 255))
_OTHER = (86, 204, 255)
_WHITE = (255, 255, 255)
_DARK = (20, 24, 32)

# OpenCV draws at fractions of a pixel: coordinates are integers in units of 1 / 2^4 pixel.
_SHIFT = 4

# Width of a line: in shown pixels; of a small face at most this part of it, and at least so many.
_VISIBLE, _MOST, _LEAST = 1.0, 70, 0.45

# Pixels of a face that is large enough for lines to look smooth.
_FINE_SIZE = 700


def draw(
    image,
    faces,
    points=True,
    contours=True,
    numbers=False,
    boxes=False,
    shown=1000,
    ellipses=None,
    pose=False,
    grey=None,
):
    """Draw landmarks, each region in its own colour, with sizes that follow that of the face.

    Args:
        image: as `read_image` takes it, such as a path or an RGB array; it is not changed.
        faces: list of `FaceLandmarks`, or a single one. Landmarks that are NaN are not drawn, and
            lines end there. Those that are more probably hidden than seen are hollow.
        points: whether to draw a dot at each landmark.
        contours: whether to draw lines along the contours of the scheme.
        numbers: whether to write the number of each landmark beside it.
        boxes: whether to draw the box from which the crop was made.
        shown: longer side in pixels at which the image will be looked at: what is drawn is as
            thick as can be seen then, as far as the landmarks of the face leave room.
        ellipses: a probability, such as 0.9, for the ellipses that contain the true landmarks; None
            draws none.
        pose: whether to draw the axes of the head: right in red, up in green, forward in blue.
        grey: list of bool, which faces are drawn in grey, or a bool for all; None: none.

    Returns:
        (H, W, 3) uint8 RGB array.

    Raises:
        OSError, ValueError: as of `read_image`.
        ValueError: `shown` is not above 0, or `grey` is for another number of faces.
        TypeError: the faces are something else, such as arrays of points.

    Example:

    >>> import numpy as np
    >>> draw(np.zeros((48, 64, 3), np.uint8), []).shape
    (48, 64, 3)
    """
    if real(shown) is None or not shown > 0:
        raise ValueError(f"Expected shown as pixels above 0. Received: {shown!r}")
    image = read_image(image)
    canvas, faces = np.array(image, order="C"), list_of_faces(faces)
    visible = _VISIBLE * max(1, max(image.shape[:2]) / shown)
    wanted = {"points": points, "contours": contours, "numbers": numbers, "boxes": boxes}
    wanted |= {"ellipses": ellipses, "pose": pose}
    for face, is_grey in zip(faces, _flags(grey, len(faces)), strict=True):
        _draw_face(canvas, face, visible, wanted, _GREYS if is_grey else _COLORS)
    return canvas


def _flags(grey, count):
    """For each face, whether it is drawn in grey."""
    flags = list(grey) if hasattr(grey, "__iter__") else [grey] * count
    if len(flags) != count:
        raise ValueError(
            f"Expected grey as a list of {count} bool, one for each face. Received: {len(flags)}"
        )
    return flags


def _draw_face(canvas, face, visible, wanted, colors):
    """Draw on a magnified copy of the face's surroundings and put that back, averaged.

    Lines thinner than a pixel come out faint instead of coarse, and pixels on which nothing is
    drawn stay what they were.
    """
    known = _known(face.points)
    size = max(1.0, np.ptp(known, axis=0).max()) if len(known) else 1.0
    factor = int(np.clip(np.ceil(_FINE_SIZE / size), 1, 8))
    x0, y0, x1, y1 = _surroundings(canvas.shape, known, face.box, size)
    patch = canvas[y0:y1, x0:x1]
    if not patch.size:
        return
    fine = patch.repeat(factor, 0).repeat(factor, 1)
    stroke = max(size / 200, min(visible, max(size / _MOST, _LEAST))) * factor

    def place(at):
        return (np.asarray(at, np.float64) - (x0, y0) + 0.5) * factor - 0.5

    scheme, at = get_scheme(face.scheme), place(face.points)
    if wanted["boxes"]:
        x, y = place(np.reshape(face.box, (2, 2))).T
        _draw_line(fine, np.stack([x[[0, 1, 1, 0]], y[[0, 0, 1, 1]]], -1), True, _WHITE, stroke)
    if wanted["contours"]:
        for line in scheme.contours:
            color = colors.get(line.region, _OTHER)
            _draw_line(fine, at[list(line.indices)], line.closed, color, stroke)
    if wanted["ellipses"] is not None and getattr(face, "sigma", None) is not None:
        _draw_ellipses(fine, at, face.ellipse(wanted["ellipses"]), factor, stroke)
    if wanted["points"]:
        seen = getattr(face, "visible", None)
        hollow = np.zeros(len(at), bool) if seen is None else np.asarray(seen) < 0.5
        for region, indices in scheme.regions.items():
            for i in _indices_of_known(at, indices):
                _draw_dot(fine, at[i], colors.get(region, _OTHER), stroke, hollow[i])
    if wanted["pose"] and (found := face.pose) is not None:
        _draw_axes(fine, _known(at).mean(0), found.axes * size * factor / 2, stroke)
    if wanted["numbers"]:
        _draw_numbers(fine, at, stroke)
    patch[:] = cv2.resize(fine, patch.shape[1::-1], interpolation=cv2.INTER_AREA)


def _known(points):
    """The points that are not NaN."""
    return points[np.isfinite(points).all(-1)]


def _indices_of_known(points, indices):
    return [i for i in indices if np.isfinite(points[i]).all()]


def _surroundings(shape, points, box, size):
    """x0, y0, x1, y1 of the pixels that may be drawn on."""
    corners = np.concatenate([points, np.reshape(box, (2, 2))])
    limit = shape[1], shape[0]
    first = np.clip(np.floor(corners.min(0) - 0.1 * size - 2), 0, limit)
    last = np.clip(np.ceil(corners.max(0) + 0.1 * size + 3), 0, limit)
    return (*first.astype(int), *last.astype(int))


def _draw_line(fine, points, closed, color, stroke):
    pieces, closed = _pieces(points, closed)
    # A dark rim first: bright lines on bright skin.
    for paint, width in ((_DARK, 2.2 * stroke), (color, stroke)):
        width = max(1, round(width))
        cv2.polylines(fine, list(map(_fixed, pieces)), closed, paint, width, cv2.LINE_AA, _SHIFT)


def _pieces(points, closed):
    """The line between NaN points: a list of (P, 2), and whether they are closed."""
    known = np.isfinite(points).all(-1)
    if known.all():
        return [points], closed
    if closed:  # from one gap round to the same gap
        first = np.argmin(known)
        points, known = np.roll(points, -first, axis=0), np.roll(known, -first)
    pieces = map(_known, np.split(points, np.flatnonzero(~known)))
    return [piece for piece in pieces if len(piece) > 1], False


def _draw_dot(fine, center, color, stroke, hollow=False):
    center = tuple(map(int, _fixed(center)))
    rings = [(_DARK, 2.1), (color, 1.5)] + [(_DARK, 0.9)] * bool(hollow)
    for paint, radius in rings:
        cv2.circle(fine, center, int(_fixed(radius * stroke)), paint, -1, cv2.LINE_AA, _SHIFT)


def _draw_ellipses(fine, points, ellipses, factor, stroke):
    """Their outlines; `ellipses` (N, 3) are halves of the axes in image pixels, and degrees."""
    width = max(1, round(stroke / 2))
    for center, (long, short, degrees) in zip(points, ellipses, strict=True):
        if np.isfinite([*center, long, short]).all():
            center, halves = map(_fixed, (center, np.array([long, short]) * factor))
            center, halves = (tuple(map(int, pair)) for pair in (center, halves))
            cv2.ellipse(
                fine, center, halves, float(degrees), 0, 360, _WHITE, width, cv2.LINE_AA, _SHIFT
            )


def _draw_axes(fine, origin, axes, stroke):
    for color, axis in zip(_AXES, axes, strict=True):
        _draw_line(fine, np.stack([origin, origin + axis]), False, color, 1.5 * stroke)


def _draw_numbers(fine, points, stroke):
    scale, beside = 0.19 * stroke, np.array([1.5, -1.5]) * stroke
    known = np.flatnonzero(np.isfinite(points).all(-1))
    places = np.rint(points[known] + beside).astype(int)
    for number, at in zip(known, places, strict=True):
        write_text(fine, str(number), at, scale, 3 * stroke / 4, stroke / 4)


def write_number(image, face, number, scale, gap):
    """Write the number of a face above the upper left corner of its box, in place.

    Args:
        image: (H, W, 3) uint8 RGB.
        face: what has a `box`.
        number: int.
        scale: of OpenCV's font.
        gap: between box and number, in pixels at scale 1.
    """
    at = face.box[0], max(face.box[1] - gap * scale, 24 * scale)
    write_text(image, str(number), at, scale, 5 * scale, 2 * scale)


def write_text(image, text, at, scale, rim, width):
    """Write white text with a dark rim into an image, in place.

    Args:
        image: (H, W, 3) uint8 RGB.
        text: ASCII.
        at: x, y of its lower left corner.
        scale: of OpenCV's font.
        rim, width: thickness in pixels of the dark and of the white strokes.
    """
    for color, thickness in ((_DARK, rim), (_WHITE, width)):
        place = (text, tuple(map(int, at)), cv2.FONT_HERSHEY_SIMPLEX, scale)
        cv2.putText(image, *place, color, max(1, round(thickness)), cv2.LINE_AA)


def _fixed(points):
    return np.rint(np.asarray(points, np.float64) * 2**_SHIFT).astype(np.int32)
