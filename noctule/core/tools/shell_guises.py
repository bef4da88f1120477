"""Shell guises: as what a command may be meant by a rule that asks or forbids.

A rule names a command by how it begins. The same command can be written with quotes, by its path,
with options before what it does (``git -C . push``), behind others that run it (``env``, ``nice``,
``xargs``), or so that only a shell can tell what it is (``$x push``). The first are found here; of
the last is said how they begin as far as is known. It stays a sieve and no wall: a script does
what it likes.
"""

import re
from collections.abc import Iterator, Sequence

from noctule.core.tools.shell_words import HIDDEN, CommandLine, read_commands

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

_KEYWORDS = frozenset({"!", "(", "do", "elif", "else", "if", "then", "until", "while", "{"})

_CARRIERS = frozenset({
    "alias", "ash", "bash", "bind", "builtin", "busybox", "chroot", "chrt", "command", "compgen",
    "complete", "coproc", "dash", "doas", "env", "eval", "exec", "find", "fish", "flock", "ionice",
    "ksh", "mapfile", "nice", "nohup", "parallel", "readarray", "runuser", "script", "setsid",
    "sh", "ssh", "stdbuf", "strace", "su", "sudo", "taskset", "time", "timeout", "trap",
    "unbuffer", "unshare", "watch", "xargs", "zsh",
})  # fmt: skip
"""Commands that run another one, which stands somewhere behind them."""

_SHELLS = frozenset({"ash", "bash", "busybox", "dash", "fish", "ksh", "sh", "zsh"})
_READ_TEXTS = frozenset({
    *_SHELLS, "alias", "bind", "complete", "compgen", "eval", "mapfile", "readarray", "script",
    "ssh", "su", "trap", "watch",
})  # fmt: skip
"""Carriers that read a text as a command line."""

_TAKE_ONE = frozenset({"chroot", "chrt", "flock", "runuser", "ssh", "su", "taskset", "timeout"})
"""Carriers with something of their own before the other command, like how long it may run."""

_ADD_WORDS = frozenset({"parallel", "xargs"})
_RUN_AT = frozenset({"-exec", "-execdir", "-ok", "-okdir"})
_CHANGES = ("-delete", "-fprint", "-fls")

_TAKE_VALUES = {
    "aws": ("--profile", "--region", "--output", "--endpoint-url"),
    "cargo": ("-C", "-Z", "--config", "--color"),
    "docker": ("-H", "--host", "-c", "--context", "--config", "-l", "--log-level"),
    "gcloud": ("--project", "--account", "--configuration"),
    "gh": ("-R", "--repo"),
    "git": ("-C", "-c", "--git-dir", "--work-tree", "--namespace", "--config-env", "--attr-source"),
    "helm": ("-n", "--namespace", "--kube-context", "--kubeconfig"),
    "hg": ("-R", "--cwd", "--config"),
    "kubectl": ("-n", "--namespace", "--context", "--kubeconfig", "--cluster", "--user", "-s"),
    "make": ("-C", "-f", "-I", "-o", "-W"),
    "npm": ("--prefix", "-C", "-w", "--workspace", "--userconfig", "--registry"),
    "pip": ("--proxy", "--python", "--log", "--cache-dir", "--timeout"),
    "pnpm": ("-C", "--dir", "-F", "--filter"),
    "poetry": ("-C", "--directory", "-P", "--project"),
    "systemctl": ("-H", "-M", "-t", "-p", "-o", "-n"),
    "uv": ("--directory", "--project", "--config-file", "--cache-dir", "--color"),
    "yarn": ("--cwd",),
}
"""Programs with commands of their own, and which options before those take a value as next word."""

_HARMLESS_KEYS = re.compile(
    r"(?:advice|color|column|log|status|user)\.|core\.(?:abbrev|autocrlf|eol|filemode|quotepath|"
    r"safecrlf)|init\.defaultbranch|diff\.(?:renames|algorithm)|grep\.linenumber",
    re.IGNORECASE,
)
"""What of git's configuration names no program."""

_EVALUATE = frozenset({
    "[", "[[", "declare", "export", "let", "local", "mapfile", "printf", "read", "readarray",
    "readonly", "test", "typeset", "unset", "wait",
})  # fmt: skip
"""Commands of bash that carry out substitutions in the names they are given, quoted or not."""

