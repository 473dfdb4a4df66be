"""`keras-lotr publish` and `publish-space`: presets and the demo to the Hugging Face Hub."""

from pathlib import Path

import click


@click.command()
@click.argument("preset", required=False)
@click.argument("handle", required=False)
@click.option("--all", "everything", is_flag=True, help="All presets that have weights.")
@click.option("--org", help="With --all: user or organisation; names stay.")
@click.option("--private/--public", default=None, help="Of new repositories.")
@click.option("--revision", help="Branch [main].")
@click.option("--tag", help="Name for this version, such as v1.")
@click.option("--create-pr", is_flag=True, help="Propose it as a pull request.")
@click.option("--pin", is_flag=True, help="Note commit and sha256 in the preset's hub.json.")
@click.option("--dry-run", is_flag=True, help="Only say what would be uploaded.")
def publish(preset, handle, everything, org, private, revision, tag, create_pr, pin, dry_run):
    """Publish PRESET, a name or a folder, as HANDLE, hf://org/name; or --all --org ORG."""
    from keras_lotr import publishing

    one, many = bool(preset and handle), bool(everything and org)
    if one == many or (many and preset) or (one and org):
        raise ValueError("Expected PRESET and hf://org/name, or --all and --org ORG.")
    wanted = publishing.publications(org) if many else [(preset, handle, True)]
    for source, place, has_weights in wanted:
        if not has_weights:
            click.echo(f"{place}: skipped, no trained weights yet")
        elif dry_run:
            with publishing.publication(source, place, revision) as what:
                click.echo(f"Would upload {what}")
        else:
            options = {"revision": revision, "tag": tag, "create_pr": create_pr}
            done = publishing.push_to_hub(source, place, private, **options)
            click.echo(f"Published {done}")
            if pin and not create_pr:
                publishing.pin(source, done)


@click.command()
@click.argument("folder", type=Path)
@click.argument("handle")
@click.option("--private/--public", default=None, help="Of a new Space.")
@click.option("--dry-run", is_flag=True, help="Only say what would be uploaded.")
def publish_space(folder, handle, private, dry_run):
    """Publish the demo in FOLDER, demo or demo/static, as the Space HANDLE, hf://org/name."""
    from keras_lotr import spaces
    from keras_lotr.hub_upload import listing

    sdk, files = spaces.space_files(folder)
    if dry_run:
        click.echo(f"Would upload {handle}, a Space ({sdk}): {listing(files)}")
    else:
        click.echo(f"Published {spaces.publish_space(folder, handle, private)}")
