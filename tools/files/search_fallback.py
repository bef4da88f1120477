"""A search through files where ripgrep is missing: a program of its own.

A process, because an expression can take for ever, and a thread that matches one cannot be ended.
It needs the standard library alone and prints what ``rg --null --line-number`` does.
"""

import fnmatch
import json
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from typing import Any

_NAMED = 2
_SNIFFED_BYTES = 8192
_WRONG = 2


def main(order: dict[str, Any]) -> int:
    """Print every line that fits; return 0 when there was one, 1 when there was none.

    Args:
        order: ``pattern``, ``literal``, ``ignore_case``, ``glob`` (or None), ``path`` and
            ``skipped`` (names of folders).
    """
    text = re.escape(order["pattern"]) if order["literal"] else order["pattern"]
    try:
        pattern = re.compile(text.encode(), re.IGNORECASE if order["ignore_case"] else 0)
    except re.error as error:
        sys.stderr.write(f"regex parse error: {error}\n")
        return _WRONG

    def wanted(path: str) -> bool:
        glob = order["glob"]
        name = path.rsplit("/", 1)[-1]
        return not glob or fnmatch.fnmatch(name, glob) or fnmatch.fnmatch(path, glob)

    found = False
    for path, descriptor in _files(order["path"], frozenset(order["skipped"]), wanted):
        with os.fdopen(descriptor, "rb") as file:
            if b"\0" in file.read(_SNIFFED_BYTES):
                continue
            file.seek(0)
            for number, line in enumerate(file, 1):
                plain = line.rstrip(b"\r\n")
                if pattern.search(plain):
                    found = True
                    sys.stdout.buffer.write(b"%s\0%d:%s\n" % (os.fsencode(path), number, plain))
    return 0 if found else 1


def _files(
    base: str, skipped: frozenset[str], wanted: Callable[[str], bool]
) -> Iterator[tuple[str, int]]:
    """Give files in the order of their paths, opened; no symlink is followed."""
    parent, name = os.path.split(os.path.normpath(base))
    folder = os.open(parent or ".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            yield from _below(folder, name, base, skipped, wanted)
        else:
            yield base, _opened(folder, name)
    finally:
        os.close(folder)


def _below(
    parent: int, name: str, path: str, skipped: frozenset[str], wanted: Callable[[str], bool]
) -> Iterator[tuple[str, int]]:
    folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        for entry in sorted(os.listdir(folder)):  # noqa: PTH208 - a descriptor has no path
            below = f"{path}/{entry}"
            try:
                mode = os.stat(entry, dir_fd=folder, follow_symlinks=False).st_mode
                if stat.S_ISDIR(mode) and entry not in skipped:
                    yield from _below(folder, entry, below, skipped, wanted)
                elif stat.S_ISREG(mode) and wanted(os.path.normpath(below)):
                    yield below, _opened(folder, entry)
            except OSError:
                continue  # it went away, or may not be read
    finally:
        os.close(folder)


def _opened(folder: int, name: str) -> int:
    return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)


if __name__ == "__main__" and len(sys.argv) == _NAMED:
    sys.exit(main(json.loads(sys.argv[1])))
