"""Shell words: the single commands a command line is made of, for rules that name commands.

Nothing here decides what a shell would do: that takes a shell. It finds what a rule could be
about, and says when a line does more than its words show, so that no rule that allows something
is taken to allow that too. Where shells differ or their quoting is intricate (``$'...'``,
``${...}``), a line counts as one that does more.
"""

import re
from dataclasses import dataclass

_STARTERS = re.compile(
    r"^(?:(?:\w+=\S*|sudo|env|command|exec|nohup|time|nice|xargs|then|do|else|if|while|until"
    r"|timeout(?:\s+-\S+)*\s+\S+)\s+(?:-\S+\s+)*|\d{0,3}(?:&>|[<>]){1,3}[&|]?\s*\S+\s+|[({!]\s*)+"
)
"""What may stand before a command without being it."""

_INTERPRETERS = re.compile(
    r"^(?:\S*/)?(?:ba|z|da|k|fi)?sh\b|^(?:eval|xargs|ssh|su|find|source|trap|alias|\.)\b"
)
_BEFORE = re.compile(
    r"^(?:\w+=\S*\s+|\d{0,3}(?:&>|[<>]){1,3}[&|]?\s*\S+\s+|(?:then|do|else|if|while|until)\s+"
    r"|[({!]\s*)+"
)
"""What of that is no command itself."""

_CARRIERS = frozenset({
    "alias", "ash", "bash", "builtin", "busybox", "chroot", "chrt", "command", "coproc", "dash",
    "doas", "env", "eval", "exec", "find", "fish", "flock", "ionice", "ksh", "nice", "nohup",
    "parallel", "runuser", "script", "setsid", "sh", "ssh", "stdbuf", "strace", "su", "sudo",
    "taskset", "time", "timeout", "trap", "unbuffer", "unshare", "watch", "xargs", "zsh",
})  # fmt: skip
"""Commands that run another one, which stands somewhere behind them."""

_QUOTED = re.compile(r"\\.|'([^']*)'|\"((?:[^\"\\]|\\.)*)\"", re.DOTALL)
_QUOTING = re.compile(r"\\(.)|\$?['\"]", re.DOTALL)
_PLAIN_VARIABLE = re.compile(r"\$\{\w+\}")
_SPACE_VARIABLE = re.compile(r"\$IFS\b|\$\{IFS\}")
_BLANK = " \t"
_MOST_WORDS = 200


@dataclass(frozen=True, slots=True)
class CommandLine:
    """What a command line is made of.

    Args:
        commands: its single commands, in order, without comments, spaces between words made one.
        hidden: True when it does more than these say: substitutions, redirections, groups,
            quotes that do not end or that shells read differently.
    """

    commands: tuple[str, ...]
    hidden: bool

    def guises(self) -> tuple[str, ...]:
        """Return every text that a rule which forbids something is to be held against.

        The commands themselves, with and without their quotes, without what may stand before
        them, and what an interpreter is handed.
        """
        found: dict[str, None] = {}
        for command in self.commands:
            for text in (command, _plain(command)):
                bare = _STARTERS.sub("", text)
                found |= {text: None, bare: None, _without_path(bare): None}
                found |= dict.fromkeys(_carried(text))
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
    return _Reader(line).read()


class _Reader:
    """Reads a line letter by letter."""

    def __init__(self, line: str) -> None:
        self._line = line
        self._at = 0
        self._commands: list[str] = []
        self._current: list[str] = []
        self._quote = ""
        self._begins = True  # a word, as far as is known
        self._hidden = False

    def read(self) -> CommandLine:
        while self._at < len(self._line):
            self._take(self._line[self._at])
            self._at += 1
        self._hidden |= bool(self._quote)
        self._end()
        return CommandLine(tuple(self._commands), self._hidden)

    def _take(self, letter: str) -> None:
        if self._quote == "'":
            self._quoted(letter)
        elif letter == "\\":
            self._escape()
        elif letter == "`" or self._is_substitution():
            self._hidden = True
            self._end()
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
        command = "".join(self._current).strip(_BLANK)
        if command:
            self._commands.append(command)
        self._current = []


def _plain(command: str) -> str:
    """Return a command as its words are without quotes."""
    return " ".join(_SPACE_VARIABLE.sub(" ", _QUOTING.sub(r"\1", command)).split())


def _carried(command: str) -> list[str]:
    """Return what a command that runs another may run, wherever that begins."""
    first, *others = _BEFORE.sub("", command).split(" ")[:_MOST_WORDS]
    if _without_path(first) not in _CARRIERS:
        return []
    return [" ".join(others[at:]) for at in range(len(others))]


def _without_path(command: str) -> str:
    first, space, rest = command.partition(" ")
    return first.rsplit("/", 1)[-1] + space + rest
