"""`keras-lotr video` and `keras-lotr webcam`: faces that are followed, in a file or live."""

import signal
import sys
from contextlib import contextmanager

import click

from keras_lotr.cli.options import (
    VIDEO_PRESET,
    examples,
    file_with,
    landmarker_of,
    what_finds_landmarks,
)
from keras_lotr.cli.types import PATH

_STOPPED = 130  # what a shell says of a command that Ctrl-C ended


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
        "video in.mp4 out.mp4 --points out.csv", "video in.mp4 out.webm --smooth strong --every 1"
    )
)
@click.argument("source", type=PATH)
@click.argument("output", type=PATH)
@what_finds_landmarks(VIDEO_PRESET)
@how_faces_are_followed
@click.option(
    "--points",
    type=PATH,
    callback=file_with(".json", ".jsonl", ".csv", ".parquet"),
    help="File for the faces of each frame: .json, .jsonl, .csv or .parquet.",
)
def video(source, output, points, smooth, every, **how):
    """Draw the landmarks of all faces into a video: SOURCE -> OUTPUT (.mp4, .mov, .mkv, .webm).

    Each face keeps its number. Sound and times stay. Ctrl-C ends it early: what is done is kept.
    """
    from tqdm import tqdm

    from keras_lotr.tracking.tracker import FaceTracker
    from keras_lotr.video.annotate import annotate
    from keras_lotr.video.points_file import PointsFile
    from keras_lotr.video.reading import VideoReader
    from keras_lotr.video.writing import check_ending

    check_ending(output)
    with VideoReader(source):  # a mistake in SOURCE is told before anything is loaded
        pass
    saved = PointsFile(points) if points else None
    tracker = FaceTracker(landmarker_of(**how), every, smooth)
    numbers = {"frames": 0, "faces": 0}
    with tqdm(unit="frame", file=sys.stderr, disable=None) as bar, ctrl_c() as stop:

        def on_faces(frame, faces, total):
            if saved:
                saved.add(frame.time, faces)
            numbers["faces"] += len(faces)
            bar.total = total
            bar.update()

        done = annotate(tracker, source, output, on_faces, stop=stop)
    if saved:
        saved.close()
    for sentence in done.sentences:
        click.echo(f"keras-lotr: {sentence}", err=True)
    ended = "stopped after " if done.stopped else ""
    what = f"{ended}{done.frames} frames, {numbers['faces']} faces"
    click.echo(f"keras-lotr: {what}, written to {output}", err=True)
    if done.stopped or done.broken or done.damaged:
        sys.exit(_STOPPED if done.stopped else 1)


@contextmanager
def ctrl_c():
    """Gives a function that says whether Ctrl-C was pressed; a second one ends the program."""
    pressed = []

    def press(*_):
        pressed.append(True)
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, press)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)


@click.command(epilog=examples("webcam", "webcam --virtual in.mp4 --smooth strong"))
@what_finds_landmarks(VIDEO_PRESET)
@how_faces_are_followed
@click.option(
    "--camera", type=click.IntRange(0), default=0, show_default=True, help="Number of the camera."
)
@click.option("--virtual", type=PATH, help="A video that is played as if it were the camera.")
def webcam(camera, virtual, smooth, every, **how):
    """Show the camera with the landmarks of all faces, live, until q or Esc is pressed."""
    from keras_lotr.tracking.tracker import FaceTracker
    from keras_lotr.video.live import camera_frames, check_window, file_frames, show

    check_window()
    frames = file_frames(virtual) if virtual else camera_frames(camera)
    tracker = FaceTracker(landmarker_of(**how), every, smooth)
    count, rate = show(frames, tracker)
    click.echo(f"keras-lotr: {count} frames, {rate:.1f} frames/s", err=True)
