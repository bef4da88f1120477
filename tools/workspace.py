"""Workspace: the folder a session's files are in, and the only one its tools may touch."""

from dataclasses import dataclass
from pathlib import Path

OUTPUTS = ".noctule"
"""The folder within a workspace where long tool output is kept; agents may read it."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """A session's folder.

    Args:
        root: absolute, symlinks resolved; it exists.
        most_bytes: how much it may hold.
    """

    root: Path
    most_bytes: int
