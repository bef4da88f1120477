"""Code words: which words of a command name code that it runs, and which only what it works on."""

import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

INTERPRETER: Final = re.compile(
    r"(?:python|pypy|node|bun|deno|ruby|perl|lua|luajit|php|bash|zsh|sh|dash|fish|Rscript|julia|"
    r"tclsh|guile|racket|elixir|escript|java|mono|dotnet|wasmtime|wasmer|pwsh|gawk|awk)[\d.]*"
)
_BUILDER: Final = re.compile(
    r"docker|docker-compose|podman|podman-compose|nerdctl|make|gmake|just|task|cargo|go|nix|"
    r"nix-shell|bazel|npm|pnpm|yarn|mise|devbox|poetry|hatch|java|dotnet|mono"
)
"""Programs that run what a file in their words says, whatever it is called."""
_STARTER: Final = re.compile(r"npx|bunx|uvx|uv|pipx|tsx|ts-node|env|nice|nohup|timeout")
"""Programs whose first word may be a folder or file that is run; of others it is worked on."""
_RUNS_IN: Final = frozenset({
    "--directory", "--project", "--cwd", "--prefix", "--from", "--with-editable", "--path", "-C",
    "-I", "-r", "-cp", "-classpath", "--class-path", "--module-path", "--require", "--import",
    "--loader", "--env-file", "--file", "-f", "--manifest-path", "PYTHONPATH", "NODE_PATH",
    "NODE_OPTIONS", "RUBYLIB", "PERL5LIB", "LD_PRELOAD", "LD_LIBRARY_PATH",
})  # fmt: skip
"""Options and variables whose value is run, or has in it what is run."""


@dataclass(frozen=True, slots=True)
class Named:
    """What a command names.

    Args:
        text: a path, maybe.
        runs: whether it is run, whatever kind of file it is; else only a file of code is.
    """

    text: str
    runs: bool


def named_by(words: Sequence[str]) -> Iterator[Named]:
    """Yield what the words of a command may name, in their order.

    Args:
        words: the program and its arguments.
    """
    builder = any(_BUILDER.fullmatch(PurePath(word).name) for word in words[:2])
    program = PurePath(words[0]).name if words else ""
    takes_code = INTERPRETER.fullmatch(program) or _STARTER.fullmatch(program)
    behind = (at for at, word in enumerate(words) if at and not word.startswith("-"))
    first = next(behind, None) if takes_code else None
    for place, word in enumerate(words):
        before = words[place - 1] if place else ""
        runs = builder or place in {0, first} or before in _RUNS_IN
        yield Named(word, runs)
        for text, option in _parts(word):
            yield Named(text, runs or option)
        if any(letter.isspace() for letter in word):
            with suppress(ValueError):  # quotes that do not end
                lines = shlex.split(word.replace(";", " ").replace("&", " ").replace("|", " "))
                yield from (Named(line, runs=True) for line in lines)


def _parts(word: str) -> Iterator[tuple[str, bool]]:
    """Yield what stands behind ``=``, a short option or between colons; whether it is run."""
    name, _, value = word.partition("=")
    if value:
        yield value, name in _RUNS_IN
    if word.startswith("-") and not word.startswith("--"):
        yield word[2:], word[:2] in _RUNS_IN
    if ":" in (text := value or word):
        yield from ((piece, name in _RUNS_IN) for piece in text.split(":"))
