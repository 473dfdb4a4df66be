"""`keras-lotr predict`: landmarks in images."""

import os
import sys

import click

from keras_lotr.cli.options import examples, landmarker_of, what_finds_landmarks
from keras_lotr.cli.overlays import (
    check_overlays,
    check_says_how_sure,
    more_that_is_drawn,
    overlays_of,
)
from keras_lotr.cli.types import NAME, PATH, Number

# Those of `keras_lotr.inference.formats`, which imports more than a command line needs.
FORMATS = ("json", "jsonl", "csv", "parquet", "pts", "coco")


def _formats(context, parameter, value):
    kinds = None if value is None else [kind.strip() for kind in value.split(",")]
    unknown = sorted(set(kinds or ()) - set(FORMATS))
    if unknown:
        raise click.BadParameter(f"Expected formats of {', '.join(FORMATS)}. Received: {unknown}")
    return kinds


@click.command(
    epilog=examples(
        "predict photo.jpg > faces.json",
        "predict photos --recursive --draw --output found",
    )
)
@click.argument("source", nargs=-1, required=True, type=NAME)
@what_finds_landmarks()
@click.option("--recursive", is_flag=True, help="Folders are searched with all their subfolders.")
@click.option(
    "--boxes",
    type=PATH,
    help="File of the box around each face's landmarks: an earlier --output, JSON {name: boxes}, "
    "COCO, or a table whose columns tell; no detector is used then.",
)
@click.option(
    "--output",
    type=NAME,
    help="Folder for a file of each image, or a .json, .jsonl, .csv, .parquet or .pts file for all "
    "[JSON to standard output]. Until it is done, what was found is in OUTPUT.part.",
)
@click.option(
    "--format",
    "formats",
    callback=_formats,
    metavar="[json|jsonl|csv|parquet|pts|coco][,...]",
    help="What is written [as the ending of --output says, otherwise json].",
)
@click.option("--draw", is_flag=True, help="Images with the landmarks drawn, into --output, too.")
@more_that_is_drawn
@click.option(
    "--resume", is_flag=True, help="Images whose results are in --output are left as they are."
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    help="Number of processes that share the images; best one for each core.",
)
@click.option(
    "--ray",
    "with_ray",
    is_flag=True,
    help="The workers of Ray share the images: a cluster (RAY_ADDRESS), or this machine's cores. "
    "SOURCE may be on a storage, s3://bucket/photos; --output is a folder of Parquet files, also "
    "there; a second run goes on.",
)
@click.option(
    "--gpus",
    type=click.IntRange(1),
    metavar="N",
    help="With --ray: N GPUs run the network [the CPUs do].",
)
@click.option(
    "--retry-failed",
    is_flag=True,
    help="With --ray: images that failed in earlier runs are looked at again [they are left out].",
)
@click.option(
    "--min-quality", type=Number(0, 1),
    help="Faces below this quality, 0 to 1, are marked (low_quality, drawn in grey); for presets "
    "that say how sure they are.",
)  # fmt: skip
@click.option("--drop-low-quality", is_flag=True, help="Faces below --min-quality are left out.")
def predict(
    source,
    boxes,
    output,
    formats,
    draw,
    ellipses,
    pose,
    recursive,
    resume,
    workers,
    min_quality,
    drop_low_quality,
    with_ray,
    gpus,
    retry_failed,
    **how,
):
    """Find the landmarks of the faces in SOURCE.

    SOURCE is an image file, a folder, a pattern, a URL, a .txt file with a path in each line
    (lines that begin with # are comments), several of them, or - for an image from standard input.
    """
    if with_ray:
        from keras_lotr.cli.predict_ray import predict_with_ray

        others = {"--boxes": boxes, "--draw": draw, "--min-quality": min_quality}
        others |= {"--ellipses": ellipses, "--pose": pose, "--drop-low-quality": drop_low_quality}
        how |= {"workers": workers, "gpus": gpus, "retry_failed": retry_failed, "others": others}
        sys.exit(predict_with_ray(source, output, formats, recursive, **how))
    if gpus is not None:
        raise ValueError(f"Expected --gpus with --ray. Received: --gpus {gpus} alone")
    if retry_failed:
        raise ValueError("Expected --retry-failed with --ray; --resume does so without it.")
    from keras_lotr.cli.predict_files import predict_files
    from keras_lotr.cli.result_files import open_results
    from keras_lotr.cli.result_log import check_same_faces
    from keras_lotr.inference.saved_boxes import read_boxes

    images, left_out = images_of(source, recursive, output)
    searched = source if recursive else ()
    overlays = overlays_of(ellipses, pose, draw, "--draw")
    results = open_results(images, output, formats, draw, resume, searched, overlays)
    if results.log is not None:
        click.get_current_context().with_resource(results.log)
    given = read_boxes(boxes) if boxes else None
    if boxes:
        how["detector"] = "builtin"  # nobody asks it: another one is not to be fetched
    if drop_low_quality and min_quality is None:
        raise ValueError("Expected --min-quality with --drop-low-quality. Received: none")
    landmarker = landmarker_of(**how, workers=workers)
    scheme, sure = landmarker.preprocessor.scheme, landmarker.model.has_certainty
    check_same_faces(results.found_before, how["preset"], scheme, sure)
    if min_quality is not None:
        check_says_how_sure(landmarker, how["preset"], "--min-quality")
    check_overlays(landmarker, how["preset"], overlays)
    quality = min_quality, drop_low_quality
    failed = predict_files(landmarker, images, results, given, left_out, *quality, workers)
    if failed:
        sys.exit(2 if failed == len(images) else 1)


def images_of(sources, recursive, output=None):
    """The images of SOURCE and what is left out, see `find_images`.

    Drawn images of an earlier run are no images of SOURCE, where it holds the folder `output`.
    """
    from keras_lotr.images.folders import find_images

    within = output if output and os.path.isdir(output) else None
    try:
        return find_images(sources, recursive, drawn_in=within)
    except ValueError as error:
        folders = not recursive and any(map(os.path.isdir, sources))
        hint = " Its subfolders are searched with --recursive." if folders else ""
        raise ValueError(f"{error}{hint}") from None
