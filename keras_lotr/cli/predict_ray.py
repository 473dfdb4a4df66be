"""`keras-lotr predict --ray`: the images of a command line, shared by Ray's workers."""

import time

import click

from keras_lotr.cli.options import engine_of, rotations_of


def predict_with_ray(
    source,
    output,
    formats,
    recursive,
    workers,
    gpus,
    retry_failed,
    others,
    any_rotation,
    preset,
    engine,
    **how,
):
    """Find the landmarks of SOURCE and write them into a folder of Parquet files.

    Args:
        source, output, formats, recursive, workers, gpus, retry_failed: of the command line.
        others: {option: its value} of what cannot be had here.
        any_rotation, preset, engine, how: of `what_finds_landmarks`.

    Returns:
        The exit code: 0, 1 if some images failed, 2 if all did, in this run or an earlier one.
    """
    if output is None:
        raise ValueError("Expected a folder for the Parquet files of --ray: --output FOLDER.")
    if formats not in (None, ["parquet"]):
        raise ValueError(f"Expected Parquet with --ray. Received: --format {','.join(formats)}")
    given = [option for option, value in others.items() if value not in (None, False)]
    if given or "-" in source:
        what = ", ".join(given) or "an image from standard input"
        raise ValueError(f"Expected --ray without {what}: leave out one of the two.")
    from keras_lotr.ray import predict  # it takes seconds

    if not preset.endswith(".onnx"):
        engine = engine_of(preset, engine)
    how["rotations"] = rotations_of(any_rotation)
    settings = {name: value for name, value in how.items() if value not in (None, False)}
    start = time.monotonic()
    done = predict(
        list(source),
        preset,
        output,
        recursive=recursive,
        gpus=gpus or 0,
        workers=workers,
        retry_failed=retry_failed,
        engine=engine,
        **settings,
    )
    before = f", {done.done_before} done before" if done.done_before else ""
    if done.failed_before:
        before += f" ({done.failed_before} of them failed: --retry-failed looks at them again)"
    click.echo(
        f"keras-lotr: {done.images} images, {done.faces} faces, {done.failed} failed{before}, "
        f"written to {output} ({time.monotonic() - start:.1f} s)",
        err=True,
    )
    failed = done.failed + done.failed_before
    if not failed:
        return 0
    return 2 if failed == done.images + done.done_before else 1
