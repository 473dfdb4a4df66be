"""The help of all commands as Markdown: what stands in docs/cli.md."""

import inspect

import click

from keras_lotr.cli import main


def command_reference():
    """Lines of Markdown: a section for each command with all its options, as `--help` has them."""
    for words, command in commands("keras-lotr", main):
        context = click.Context(command, info_name=words)
        yield f"## {words}"
        yield ""
        yield inspect.cleandoc(command.help)
        yield ""
        yield "```text"
        yield " ".join([words, *command.collect_usage_pieces(context)])
        yield "```"
        yield ""
        yield from options(command, context)
        yield "```text"
        yield from map(str.strip, command.epilog.splitlines()[2:])  # after "\b" and "Examples:"
        yield "```"
        yield ""


def commands(words, command):
    """(words, command) of a command and all below it."""
    yield words, command
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from commands(f"{words} {name}", below)


def options(command, context):
    """A list of the options but `--help`, which all commands have."""
    shown = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    for option in shown:
        names, said = option.get_help_record(context)
        yield f"- `{names}`: {' '.join(said.split())}"
    if shown:
        yield ""
