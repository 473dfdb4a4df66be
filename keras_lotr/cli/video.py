"""`keras-lotr video` and `keras-lotr webcam`: faces that are followed, in a file or live."""

import signal
import sys
from contextlib import contextmanager, nullcontext

import click

from keras_lotr.cli.errors import STOPPED
from keras_lotr.cli.options import (
    VIDEO_PRESET,
    examples,
    file_with,
    landmarker_of,
    what_finds_landmarks,
)
from keras_lotr.cli.overlays import check_overlays, more_that_is_drawn, overlays_of
from keras_lotr.cli.types import NAME, PATH
from keras_lotr.sentences import counted


def how_faces_are_followed(command):
    """The arguments of `FaceTracker`."""
    for option in (
        click.option(
            "--smooth", type=click.Choice(["off", "light", "strong"]), default="light",
            show_default=True, help="How much landmarks are smoothed over time.",
        ),
        click.option(
            "--every", type=click.IntRange(1), default=5, show_default=True,
            help="The detector looks in every so many-th frame, and when a face is lost; larger is "
            "faster, and new faces are found later.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


@click.command(
    epilog=examples(
        "video in.mp4 out.webm --smooth strong --every 1",
        "video in.mp4 --points out.csv",
    )
)
@click.argument("source", type=NAME)
@click.argument("output", type=PATH, required=False)
@what_finds_landmarks(VIDEO_PRESET)
@how_faces_are_followed
@more_that_is_drawn
@click.option(
    "--points",
    type=PATH,
    callback=file_with(".json", ".jsonl", ".csv", ".parquet"),
    help="File for the faces of each frame: .json, .jsonl, .csv or .parquet.",
)
def video(source, output, points, smooth, every, ellipses, pose, **how):
    """Draw the landmarks of all faces into a video: SOURCE -> OUTPUT.

    OUTPUT ends with .mp4, .m4v, .mov, .mkv or .webm; without it, only --points are written. Each
    face keeps its number. Sound and times stay. Ctrl-C ends it early: what is done is kept.
    """
    if output is None and points is None:
        raise ValueError("Expected a video to write, OUTPUT, or --points. Received: neither")
    drawn = output is not None
    overlays = overlays_of(ellipses, pose, drawn, "a video to write, OUTPUT,")
    with ended_early() as asked:
        from keras_lotr.video.points_file import PointsFile
        from keras_lotr.video.reading import VideoReader
        from keras_lotr.video.writing import check_ending

        if output is not None:
            check_ending(output)
        with VideoReader(source):  # a mistake in SOURCE is told before anything is loaded
            pass
        with PointsFile(points) if points else nullcontext() as saved:
            tracker = _tracker_of(overlays, smooth, every, how)
            _follow(asked, tracker, source, output, saved, overlays)


def _tracker_of(overlays, smooth, every, how):
    from keras_lotr.tracking.tracker import FaceTracker

    landmarker = landmarker_of(**how)
    check_overlays(landmarker, how["preset"], overlays)
    return FaceTracker(landmarker, every, smooth)


def _follow(asked, tracker, source, output, saved, overlays):
    from tqdm import tqdm

    from keras_lotr.video.annotate import annotate

    asked.keep, num_faces = True, 0
    with tqdm(unit="frame", file=sys.stderr, disable=None) as bar:

        def on_faces(frame, faces, total):
            nonlocal num_faces
            if saved:
                saved.add(frame.time, faces)
            num_faces += len(faces)
            bar.total = total
            bar.update()

        done = annotate(tracker, source, output, on_faces, overlays, stop=lambda: asked.once)
    if saved:
        saved.close()
    for sentence in done.sentences:
        click.echo(f"keras-lotr: {sentence}", err=True)
    ended = "stopped after " if done.stopped else ""
    what = f"{ended}{counted(done.frames, 'frame')}, {counted(num_faces, 'face')}"
    click.echo(f"keras-lotr: {what}, written to {output or saved.path}", err=True)
    if done.stopped:
        sys.exit(STOPPED)
    if done.broken or done.damaged:
        sys.exit(1)


class Asked:
    """Whether the user asked to end.

    Attributes:
        once: whether a signal came.
        keep: whether there is something to keep, so that a signal is only noted. A second one, and
            any one before, ends the program at once.
    """

    once = keep = False


@contextmanager
def ended_early():
    """Gives an `Asked` while Ctrl-C, as which others count, ends the block as it says."""
    asked = Asked()

    def note(*_):
        at_once = asked.once or not asked.keep
        asked.once = True
        if at_once:
            raise KeyboardInterrupt("stopped at once; what was not finished is not kept")

    before = signal.signal(signal.SIGINT, note)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


@click.command(epilog=examples("webcam", "webcam --virtual in.mp4 --smooth strong"))
@what_finds_landmarks(VIDEO_PRESET)
@how_faces_are_followed
@more_that_is_drawn
@click.option(
    "--camera", type=click.IntRange(0), default=0, show_default=True, help="Number of the camera."
)
@click.option("--virtual", type=NAME, help="A video that is played as if it were the camera.")
def webcam(camera, virtual, smooth, every, ellipses, pose, **how):
    """Show the camera with the landmarks of all faces, live, until q or Esc is pressed."""
    from keras_lotr.video.live import LiveCamera, PlayedVideo, check_window, show, warm_up

    check_window()
    source = PlayedVideo(virtual) if virtual else LiveCamera(camera)
    overlays = overlays_of(ellipses, pose)
    tracker = _tracker_of(overlays, smooth, every, how)
    warm_up(tracker.landmarker)
    count, rate = show(source.frames(), tracker, overlays)
    for sentence in source.sentences:
        click.echo(f"keras-lotr: {sentence}", err=True)
    click.echo(f"keras-lotr: {counted(count, 'frame')}, {rate:.1f} frames/s", err=True)
    if source.failed:
        sys.exit(1)
