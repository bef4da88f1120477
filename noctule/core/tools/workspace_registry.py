"""Folders that were given to agents while they held no configuration.

A ``config.yaml`` that turns up in one of them later may be an agent's work, and a configuration can
start programs: it counts only when it is named. The list is a text file in the data folder, because
it is read before there is a configuration, so before there is a database.
"""

from pathlib import PurePath

FILE = "given-folders"
"""The list's name within the data folder: one absolute path a line."""

CONFIG = "config.yaml"
"""The name of the configuration that is taken up without being named."""


def is_given(text: str, folder: PurePath) -> bool:
    """Return whether a folder, or one around it, is on the list.

    Args:
        text: of the list; "" when there is none.
        folder: absolute, symlinks resolved.
    """
    return any(folder.is_relative_to(line) for line in text.splitlines() if line)
