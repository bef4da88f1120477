"""Files a person hands over: copied into the session's workspace, where its agents find them."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from noctule.core.base.private_files import make_folder
from noctule.core.errors import UsageError

FOLDER = "in"
"""The folder of a workspace in which what people sent is."""


def hand_over(files: Sequence[Path], root: Path, *, most_bytes: int) -> tuple[str, ...]:
    """Copy files into a workspace; return their names, relative to it.

    A name that is taken gets a number. A file that lies in the workspace already stays where it is.

    Args:
        files: which; each must exist.
        root: the workspace; made when it is not there.
        most_bytes: how large each may be.

    Raises:
        UsageError: one is no file, too large or unreadable, or the folder leads elsewhere. Nothing
            was copied.
    """
    for file in files:
        _check(file, most_bytes)
    folder = _folder(root)
    return tuple(_named(file, root, folder) for file in files)


def free_name(folder: Path, name: str) -> str:
    """Return a name that nothing in a folder has: ``report.txt``, else ``report-2.txt``."""
    path = Path(name)
    candidate, number = name, 1
    while (folder / candidate).exists() or (folder / candidate).is_symlink():
        number += 1
        candidate = f"{path.stem}-{number}{path.suffix}"
    return candidate


def _check(file: Path, most_bytes: int) -> None:
    try:
        if not file.is_file():
            raise UsageError(f"{file} is not a file. Name a file that exists.")
        size = file.stat().st_size
        with file.open("rb"):
            pass
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror or error}).") from error
    if size > most_bytes:
        raise UsageError(
            f"{file} has {size / 1e6:.1f} MB and at most {most_bytes / 1e6:.0f} MB are taken. "
            "Start the session in its folder instead: --workspace DIR."
        )


def _folder(root: Path) -> Path:
    folder = root / FOLDER
    make_folder(folder)
    if folder.is_symlink() or not folder.resolve().is_relative_to(root.resolve()):
        raise UsageError(f"{folder} leads out of the workspace. Nothing was copied; remove it.")
    return folder


def _named(file: Path, root: Path, folder: Path) -> str:
    inside = file.resolve()
    if inside.is_relative_to(root.resolve()):
        return inside.relative_to(root.resolve()).as_posix()
    name = free_name(folder, file.name)
    partial = folder / f".{name}.part"
    with file.open("rb") as source, partial.open("xb") as copy:
        os.fchmod(copy.fileno(), 0o600)
        shutil.copyfileobj(source, copy)
    partial.replace(folder / name)
    return f"{FOLDER}/{name}"
