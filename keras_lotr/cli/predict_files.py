"""What `keras-lotr predict` does: landmarks of many images, of which some may be broken."""

import sys
from dataclasses import replace

from tqdm import tqdm

from keras_lotr.cli.boxes_file import boxes_of_images
from keras_lotr.cli.errors import is_of_the_input, sentence

STANDARD_INPUT = "-"


def predict_files(landmarker, pictures, results, boxes=None):
    """Find the landmarks of images and write them.

    Args:
        landmarker: `FaceLandmarker`.
        images: paths and URLs, as `expand` gives them, or "-", the image in standard input.
        results: where they go, from `open_results`.
        boxes: {file name or path: (F, 4)}, see `boxes_file.read_boxes`; None: the detector looks.

    Returns:
        The number of images that failed. Each is told on standard error, and so is one without a
        face; the last line there says what was done.
    """
    known, failed = _with_boxes(pictures, boxes)
    sources = {name: _content(name) for name in known}
    found = landmarker.stream(list(sources.values()), None if boxes is None else [*known.values()])
    # On a terminal only; None leaves that to tqdm.
    hide = True if len(known) < 2 else None
    faces = 0
    bar = tqdm(found, total=len(known), unit="image", file=sys.stderr, disable=hide)
    for (name, source), photo in zip(sources.items(), bar, strict=True):
        try:
            _add(results, replace(photo, source=name), source)
        except Exception as error:
            if not is_of_the_input(error):
                raise
            _say(_with_name(name, error))
            failed += 1
            continue
        faces += len(photo.faces)
    where = "nothing was written"
    if failed < len(pictures):
        results.close()
        where = f"written to {results.place}"
    _say(f"{_count(len(pictures), 'image')}, {_count(faces, 'face')}, {failed} failed, {where}")
    return failed


def _content(name):
    return sys.stdin.buffer.read() if name == STANDARD_INPUT else name


def _add(results, photo, source):
    """Hand the faces of one image to the results, or raise why there are none."""
    if photo.error is not None:
        raise photo.error
    if not photo.faces:
        _say(f"No face in {_shown(photo.source)}.")
    results.add(photo, source)


def _with_boxes(pictures, boxes):
    """{image: its boxes} of those that have any, and the number of the others."""
    if boxes is None:
        return dict.fromkeys(pictures), 0
    known = boxes_of_images(pictures, boxes)
    for picture in pictures:
        if picture not in known:
            _say(f"There are no boxes for {_shown(picture)}.")
    return known, len(pictures) - len(known)


def _count(number, noun):
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _shown(name):
    return "standard input" if name == STANDARD_INPUT else name


def _with_name(name, error):
    message = sentence(error)
    return message if _shown(name) in message else f"{_shown(name)}: {message}"


def _say(message):
    tqdm.write(f"keras-lotr: {message}", file=sys.stderr)
