"""The options that say what agents may do and where, alike on every command that begins work."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

allow_option: Callable[[Any], Any] = click.option(
    "--allow",
    metavar="TOOLS",
    multiple=True,
    help="Tools to allow without asking, for this session: shell,web or 'shell:git push*'.",
)
workspace_option: Callable[[Any], Any] = click.option(
    "--workspace", metavar="DIR", help="Folder the agents work in (default: one of their own)."
)


def rules_of(allow: Sequence[str]) -> tuple[str, ...]:
    """Return the rules of ``--allow``, which may be given several times, each with several."""
    return tuple(rule.strip() for value in allow for rule in value.split(","))


def folder_of(workspace: str | None) -> str | None:
    """Return the folder of ``--workspace`` as an absolute path; None when none was named."""
    return None if workspace is None else str(Path(workspace).expanduser().absolute())
