"""Patches: unified diffs as models write them, read and applied.

Models miscount lines, so the counts in ``@@`` are taken as a hint, and a hunk goes where its old
lines stand nearest to where it says; but the old lines must be there exactly.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from tools.files.fuzzy_match import nearest

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_BARE_HUNK = re.compile(r"@@(\s|$)")
_NO_NEWLINE = "\\"
_NOWHERE = "/dev/null"
_MOST_LINES = 1_000_000
_MOST_LOOKED_AT = 5_000_000


class PatchError(Exception):
    """A patch cannot be read or does not fit; ``str()`` of it says where and what to do."""


@dataclass(slots=True)
class Hunk:
    """One change of a patch.

    Args:
        start: the line of the old file where it says it begins, from 1; None when it does not say.
        old: the lines that must be there, line breaks included.
        new: the lines that take their place.
    """

    start: int | None
    old: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)


@dataclass(slots=True)
class FilePatch:
    """What a patch does with one file.

    Args:
        old: its path before; None when it is made.
        new: its path after; None when it is deleted.
        hunks: its changes.
    """

    old: str | None
    new: str | None
    hunks: list[Hunk] = field(default_factory=list)


def read_patch(text: str) -> list[FilePatch]:
    """Read a unified diff, with or without git's own lines.

    Raises:
        PatchError: it is none, or does what this cannot.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return _Reader(lines).read()


def apply_hunks(path: str, content: str, hunks: Sequence[Hunk]) -> str:
    r"""Return a text with changes made.

    Args:
        path: of the file, for people.
        content: the text; where its lines end with ``\r\n``, those of the changes do, too.
        hunks: the changes, from top to bottom.

    Raises:
        PatchError: a change does not fit.
    """
    crlf = "\r\n" in content and not re.search(r"(?<!\r)\n", content)
    if content.count("\n") > _MOST_LINES:
        raise PatchError(f"{path} has more than {_MOST_LINES:,} lines. Change it with a program.")
    lines = _split(content.replace("\r\n", "\n") if crlf else content)
    shift, floor, patience = 0, 0, _Patience()
    for number, hunk in enumerate(hunks, 1):
        wanted = floor if hunk.start is None else hunk.start - bool(hunk.old) + shift
        at, fitted = _place(lines, hunk, wanted, floor, patience)
        if at is None:
            raise PatchError(_misfit(path, lines[floor:], fitted, number, floor))
        lines[at : at + len(fitted.old)] = fitted.new
        shift += len(fitted.new) - len(fitted.old)
        floor = at + len(fitted.new)
    # Where a change was made for the end of a file and found its place elsewhere, lines stay lines.
    result = "".join([line if line.endswith("\n") else f"{line}\n" for line in lines[:-1]])
    result += "".join(lines[-1:])
    return result.replace("\n", "\r\n") if crlf else result


