"""`keras-lotr evaluate` and `keras-lotr report`: numbers, tables and figures of one's results."""

from pathlib import Path

import click

from keras_lotr.cli.options import BOXES, annotated_faces, examples, file_with, measured_model
from keras_lotr.cli.types import PATH, Number
from keras_lotr.quiet import start_keras

_FIGURES = (".png", ".svg", ".pdf", ".jpg")
RESULTS = click.argument("results", nargs=-1, required=True, type=PATH)


@click.command(
    epilog=examples(
        "evaluate lotr_m_68 --data examples/rendered_faces --split val",
        "evaluate runs/mine/preset --data FOLDER --split val --flip-test --output mine.json",
    )
)
@annotated_faces
@click.option(
    "--boxes", type=click.Choice(BOXES), default="ground-truth",
    show_default=True, help="What faces are cropped by: the data set's boxes, or the detector's.",
)  # fmt: skip
@click.option(
    "--output",
    type=PATH,
    callback=file_with(".json"),
    help="JSON file of all results; a CSV of the faces beside it.",
)
def evaluate(preset, data, split, flip, reader, only, normalizer, engine, boxes, output):
    """Measure PRESET on annotated faces: NME, failure rate, AUC, by region and subset."""
    from keras_lotr.evaluation.results_files import check_results_target, write_results

    if output:
        check_results_target(output, data)
    model = measured_model(preset, data, engine)
    from keras_lotr.evaluation import evaluation
    from keras_lotr.evaluation.results_text import as_text

    results, faces = evaluation.evaluate(model, data, split, flip, reader, only, normalizer, boxes)
    results["preset"] = preset  # not the file that is in it
    click.echo(as_text(results))
    if output:
        write_results(results, faces, output)


def output(name, *endings):
    """The option that says where to write; without it `results/NAME`."""
    return click.option(
        "--output", type=PATH, default=Path("results") / name, show_default=True,
        callback=file_with(*endings), help=f"File to write ({', '.join(endings)}).",
    )  # fmt: skip


@click.group(
    epilog=examples("report table results/*.json", "report ced results/*.json --output ced.png")
)
def report():
    """Tables and figures in the layout of the paper."""


@report.command(
    epilog=examples("report table results/*.json", "report table mine.json --output mine.md")
)
@RESULTS
@output("table.md", ".md", ".txt")
def table(results, output):
    """RESULTS of `evaluate --output` beside the published numbers (Tables 2 and 3), as Markdown.

    JSON files of another kind among them are named and left out.
    """
    from keras_lotr.evaluation.tables import tables
    from keras_lotr.presets.files import write_file

    text = tables(list(_results_among(results).values()))
    write_file(output, f"{text}\n".encode())
    click.echo(text)


@report.command(epilog=examples("report ced results/*.json", "report ced a.json b.json --limit 8"))
@RESULTS
@click.option(
    "--limit",
    type=Number(0, min_open=True),
    default=10,
    show_default=True,
    help="Largest NME of the plot, in per cent.",
)
@output("ced.png", *_FIGURES)
def ced(results, limit, output):
    """Cumulative error distribution of RESULTS of `evaluate --output`, a curve each.

    JSON files of another kind among them are named and left out.
    """
    with_faces = {path for path in results if path.with_suffix(".csv").is_file()}
    others = [path for path in results if path not in with_faces]
    known = with_faces | set(_results_among(others, with_faces))
    start_keras()
    from keras_lotr.evaluation.figures import draw_ced

    draw_ced([path for path in results if path in known], output, limit)
    click.echo(f"Wrote {output}")


def _results_among(paths, besides=()):
    """{path: content} of those that hold results; the others are named on standard error.

    Raises the error of the last one if nothing is left, with what there is `besides`.
    """
    from keras_lotr.evaluation.tables import NoResults, read_results

    found, refused = {}, None
    for path in paths:
        try:
            found[path] = read_results(path)
        except NoResults as error:
            refused = error
            click.echo(f"keras-lotr: {path} is left out: no result of `evaluate`.", err=True)
    if refused and not found and not besides:
        raise refused
    return found


@report.command(epilog=examples("report losses", "report losses --output losses.svg"))
@output("losses.png", *_FIGURES)
def losses(output):
    """The losses Wing and smooth-Wing and their slopes, as in Figure 2."""
    start_keras()
    from keras_lotr.evaluation.figures import draw_losses

    draw_losses(output)
    click.echo(f"Wrote {output}")


def _rising(context, parameter, value):
    if list(value) != sorted(set(value)):
        raise click.BadParameter(f"Expected rising borders. Received: {list(value)}")
    return value


@report.command(
    epilog=examples(
        "report samples lotr_m_68 --data examples/rendered_faces --split val",
        "report samples runs/mine/preset --data FOLDER --band 4 --band 8",
    )
)
@annotated_faces
@click.option(
    "--band",
    multiple=True,
    type=Number(),
    callback=_rising,
    help="Border between two rows, as an NME in per cent; repeat in rising order [5 and 6].",
)
@output("samples.png", *_FIGURES)
def samples(preset, data, split, flip, reader, only, normalizer, engine, band, output):
    """Faces by NME (rows) and subset (columns) with PRESET's landmarks, as in Figure 3."""
    model = measured_model(preset, data, engine)
    from keras_lotr.evaluation.evaluation import measure
    from keras_lotr.evaluation.figures import BANDS, draw_samples

    measured = measure(model, data, split, flip, reader, only, normalizer)
    draw_samples(measured, output, band or BANDS)
    click.echo(f"Wrote {output}")


@report.command(
    epilog=examples(
        "report worst lotr_m_68 --data examples/rendered_faces --split val",
        "report worst lotr_m_98 --data FOLDER --only wflw --count 5 --output worst.png",
    )
)
@annotated_faces
@click.option(
    "--count", type=click.IntRange(1, 50), default=10, show_default=True, help="Faces in a row."
)
@output("worst.png", *_FIGURES)
def worst(preset, data, split, flip, reader, only, normalizer, engine, count, output):
    """The faces with the largest errors of PRESET, of all and of each subset."""
    model = measured_model(preset, data, engine)
    from keras_lotr.evaluation.evaluation import measure
    from keras_lotr.evaluation.figures import draw_worst

    draw_worst(measure(model, data, split, flip, reader, only, normalizer), output, count)
    click.echo(f"Wrote {output}")
