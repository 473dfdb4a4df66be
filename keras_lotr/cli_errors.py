"""What the command does with bad input: one sentence on standard error, exit code 2."""

import sys

import click


class Commands(click.Group):
    """A group whose subcommands answer errors of the input with a sentence, not a traceback."""

    def invoke(self, context):
        try:
            return super().invoke(context)
        except (ValueError, OSError, ImportError) as error:
            click.echo(f"keras-lotr: {error}", err=True)
            sys.exit(2)
