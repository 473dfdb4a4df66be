"""`keras-lotr train-certainty` and `keras-lotr review`: how sure landmarks are, and what for."""

from pathlib import Path

import click

from keras_lotr.cli.checks import check_exists, landmark_preset
from keras_lotr.cli.options import engine, examples, file_with, measured_model, only, reader
from keras_lotr.cli.types import NAME, PATH, PRESET_NAME
from keras_lotr.presets.files import ONNX, WEIGHTS, resolve
from keras_lotr.quiet import start_keras
from keras_lotr.writing import check_folder, check_new_folder


@click.command(
    epilog=examples(
        "train-certainty lotr_m_68 --data FACES --visibility RENDERED --photos PHOTOS --output NEW",
        "train-certainty lotr_m_98 --data FACES --calibrate-on wflw --output NEW",
    )
)
@click.argument("preset", type=PRESET_NAME)
@click.option(
    "--data", type=NAME, multiple=True, required=True,
    help="Data set whose landmarks are true; half of its val faces calibrate. Repeat for more.",
)  # fmt: skip
@click.option(
    "--visibility", type=NAME, multiple=True,
    help="Data set that only says which landmarks are seen, such as rendered faces; repeat.",
)  # fmt: skip
@click.option("--photos", type=NAME, help="Folder of photos, for boxes without a face.")
@click.option(
    "--calibrate-on", multiple=True,
    help="Tag of the val faces that calibrate, such as a set; repeat for more [all].",
)  # fmt: skip
@click.option(
    "--calibrate-with", type=NAME, multiple=True,
    help="Data set whose val faces calibrate, instead of those of --data; repeat.",
)  # fmt: skip
@click.option(
    "--detector-decides", is_flag=True,
    help="The detector alone decides what is a face: for a network that never saw a photo.",
)  # fmt: skip
@click.option("--output", type=PATH, required=True, help="Folder of the new preset.")
@click.option(
    "--crops", type=click.IntRange(64), default=9000, show_default=True,
    help="Random crops that are learned from.",
)  # fmt: skip
@click.option(
    "--epochs", type=click.IntRange(1), default=10, show_default=True,
    help="Number of times that each crop is learned from.",
)  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of all that is random.")
def train_certainty(preset, data, photos, output, **settings):
    """Teach PRESET how sure its landmarks are and which are seen; the landmarks stay the same."""
    landmark_preset(preset)
    folders = *settings["visibility"], *settings["calibrate_with"], *([photos] if photos else [])
    check_exists("data set", *data, *folders)
    own = resolve(preset).folder
    if own is None or own.resolve() != output.resolve():  # or else it gets its head in its place
        check_new_folder(output)
    start_keras(to_train=True)
    from keras_lotr.export.onnx import export_onnx
    from keras_lotr.lotr import LOTR
    from keras_lotr.training import certainty

    told = certainty.train_certainty(preset, data, output, photos=photos, **settings)
    try:
        export_onnx(LOTR.from_preset(output), output / ONNX, weights=output / WEIGHTS)
    except ImportError as error:
        click.echo(f"keras-lotr: {ONNX} was not written: {error}", err=True)
    factors = ", ".join(f"{region} {factor:.2f}" for region, factor in told["factors"].items())
    click.echo(f"Written to {output}; factors of the regions: {factors}")


@click.command(
    epilog=examples(
        "report certainty lotr_m_68 --data FACES --rendered RENDERED --photos PHOTOS",
        "report certainty lotr_m_68 --data FACES --figures results",
    )
)
@click.argument("preset", type=PRESET_NAME)
@click.option(
    "--data", type=NAME, multiple=True, required=True, help="Data set with val faces; repeat."
)
@click.option("--rendered", type=NAME, help="Folder of rendered faces, whose angles are known.")
@click.option("--photos", type=NAME, help="Folder of photos, for boxes without a face.")
@click.option(
    "--output", type=PATH, default=Path("results/certainty.json"), show_default=True,
    callback=file_with(".json"), help="JSON file of all that is measured.",
)  # fmt: skip
@click.option("--figures", type=PATH, help="Folder for reliability.png and sparsification.png.")
def report_certainty(preset, data, rendered, photos, output, figures):
    """Whether it is true what PRESET says of its errors, of hidden landmarks and of false boxes."""
    landmark_preset(preset)
    check_exists("data set", *data, *(folder for folder in (rendered, photos) if folder))
    from keras_lotr.evaluation.results_files import check_certainty_target

    check_certainty_target(output, data)
    if figures:
        check_folder(figures)
    start_keras()
    from keras_lotr.evaluation import certainty
    from keras_lotr.evaluation import figures as draw
    from keras_lotr.presets.files import write_json

    results = certainty.measure_certainty(preset, data, rendered, photos)
    write_json(output, results)
    click.echo(certainty.as_text(results))
    if figures:
        draw.draw_reliability(results, figures / "reliability.png")
        draw.draw_sparsification(results, figures / "sparsification.png")


@click.command(
    epilog=examples(
        "review lotr_m_68 --data FACES --split train",
        "review lotr_m_98 --data FACES --only helen --count 100 --output helen.html",
    )
)
@click.argument("preset", type=PRESET_NAME)
@click.option("--data", type=NAME, required=True, help="Folder, COCO or CSV file of the data set.")
@click.option(
    "--split", type=click.Choice(["train", "val", "test"]), default="train",
    show_default=True, help="Part of the data set.",
)  # fmt: skip
@reader
@only
@engine
@click.option(
    "--count",
    type=click.IntRange(1, 1000),
    default=50,
    show_default=True,
    help="Number of faces shown.",
)
@click.option(
    "--output", type=PATH, default=Path("review.html"), show_default=True,
    callback=file_with(".html"), help="Page to write.",
)  # fmt: skip
def review(preset, data, split, reader, only, engine, count, output):
    """The labels of a data set that PRESET most surely disagrees with, as a page of thumbnails."""
    source = measured_model(preset, data, engine)
    from keras_lotr.evaluation.review import doubtful_labels, write_page
    from keras_lotr.inference.onnx_model import OnnxModel
    from keras_lotr.lotr import LOTR

    model = OnnxModel(source) if source.endswith(".onnx") else LOTR.from_preset(source)
    faces, every = doubtful_labels(model, data, split, reader, only, count)
    write_page(faces, every, model.preprocessor, output, f"Labels of {Path(data).name} ({split})")
    for face in faces[:10]:
        click.echo(f"{face.sigmas:6.1f} sigmas  {face.sample.where}")
    click.echo(f"Wrote {output}: {len(faces)} of {every} faces")
