"""Asking a person about a project file, and saying which configuration is used."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from noctule.channels.terminal.screens.printable import printable

if TYPE_CHECKING:
    from noctule.config.project import Project
    from noctule.config.which_file import ChosenConfig


def asker(*, as_json: bool) -> "Callable[[Project], bool] | None":
    """Return what asks on this terminal; None where nobody can be asked.

    Args:
        as_json: whether a program reads the answer.
    """
    if as_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    return _ask


def show(project: "Project") -> None:
    """Say on stderr what a project file would start."""
    click.echo(
        f"{printable(str(project.path))} decides what Noctule starts and asks here:", err=True
    )
    for line in project.consequences():
        click.echo(f"  - {printable(line)}", err=True)
    news = project.news()
    if news:
        click.echo("New since you trusted it:", err=True)
    for line in news:
        click.echo(f"  {printable(line)}", err=True)


def tell_choice(choice: "ChosenConfig | None", *, as_json: bool) -> None:
    """Say on stderr which configuration is used, where that is not the usual one.

    Args:
        choice: how it was found; None when nobody chose.
        as_json: whether a program reads the answer; it is told only what it must act on.
    """
    if choice is None:
        return
    if choice.warning is not None:
        click.echo(printable(choice.warning), err=True)
    elif choice.notice is not None and not as_json:
        click.echo(printable(choice.notice), err=True)


def _ask(project: "Project") -> bool:
    from noctule.channels.terminal.input.prompt import forget_typed_ahead  # noqa: PLC0415 - only to ask

    forget_typed_ahead()
    if project.changed:
        click.echo("The project has changed since you trusted it.", err=True)
    show(project)
    return click.confirm("Use it whenever you are in this folder?", default=False, err=True)