_QUOTED = re.compile(r"\\.|'([^']*)'|\"((?:[^\"\\]|\\.)*)\"", re.DOTALL)
_QUOTING = re.compile(r"\\(.)|\$?['\"]", re.DOTALL)
_SPACE_VARIABLE = re.compile(r"\$IFS\b|\$\{IFS\}")
_PIECE = re.compile(
    r"(?P<space>\$IFS\b|\$\{IFS\}|[ \t\n]+)|(?P<hidden>\$'(?:[^'\\]|\\.)*'|\$\{[^}]*\}"
    r"|\$[\w@*#?$!-]\w*|\{[^{}\s]*(?:,|\.\.)[^{}\s]*\}|\0)|\\(?P<one>.)|'(?P<single>[^']*)'|\$?\"(?P<double>"
    r"(?:[^\"\\]|\\.)*)\"|(?P<glob>[*?[])|(?P<redirection>[<>]{1,3}[&|]?)"
    r"|(?P<text>[^ \t\n$\0{\\'\"*?\[<>]+)",
    re.DOTALL,
)
_IN_QUOTES = re.compile(r"\$\{[^}]*\}|\$[\w@*#?$!-]\w*|\0")
_ESCAPED = re.compile(r"\\([$`\"\\\n])")
_OPTION_C = re.compile(r"-[a-z]*c")
_GLOB = "\udc2a"  # half a character, which no command line can hold either
_MOST_WORDS = 200
_MOST_ENDS = 2_000
_DEEPEST = 4


def guises(line: CommandLine) -> tuple[str, ...]:
    """Return every text that a rule which forbids something is to be held against.

    The commands themselves, with and without their quotes, without what may stand before them or
    between a program and what it is to do, and what an interpreter is handed.
    """
    found: dict[str, None] = {}
    for command in dict.fromkeys(line.commands):
        for text in (command, _plain(command)):
            bare = _STARTERS.sub("", text)
            found |= {text: None, bare: None, _without_path(bare): None}
            found |= dict.fromkeys(_carried(text))
            if _INTERPRETERS.match(bare):
                for match in _QUOTED.finditer(bare):
                    inner = read_commands(match[1] or match[2] or "")
                    found |= dict.fromkeys(inner.commands)
        for words in _may_run(_words(command)):
            found[" ".join(words).replace(HIDDEN, "").replace(_GLOB, "")] = None
    return tuple(text for text in found if text)


def open_ends(line: CommandLine) -> tuple[str, ...]:
    """Return how commands begin of which only a shell knows how they go on.

    ``$x push`` begins with nothing, ``git $x`` with ``git ``: a rule about what begins like that
    may be about them.
    """
    found: dict[str, None] = {}
    if any("<<" in one for one in line.marked) and any(map(_substitutes, line.marked)):
        found[""] = None  # what looks quoted in a here-document is not
    for command in dict.fromkeys(line.marked):
        for words in _may_run(_words(command)):
            text = " ".join(words)
            first = words[0] if words else ""
            known = text.partition(_GLOB)[0] if _GLOB in first else text.replace(_GLOB, "*")
            if _GLOB in first or HIDDEN in known:
                found[known.partition(HIDDEN)[0]] = None
        if len(found) > _MOST_ENDS:
            return ("",)
    return tuple(found)


def does_more(command: str) -> bool:
    """Whether a command runs others by its arguments, so that how it begins does not tell.

    ``find . -exec rm {} +``, ``git -c alias.x='!rm' x``, ``test -v 'a[$(rm)]'``.
    """
    words = _words(command)
    while words and _is_assignment(words[0]):
        words = words[1:]
    if not words:
        return False
    name = _without_path(words[0])
    if name == "find":
        return any(
            word in _RUN_AT or word.startswith(("-delete", "-fprint", "-fls")) for word in words
        )
    if name == "git":
        return _has_odd_settings(words)
    return name in _EVALUATE and _substitutes(command)


def _may_run(words: Sequence[str], depth: int = 0) -> Iterator[list[str]]:
    """Yield the words of every command that a command may be or run."""
    if any(_is_assignment(word) and _substitutes(word) for word in words):
        yield [HIDDEN]  # of a prompt, say, which bash carries out
    words = _begun(words)
    if not words:
        return
    words = [_without_path(words[0]), *words[1:]]
    yield words
    if words[0] in _TAKE_VALUES:
        yield _without_options(words)
    if _runs_anything(words):
        yield [HIDDEN]
    if words[0] in _CARRIERS and depth < _DEEPEST:
        for handed in _handed(words[0], words[1:]):
            yield from _may_run(handed, depth + 1)