def _split(content: str) -> list[str]:
    """Return lines with their line breaks; nothing but a newline ends one."""
    lines = [f"{line}\n" for line in content.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


class _Patience:
    """How long places of changes are looked for, in lines."""

    def __init__(self) -> None:
        self._left = _MOST_LOOKED_AT

    def spend(self, lines: int) -> None:
        self._left -= lines
        if self._left < 0:
            raise PatchError(
                "The changes are so many and so far from where they say they are that finding "
                "their places takes too long. Give line numbers, or fewer changes at a time."
            )


def _place(
    lines: list[str], hunk: Hunk, wanted: int, floor: int, patience: _Patience
) -> tuple[int | None, Hunk]:
    """Return where a change fits, nearest to where it says it does, and how it is to be made."""
    at = _nearest_place(lines, hunk.old, wanted, floor, patience)
    if at is None and lines and not lines[-1].endswith("\n"):
        # Nobody remembers to say that a file does not end with a line break.
        plain = Hunk(hunk.start, _unended(hunk.old), _unended(hunk.new))
        last = len(lines) - len(plain.old)
        if plain.old and last >= floor and lines[last:] == plain.old:
            return last, plain
    return at, hunk


def _nearest_place(
    lines: list[str], old: list[str], wanted: int, floor: int, patience: _Patience
) -> int | None:
    height, last = len(old), len(lines) - len(old)
    if not old:
        return min(max(wanted, floor), len(lines))
    begin = min(max(wanted, floor), last)
    for away in range(max(begin - floor, last - begin) + 1):
        patience.spend(1)
        for at in dict.fromkeys((begin - away, begin + away)):
            if floor <= at <= last and lines[at] == old[0]:
                patience.spend(height)
                if lines[at : at + height] == old:
                    return at
    return None


def _unended(lines: list[str]) -> list[str]:
    return [*lines[:-1], lines[-1].removesuffix("\n")] if lines else []


def _misfit(path: str, lines: list[str], hunk: Hunk, number: int, floor: int) -> str:
    """Say which change does not fit, and what stands where it was meant."""
    head = f"Change {number} of {path} does not fit, so nothing was changed at all."
    near = nearest([line.rstrip("\n") for line in lines], [line.rstrip("\n") for line in hunk.old])
    if near is None:
        return f"{head} Its lines do not stand in the file; read it and write the patch anew."
    start, found = near
    shown = "\n".join(f"{n:>6}\t{line}" for n, line in enumerate(found, start + floor))
    return f"{head} Nearest to its old lines is:\n{shown}"


def _path(line: str) -> str | None:
    name = line[4:].split("\t", 1)[0].strip().strip('"')
    if name == _NOWHERE or not name:
        return None
    return name[2:] if name.startswith(("a/", "b/")) else name


class _Reader:
    """Reads a patch line by line."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._at = 0
        self._found: list[FilePatch] = []

    def read(self) -> list[FilePatch]:
        while self._at < len(self._lines):
            self._step()
        if not any(patch.hunks or patch.old != patch.new for patch in self._found):
            raise PatchError(
                "That is no unified diff: there must be lines like --- a/src/app.py, "
                "+++ b/src/app.py and @@ -3,4 +3,5 @@ before the changed ones."
            )
        return self._found

    def _step(self) -> None:
        line = self._lines[self._at]
        if self._at_header():
            self._header()
        elif _HUNK.match(line) or _BARE_HUNK.match(line):
            self._hunk()
        elif line.startswith(("GIT binary patch", "Binary files ")):
            raise PatchError("The patch changes a binary file; that cannot be done with a patch.")
        elif line.startswith("rename from "):
            self._found.append(FilePatch(line.removeprefix("rename from "), None))
            self._at += 1
        elif line.startswith("rename to ") and self._found:
            self._found[-1].new = line.removeprefix("rename to ")
            self._at += 1
        else:
            self._at += 1  # git's other lines, and what people write around a patch

    def _at_header(self) -> bool:
        return (
            self._at + 1 < len(self._lines)
            and self._lines[self._at].startswith("--- ")
            and self._lines[self._at + 1].startswith("+++ ")
        )

    def _header(self) -> None:
        old = _path(self._lines[self._at])
        new = _path(self._lines[self._at + 1])
        self._at += 2
        if old is None and new is None:
            raise PatchError("A file of the patch has no name, neither before nor after.")
        renamed = self._found[-1] if self._found else None
        if renamed and not renamed.hunks and (renamed.old, renamed.new) == (old, new):
            return
        self._found.append(FilePatch(old, new))

    def _hunk(self) -> None:
        if not self._found:
            raise PatchError("The patch does not say which file: --- and +++ lines are missing.")
        head = _HUNK.match(self._lines[self._at])
        start = int(head[1]) if head else None
        old_left = int(head[2] or 1) if head else 0
        new_left = int(head[4] or 1) if head else 0
        self._at += 1
        hunk = Hunk(start)
        while self._at < len(self._lines) and self._goes_on(hunk, old_left, new_left):
            self._take(hunk, self._lines[self._at], self._lines[self._at - 1])
            self._at += 1
        if not hunk.old and not hunk.new:
            raise PatchError(f"A change of {self._found[-1].new} is empty; write its lines.")
        self._found[-1].hunks.append(hunk)

    def _goes_on(self, hunk: Hunk, old_left: int, new_left: int) -> bool:
        line = self._lines[self._at]
        if len(hunk.old) < old_left or len(hunk.new) < new_left:
            # What looks like a header may be a line that was removed, as in SQL: "-- x".
            if self._at_header() and len(hunk.old) < old_left and len(hunk.new) < new_left:
                after = self._lines[self._at + 2 : self._at + 3]
                if after and after[0].startswith("@@"):
                    return False
            return line[:1] in (" ", "+", "-", "\t", _NO_NEWLINE, "")
        return line[:1] in (" ", "+", "-", _NO_NEWLINE) and not self._at_header()

    @staticmethod
    def _take(hunk: Hunk, line: str, before: str) -> None:
        """Add a line to a change; an empty one is an empty line that is kept.

        Args:
            hunk: the change.
            line: with its sign.
            before: the line before it in the patch.
        """
        sign = line[:1]
        if sign == _NO_NEWLINE:
            if before[:1] != "+":
                hunk.old = _unended(hunk.old)
            if before[:1] != "-":
                hunk.new = _unended(hunk.new)
            return
        text = (line[1:] if sign in (" ", "-", "+") else line) + "\n"
        if sign != "+":
            hunk.old.append(text)
        if sign != "-":
            hunk.new.append(text)
