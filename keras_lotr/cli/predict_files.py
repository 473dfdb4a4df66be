"""What `keras-lotr predict` does: landmarks of many images, of which some may be broken."""

import sys
import time
from contextlib import closing
from dataclasses import replace

from tqdm import tqdm

from keras_lotr.cli.boxes_file import boxes_of_images
from keras_lotr.cli.errors import is_of_the_input, sentence, when_stopped
from keras_lotr.cli.result_log import ResultsNotWritten
from keras_lotr.images.names import shortened
from keras_lotr.sentences import counted

STANDARD_INPUT = "-"
_OF_ALL_IMAGES = (ResultsNotWritten, BrokenPipeError)  # nobody takes the results of the others


def predict_files(
    landmarker,
    images,
    results,
    boxes=None,
    left_out=(),
    min_quality=None,
    drop=False,
    workers=None,
):
    """Find the landmarks of images and write them.

    Args:
        landmarker: `FaceLandmarker`.
        images: paths and URLs, as `expand` gives them, or "-", the image in standard input.
        results: where they go, from `open_results`.
        boxes: {file name or path: (F, 4)}, see `saved_boxes.read_boxes`; None: the detector
            looks.
        left_out: {path: reason} of files that are not read.
        min_quality: faces below are marked; None: no face is.
        drop: leave these faces out.
        workers: of `FaceLandmarker.stream`.

    Returns:
        The number of images that failed. Each is told on standard error, and so is one without a
        face; the last line there says what was done.
    """
    start = time.monotonic()
    for path, reason in dict(left_out).items():
        _say(f"{path} is left out: {reason}.")
    wanted = [image for image in images if image not in results]
    known, failed = _with_boxes(wanted, boxes)
    sources = {name: _content(name) for name in known}
    given = None if boxes is None else [*known.values()]
    # Closed, so that the processes of `workers` do not go on when this run ends early.
    stream = landmarker.stream(list(sources.values()), given, workers=workers)
    with when_stopped(results.left), closing(stream) as found:
        faces, broken = _write_all(results, sources, found, min_quality, drop)
        failed += broken
        where = "nothing was written"
        if failed < len(images):
            results.close()
            where = f"written to {results.place}"
    parts = [counted(len(images), "image"), counted(faces, "face"), f"{failed} failed"]
    for number, what in ((len(images) - len(wanted), "done before"), (len(left_out), "left out")):
        parts += [f"{number} {what}"] * (number > 0)
    _say(f"{', '.join(parts)}, {where} ({time.monotonic() - start:.1f} s)")
    return failed


def _write_all(results, sources, found, min_quality, drop):
    """Hand what is found to the results; the numbers of faces, and of images that failed."""
    faces, failed = 0, 0
    # On a terminal only; None leaves that to tqdm.
    hide = True if len(sources) < 2 else None
    bar = tqdm(found, total=len(sources), unit="image", file=sys.stderr, disable=hide)
    for (name, source), photo in zip(sources.items(), bar, strict=True):
        try:
            photo = replace(photo, source=name, min_quality=min_quality)
            found_here = len(photo.faces)
            if drop:
                kept = [face for face in photo.faces if not photo.is_low(face)]
                photo = replace(photo, faces=kept, min_quality=None)  # none is left to mark
            _add(results, photo, source, found_here - len(photo.faces))
        except Exception as error:
            if isinstance(error, _OF_ALL_IMAGES) or not is_of_the_input(error):
                raise
            _say(_with_name(name, error))
            failed += 1
            continue
        faces += len(photo.faces)
    return faces, failed


def _content(name):
    return sys.stdin.buffer.read() if name == STANDARD_INPUT else name


def _add(results, photo, source, dropped):
    """Hand the faces of one image to the results, or raise why there are none.

    Where none is left, it is told whether there was none or how many were dropped.
    """
    if photo.error is not None:
        raise photo.error
    if not photo.faces:
        _say(_why_none(_shown(photo.source), dropped))
    results.add(photo, source)


def _why_none(name, dropped):
    if not dropped:
        return f"No face in {name}."
    are, were = ("is", "was") if dropped == 1 else ("are", "were")
    return f"{counted(dropped, 'face')} in {name} {are} below --min-quality and {were} left out."


def _with_boxes(images, boxes):
    """{image: its boxes} of those that have any, and the number of the others."""
    if boxes is None:
        return dict.fromkeys(images), 0
    known = boxes_of_images(images, boxes)
    for image in images:
        if image not in known:
            _say(f"There are no boxes for {_shown(image)}.")
    return known, len(images) - len(known)


def _shown(name):
    return "standard input" if name == STANDARD_INPUT else shortened(name)


def _with_name(name, error):
    message = sentence(error)
    return message if _shown(name) in message else f"{_shown(name)}: {message}"


def _say(message):
    tqdm.write(f"keras-lotr: {message}", file=sys.stderr)