def _runs_anything(words: Sequence[str]) -> bool:
    """Whether a program reads what it runs, or from settings: an alias of git's is any command."""
    if words[0] == "git":
        return _has_odd_settings(words)
    if words[0] in _READ_TEXTS and any(HIDDEN in word for word in words):
        return words[0] not in _SHELLS or any(_OPTION_C.match(word) for word in words)
    if words[0] not in _SHELLS:
        return words[0] in _EVALUATE and any(map(_substitutes, words))
    return all(word.startswith("-") for word in words[1:])


def _handed(name: str, others: Sequence[str]) -> Iterator[list[str]]:
    """Yield the words of what a command that runs others may be handed."""
    if name in _READ_TEXTS:
        for text in (*others, " ".join(others)):
            for inner in read_commands(text.replace(HIDDEN, "$x")).marked:
                yield _words(inner)
    for at in _beginnings(name, others):
        handed = [HIDDEN if word == "{}" else word for word in others[at:]]
        yield [*handed, HIDDEN] if name in _ADD_WORDS else handed


def _beginnings(name: str, others: Sequence[str]) -> Iterator[int]:
    """Yield where the command may begin that another one runs."""
    if name == "find":
        yield from (at + 1 for at, word in enumerate(others) if word in _RUN_AT)
        return
    spare = 1 if name in _TAKE_ONE else 0
    option = False
    for at, word in enumerate(others):
        yield at
        if word.startswith("-") or _is_assignment(word):
            option = word.startswith("-") and "=" not in word
        elif option:
            option = False
        elif spare:
            spare -= 1
        else:
            return


def _begun(words: Sequence[str]) -> list[str]:
    """Return a command without assignments and the words of a shell before it."""
    words = list(words)
    while words and (_is_assignment(words[0]) or words[0] in {*_KEYWORDS, "function"}):
        del words[: 2 if words[0] == "function" else 1]
    return words


def _without_options(words: Sequence[str]) -> list[str]:
    """Return a program and what it is to do, without the options between them."""
    name, at = words[0], 1
    while at < len(words) and words[at].startswith(("-", "+")):
        at += 2 if words[at] in _TAKE_VALUES[name] else 1
    return [name, *words[at:]]


def _has_odd_settings(words: Sequence[str]) -> bool:
    """Whether git is told settings that may name programs."""
    for at, word in enumerate(words[1:], 1):
        if word.startswith(("--exec-path=", "--config-env")):
            return True
        key = (
            words[at + 1 : at + 2] if word == "-c" else [word[2:]] if word.startswith("-c") else []
        )
        if key and not _HARMLESS_KEYS.match(key[0]):
            return True
        if not word.startswith("-") and words[at - 1] not in _TAKE_VALUES["git"]:
            return False
    return False


def _words(command: str) -> list[str]:
    """Return the words of a command as a program gets them, with marks for what is not known.

    Redirections, wherever they stand, are not among them.
    """
    words: list[str] = []
    current, begun, dropped, at = "", False, False, 0
    while at < len(command) and len(words) < _MOST_WORDS:
        match = _PIECE.match(command, at)
        at = match.end() if match else at + 1
        if match is None:
            current, begun = current + command[at - 1], True
        elif match["space"] and match["space"][0] == "$" and _is_assignment(current):
            current += HIDDEN  # which splits no value that is assigned
        elif match["space"] or match["redirection"]:
            number = match["redirection"] and current.isdigit()
            if begun and not number and not dropped:
                words.append(current)
            dropped = bool(match["redirection"]) or (dropped and not begun)
            current, begun = "", False
        else:
            current, begun = current + _piece(match), True
    return [*words, current] if begun and not dropped else words


def _piece(match: re.Match[str]) -> str:
    if match["hidden"]:
        return HIDDEN
    if match["glob"]:
        return _GLOB
    if match["double"] is not None:
        return _ESCAPED.sub(r"\1", _IN_QUOTES.sub(HIDDEN, match["double"]))
    return match["text"] or match["one"] or match["single"] or ""


def _substitutes(text: str) -> bool:
    """Whether a text would run something if bash read it once more."""
    return "$(" in text or "`" in text


def _is_assignment(word: str) -> bool:
    return re.match(r"\w+\+?=", word) is not None


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
