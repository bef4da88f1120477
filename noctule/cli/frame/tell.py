"""Sentences on stderr: on a terminal they break between words, in a pipe they stay one line."""

import sys

import click


def tell(text: str) -> None:
    """Say something that is no part of a command's output.

    Args:
        text: for people; control characters are left out.
    """
    from noctule.channels.terminal.screens.printable import shown  # noqa: PLC0415 - not for --help

    line = shown(text)
    if not sys.stderr.isatty():
        click.echo(line, err=True)
        return
    from rich.console import Console  # noqa: PLC0415 - pipes do not need it

    Console(stderr=True, highlight=False).print(line, markup=False, emoji=False)
