"""`keras-lotr package-preset`, `model-card`, `publish`, `publish-space`: from a run to the Hub."""

import click

from keras_lotr.cli.checks import check_exists
from keras_lotr.cli.options import examples
from keras_lotr.cli.types import NAME, PATH, PRESET_NAME
from keras_lotr.presets.files import resolve
from keras_lotr.presets.hub import Handle
from keras_lotr.quiet import start_keras
from keras_lotr.training.run_files import best_of

dry_run = click.option("--dry-run", is_flag=True, help="List of what would be uploaded, only.")


@click.command(
    "package-preset",
    epilog=examples(
        "package-preset runs/mine my_model", "package-preset runs/mine my_model --float16"
    ),
)
@click.argument("run", type=PATH)
@click.argument("folder", type=PATH)
@click.option("--float16", is_flag=True, help="Weights in 16 bits: half the size.")
@click.option(
    "--calibration", type=NAME, multiple=True,
    help="Images of faces, as of `keras-lotr export`, for an .onnx file in int8 beside the other.",
)  # fmt: skip
def package_preset(run, folder, float16, calibration):
    """Make a preset FOLDER to ship from a training RUN: weights, recipe, history."""
    best_of(run)
    start_keras(to_train=True)
    from keras_lotr.publishing.publish import prepare

    prepare(run, folder, "float16" if float16 else None, list(calibration))
    click.echo(f"Wrote {folder}")


@click.command(
    "model-card",
    epilog=examples("model-card my_model", "model-card presets/lotr_m_68 --examples examples"),
)
@click.argument("folder", type=PATH)
@click.option(
    "--examples", type=PATH, help="Folder of rendered faces, on which samples.jpg shows the model."
)
def model_card(folder, examples):
    """Fill in metadata.json of a preset FOLDER and write its card, README.md, from its files."""
    resolve(folder)
    if examples is not None:
        check_exists("folder of examples", examples)
    start_keras()
    from keras_lotr.publishing.publish import write_card

    click.echo(f"Wrote {write_card(folder, examples)}")


@click.command(
    epilog=examples(
        "publish my_model hf://me/my_model --tag v1", "publish --all --org us --dry-run"
    )
)
@click.argument("preset", required=False, type=PRESET_NAME)
@click.argument("handle", required=False)
@click.option("--all", "everything", is_flag=True, help="All presets that have weights.")
@click.option("--org", help="With --all: user or organisation that gets them, with their names.")
@click.option(
    "--private/--public",
    default=None,
    help="Visibility of a repository that is new [as the account's settings say].",
)
@click.option("--revision", help="Branch to upload to [main].")
@click.option("--tag", help="Name for this version, such as v1.")
@click.option("--create-pr", is_flag=True, help="Pull request instead of a commit.")
@click.option(
    "--pin",
    is_flag=True,
    help="Note of commit and sha256 in the preset's hub.json, so that its weights need not lie "
    "here.",
)
@dry_run
def publish(preset, handle, everything, org, private, revision, tag, create_pr, pin, dry_run):
    """Publish PRESET, a name or a folder, as HANDLE, hf://org/name; or --all --org ORG."""
    one, many = bool(preset and handle), bool(everything and org)
    if one == many or (many and preset) or (one and org):
        raise ValueError("Expected PRESET and hf://org/name, or --all and --org ORG.")
    if one:
        Handle.parse(handle)
        resolve(preset)
    start_keras()
    from keras_lotr.publishing.publish import pin as write_pin
    from keras_lotr.publishing.publish import publication, publications, push_to_hub

    wanted = publications(org) if many else [(preset, handle, True)]
    for source, place, has_weights in wanted:
        if not has_weights:
            click.echo(f"{place}: skipped, no trained weights yet")
        elif dry_run:
            with publication(source, place, revision) as what:
                click.echo(f"Would upload {what}")
        else:
            options = {"revision": revision, "tag": tag, "create_pr": create_pr}
            done = push_to_hub(source, place, private, **options)
            click.echo(f"Published {done}")
            if pin and not create_pr:
                write_pin(source, done)


@click.command(
    epilog=examples(
        "publish-space demo hf://me/faces --dry-run", "publish-space demo hf://me/faces"
    )
)
@click.argument("folder", type=PATH)
@click.argument("handle")
@click.option(
    "--private/--public",
    default=None,
    help="Visibility of a Space that is new [as the account's settings say].",
)
@dry_run
def publish_space(folder, handle, private, dry_run):
    """Publish the demo in FOLDER, demo or web, as the Space HANDLE, hf://org/name."""
    from keras_lotr.publishing.space import publish_space, space_files
    from keras_lotr.publishing.upload import listing

    Handle.parse(handle)
    sdk, files = space_files(folder)
    if dry_run:
        click.echo(f"Would upload {handle}, a Space ({sdk}): {listing(files)}")
    else:
        click.echo(f"Published {publish_space(folder, handle, private)}")
