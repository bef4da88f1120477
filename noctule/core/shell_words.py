"""Shell words: the single commands a command line is made of, for rules that name commands.

Nothing here decides what a shell would do: that takes a shell. It finds what a rule could be
about, and says when a line does more than its words show, so that no rule that allows something
is taken to allow that too.
"""

import re
from dataclasses import dataclass

_STARTERS = re.compile(
    r"^(?:(?:\w+=\S*|sudo|env|command|exec|nohup|time|nice|xargs|then|do|else|if|while|until"
    r"|timeout(?:\s+-\S+)*\s+\S+)\s+(?:-\S+\s+)*|[({!]\s*)+"
)
"""What may stand before a command without being it."""

_INTERPRETERS = re.compile(
    r"^(?:\S*/)?(?:ba|z|da|k|fi)?sh\b|^(?:eval|xargs|ssh|su|find|source|\.)\b"
)
_QUOTED = re.compile(r"'([^']*)'|\"((?:[^\"\\]|\\.)*)\"")


@dataclass(frozen=True, slots=True)
class CommandLine:
    """What a command line is made of.

    Args:
        commands: its single commands, in order, spaces made one.
        hidden: True when it does more than these say: substitutions, redirections, groups,
            quotes that do not end.
    """

    commands: tuple[str, ...]
    hidden: bool

    def guises(self) -> tuple[str, ...]:
        """Return every text that a rule which forbids something is to be held against.

        The commands themselves, without what may stand before them, and what an interpreter is
        handed in quotes.
        """
        found: dict[str, None] = {}
        for command in self.commands:
            bare = _STARTERS.sub("", command)
            found |= {command: None, bare: None, _without_path(bare): None}
            if _INTERPRETERS.match(bare):
                for match in _QUOTED.finditer(bare):
                    inner = read_commands(match[1] or match[2] or "")
                    found |= dict.fromkeys(inner.commands)
        return tuple(text for text in found if text)


def read_commands(line: str) -> CommandLine:
    """Return what a command line is made of.

    Args:
        line: as a shell would be given it; may have several lines.
    """
    reader = _Reader()
    for at, letter in enumerate(line):
        reader.take(letter, line[at + 1 : at + 2])
    return reader.finish()


class _Reader:
    """Reads a line letter by letter."""

    def __init__(self) -> None:
        self._commands: list[str] = []
        self._current: list[str] = []
        self._quote = ""
        self._escaped = False
        self._hidden = False

    def take(self, letter: str, following: str) -> None:
        if self._escaped:
            self._escaped = False
            self._current.append(letter)
        elif letter == "\\" and self._quote != "'":
            self._escaped = True
            self._current.append(letter)
        elif self._quote == "'":
            self._quoted(letter)
        elif letter == "`" or (letter == "$" and following == "("):
            self._hidden = True
            self._end()
        elif self._quote:
            self._quoted(letter)
        else:
            self._plain(letter)

    def finish(self) -> CommandLine:
        self._hidden |= bool(self._quote) or self._escaped
        self._end()
        return CommandLine(tuple(self._commands), self._hidden)

    def _quoted(self, letter: str) -> None:
        if letter == self._quote:
            self._quote = ""
        self._current.append(letter)

    def _plain(self, letter: str) -> None:
        if letter in "'\"":
            self._quote = letter
            self._current.append(letter)
        elif letter in ";|&\n":
            self._end()
        elif letter in "()<>":
            self._hidden = True
            if letter in "()":
                self._end()
            else:
                self._current.append(letter)
        else:
            self._current.append(letter)

    def _end(self) -> None:
        command = " ".join("".join(self._current).split())
        if command:
            self._commands.append(command)
        self._current = []


def _without_path(command: str) -> str:
    first, space, rest = command.partition(" ")
    return first.rsplit("/", 1)[-1] + space + rest
