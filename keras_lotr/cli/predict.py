"""`keras-lotr predict` and `keras-lotr video`: landmarks in images, and in a video's frames."""

import glob
import os
import sys
from functools import cache
from pathlib import Path

import click

from keras_lotr.cli.options import examples, landmarker_of, what_finds_landmarks

FORMATS = ("json", "csv", "pts", "coco")  # those of `keras_lotr.inference.formats`


def _formats(context, parameter, value):
    kinds = None if value is None else [kind.strip() for kind in value.split(",")]
    unknown = sorted(set(kinds or ()) - set(FORMATS))
    if unknown:
        raise click.BadParameter(f"Expected formats of {', '.join(FORMATS)}. Received: {unknown}")
    return kinds


@click.command(
    epilog=examples(
        "predict photo.jpg > faces.json", "predict photos --recursive --draw --output found"
    )
)
@click.argument("source", nargs=-1, required=True)
@what_finds_landmarks
@click.option("--recursive", is_flag=True, help="Folders are searched with all their subfolders.")
@click.option(
    "--boxes",
    type=Path,
    help="JSON or CSV file of the box around each face's landmarks, such as an earlier --output; "
    "no detector is used then.",
)
@click.option(
    "--output",
    help="Folder for a file of each image, or a .json, .csv or .pts file for all "
    "[JSON to standard output].",
)
@click.option(
    "--format",
    "formats",
    callback=_formats,
    metavar="[json|csv|pts|coco][,...]",
    help="What is written [as the ending of --output says, otherwise json].",
)
@click.option("--draw", is_flag=True, help="Images with the landmarks drawn, into --output, too.")
def predict(source, boxes, output, formats, draw, recursive, **how):
    """Find the landmarks of the faces in SOURCE.

    SOURCE is an image file, a folder, a pattern, a URL, several of them, or - for an image from
    standard input.
    """
    from keras_lotr.cli.boxes_file import read_boxes
    from keras_lotr.cli.predict_files import predict_files
    from keras_lotr.cli.result_files import open_results

    pictures = images_of(source, recursive)
    results = open_results(pictures, output, formats, draw)
    given = read_boxes(boxes) if boxes else None
    if boxes:
        how["detector"] = "builtin"  # nobody asks it: another one is not to be fetched
    failed = predict_files(landmarker_of(**how), pictures, results, given)
    if failed:
        sys.exit(2 if failed == len(pictures) else 1)


def images_of(sources, recursive):
    """The paths and URLs of all images; folders with their subfolders if `recursive`."""
    from keras_lotr.images.folders import expand

    folders = [source for source in sources if os.path.isdir(source)]
    if recursive:
        deep = {folder: os.path.join(glob.escape(folder), "**", "*") for folder in folders}
        return expand([deep.get(source, source) for source in sources])
    try:
        return expand(sources)
    except ValueError as error:
        hint = " Its subfolders are searched with --recursive." if folders else ""
        raise ValueError(f"{error}{hint}") from None


@click.command(
    epilog=examples("video in.mp4 out.webm", "video in.mp4 out.webm --points out.json --flip-test")
)
@click.argument("source", type=Path)
@click.argument("output", type=Path)
@what_finds_landmarks
@click.option("--points", type=Path, help="JSON file for the faces of each frame.")
def video(source, output, points, **how):
    """Draw the landmarks of all faces into a video: SOURCE (MP4, WebM, ...) -> OUTPUT (.webm)."""
    from tqdm import tqdm

    from keras_lotr.inference.formats import to_json, write_text
    from keras_lotr.inference.video import annotate_video

    @cache
    def landmarker():  # made when the first frame was read: a mistake in SOURCE is told before
        return landmarker_of(**how)

    with tqdm(unit="frame", file=sys.stderr, disable=None) as bar:

        def progress(done, total):
            bar.total = total
            bar.update(done - bar.n)

        frames = annotate_video(
            lambda pictures: landmarker()(pictures), source, output, progress=progress
        )
    if points:
        write_text(points, to_json([[face.to_dict() for face in faces] for faces in frames]))
    faces = sum(map(len, frames))
    click.echo(f"keras-lotr: {len(frames)} frames, {faces} faces, written to {output}", err=True)
