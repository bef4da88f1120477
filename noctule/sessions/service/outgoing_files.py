"""Files that leave a workspace: copied when they are handed over, then nobody changes them.

An agent may replace what it made by a link to something else before it is sent.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_PIECE_BYTES = 1024 * 1024
_NO_LINK = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def copied(root: Path, names: Sequence[str], folder: Path, *, most_bytes: int) -> list[Path]:
    """Copy regular files of a workspace; return the copies of those that could be had, in order.

    A file that was copied before stays as it was then.

    Args:
        root: the workspace.
        names: relative to it.
        folder: where the copies go; made when it is not there.
        most_bytes: of a larger one so much and a byte are copied: whoever sends it sees that it is
            too large.
    """
    copies = (
        _copy(root, name, folder / f"{number}", most_bytes) for number, name in enumerate(names)
    )
    return [copy for copy in copies if copy is not None]


@contextmanager
def regular(path: Path) -> Iterator[BinaryIO]:
    """Open a file that is no link.

    Raises:
        OSError: it is not there, or something else.
    """
    with _opened(path.parent, Path(path.name)) as file:
        yield file


def _copy(root: Path, name: str, folder: Path, most_bytes: int) -> Path | None:
    with suppress(FileNotFoundError, StopIteration):
        return next(folder.iterdir())
    with suppress(OSError, ValueError):
        base = root.resolve()
        real = (base / name).resolve()
        within, copy = real.relative_to(base), folder / real.name
        with _opened(base, within) as source:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            part = folder.with_suffix(".part")
            part.unlink(missing_ok=True)
            made = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(made, "wb") as target:
                _pour(source, target, most_bytes + 1)
            part.replace(copy)
            return copy
    return None


def _pour(source: BinaryIO, target: BinaryIO, most_bytes: int) -> None:
    while most_bytes > 0 and (piece := source.read(min(most_bytes, _PIECE_BYTES))):
        target.write(piece)
        most_bytes -= len(piece)


@contextmanager
def _opened(base: Path, within: Path) -> Iterator[BinaryIO]:
    """Open a regular file below a folder step by step, following no link."""
    at = os.open(base, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        for name in within.parts[:-1]:
            below = os.open(name, _NO_LINK | os.O_DIRECTORY, dir_fd=at)
            os.close(at)
            at = below
        file = os.open(within.name, _NO_LINK, dir_fd=at)
    finally:
        os.close(at)
    with os.fdopen(file, "rb") as opened:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(f"{within} is no regular file")
        yield opened
