"""Shell words: the single commands a command line is made of, for rules that name commands.

Nothing here decides what a shell would do: that takes a shell. It finds what a rule could be
about, and says when a line does more than its words show, so that no rule that allows something
is taken to allow that too. Where shells differ or their quoting is intricate (``$'...'``,
``${...}``), a line counts as one that does more.
"""

import re
from dataclasses import dataclass

HIDDEN = "\0"
"""Stands for what only a shell knows; no command line can hold it."""

_PLAIN_VARIABLE = re.compile(r"\$\{\w+\}")
_BLANK = " \t"


@dataclass(frozen=True, slots=True)
class CommandLine:
    """What a command line is made of.

    Args:
        commands: its single commands, in order, without comments, spaces between words made one.
        hidden: True when it does more than these say: substitutions, redirections, groups,
            quotes that do not end or that shells read differently.
        marked: the commands with ``HIDDEN`` where a substitution stands.
    """

    commands: tuple[str, ...]
    hidden: bool
    marked: tuple[str, ...]


def read_commands(line: str) -> CommandLine:
    """Return what a command line is made of.

    Args:
        line: as a shell would be given it; may have several lines.
    """
    return _Reader(line).read()


class _Reader:
    """Reads a line letter by letter."""

    def __init__(self, line: str) -> None:
        self._line = line
        self._at = 0
        self._commands: list[str] = []
        self._current: list[str] = []
        self._quote = ""
        self._within: list[tuple[str, str]] = []  # what ends a substitution, the quote around it
        self._cases = "case" in line  # whose patterns end with a bracket that opens nowhere
        self._begins = True  # a word, as far as is known
        self._hidden = False

    def read(self) -> CommandLine:
        while self._at < len(self._line):
            self._take(self._line[self._at])
            self._at += 1
        self._hidden |= bool(self._quote)
        self._end()
        known = [
            one.replace(HIDDEN, "").strip(_BLANK) if HIDDEN in one else one
            for one in self._commands
        ]
        return CommandLine(tuple(filter(None, known)), self._hidden, tuple(self._commands))

    def _take(self, letter: str) -> None:
        if self._quote == "'":
            self._quoted(letter)
        elif letter == "\\":
            self._escape()
        elif letter == "`":
            if not self._leave("`"):
                self._enter("`")
        elif self._is_substitution():
            self._at += 1
            self._enter(")")
        elif self._quote:
            self._quoted(letter)
        else:
            self._plain(letter)

    def _escape(self) -> None:
        following = self._line[self._at + 1 : self._at + 2]
        self._at += 1
        if not following:
            self._hidden = True
            self._current.append("\\")
        elif following != "\n":  # else the line goes on
            self._current.append(f"\\{following}")
            self._begins = False

    def _is_substitution(self) -> bool:
        """Say whether another command, or a quote within a quote, may begin here."""
        ahead = self._line[self._at : self._at + 2]
        plain = _PLAIN_VARIABLE.match(self._line, self._at) is not None
        self._hidden |= ahead == "$[" or (ahead == "${" and not plain)
        return ahead == "$("

    def _enter(self, until: str) -> None:
        """Begin to read a substitution, in which quotes begin anew."""
        self._hidden = True
        self._current.append(HIDDEN)
        self._end()
        self._within.append((until, self._quote))
        self._quote, self._begins = "", True

    def _leave(self, letter: str) -> bool:
        """Go on after a substitution if a letter ends one."""
        if not self._within or self._within[-1][0] != letter or (letter == ")" and self._cases):
            return False
        self._end()
        self._quote = self._within.pop()[1]
        return True

    def _quoted(self, letter: str) -> None:
        if letter == self._quote[-1:]:
            self._quote = ""
        self._current.append(letter)

    def _plain(self, letter: str) -> None:
        begins, self._begins = self._begins, letter in " \t\n;|&()<>"
        if letter in "'\"":
            self._open(letter)
        elif letter == "#" and begins:
            self._skip_comment()
        elif letter in _BLANK:
            if self._current[-1:] != [" "]:
                self._current.append(" ")
        elif letter in ";|&\n()<>":
            self._operator(letter)
        else:
            self._current.append(letter)

    def _operator(self, letter: str) -> None:
        self._hidden |= letter in "()<>"
        if letter in "<>" or (letter in "|&" and self._current[-1:] in ([">"], ["<"])):
            self._current.append(letter)  # as in 2>&1
        elif letter == "(" and self._within:
            self._end()
            self._within.append((")", ""))
        elif letter != ")" or not self._leave(letter):
            self._end()

    def _open(self, quote: str) -> None:
        self._current.append(quote)
        if quote == "'" and self._line[self._at - 1 : self._at] == "$":
            self._hidden = True
            quote = "$'"  # in bash, but not in every shell, a backslash can stand in it
        self._quote = quote

    def _skip_comment(self) -> None:
        end = self._line.find("\n", self._at)
        self._at = (len(self._line) if end < 0 else end) - 1
        self._begins = True

    def _end(self) -> None:
        while self._current[-1:] == [" "]:  # not one that was escaped
            self._current.pop()
        command = "".join(self._current).lstrip(_BLANK)
        if command:
            self._commands.append(command)
        self._current = []
