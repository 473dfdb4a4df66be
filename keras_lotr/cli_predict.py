"""`keras-lotr predict` and `keras-lotr video`: landmarks in pictures, and in a video's frames."""

import sys
from pathlib import Path

import click

from keras_lotr.cli_options import landmarker_of, what_finds_landmarks


@click.command()
@click.argument("source", nargs=-1, required=True)
@what_finds_landmarks
@click.option("--boxes", type=Path, help="JSON or CSV of boxes around landmarks; no detector then.")
@click.option("--output", type=Path, help="Folder, or file for all [JSON to standard output].")
@click.option("--format", "formats", help="json, csv, pts, coco; several with commas.")
@click.option("--draw", is_flag=True, help="Also write pictures with the landmarks drawn.")
def predict(source, boxes, output, formats, draw, **how):
    """Find the landmarks of the faces in SOURCE: pictures, folders, patterns or URLs."""
    from keras_lotr.images import expand
    from keras_lotr.prediction import predict_files, read_boxes
    from keras_lotr.result_files import open_results

    pictures = expand(source)
    kinds = formats and formats.replace(" ", "").split(",")
    results = open_results(pictures, output, kinds, draw)
    given = read_boxes(boxes) if boxes else None
    if boxes:
        how["detector"] = "embedded"  # nobody asks it: another one is not to be fetched
    failed = predict_files(landmarker_of(**how), pictures, results, given)
    if failed:
        sys.exit(2 if failed == len(pictures) else 1)


@click.command()
@click.argument("source", type=Path)
@click.argument("output", type=Path)
@what_finds_landmarks
@click.option("--points", type=Path, help="Also write the faces of each frame here, as JSON.")
def video(source, output, points, **how):
    """Draw the landmarks of all faces into a video: SOURCE (MP4, WebM, ...) -> OUTPUT (.webm)."""
    from tqdm import tqdm

    from keras_lotr.formats import to_json, write_text
    from keras_lotr.video import annotate_video

    with tqdm(unit="frame", file=sys.stderr, disable=None) as bar:

        def progress(done, total):
            bar.total = total
            bar.update(done - bar.n)

        frames = annotate_video(landmarker_of(**how), source, output, progress=progress)
    if points:
        write_text(points, to_json([[face.to_dict() for face in faces] for faces in frames]))
