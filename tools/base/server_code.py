"""Started: the code that the command of an MCP server runs, wherever its words name it.

A server runs outside of the sandbox, so whoever may write what it loads decides what runs there.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from tools.base.loaded_modules import imports_of

_SCRIPTS = frozenset({
    ".bash", ".cjs", ".clj", ".cts", ".ex", ".exs", ".fish", ".go", ".groovy", ".jar", ".jl",
    ".js", ".jsx", ".kts", ".lua", ".mjs", ".mts", ".php", ".pl", ".ps1", ".py", ".pyz", ".r",
    ".rb", ".sh", ".so", ".tcl", ".ts", ".tsx", ".zsh",
})  # fmt: skip
_MANIFESTS = frozenset({
    "cargo.toml", "deno.json", "deno.jsonc", "go.mod", "justfile", "makefile", "package.json",
    "pyproject.toml",
})  # fmt: skip
_RUNNERS = re.compile(
    r"(bash|bun|bunx|cargo|dash|deno|fish|go|java|lua|node|npm|npx|perl|php|pipx|pnpm|pypy|python|"
    r"ruby|sh|ts-node|tsx|uv|uvx|yarn|zsh)[\d.]*$"
)
_ORDERS = frozenset({"create", "dlx", "exec", "run", "start", "tool", "x"})
_RUNS_IN = frozenset({
    "-C", "-I", "-L", "-cp", "-classpath", "-r", "--class-path", "--classpath", "--cwd", "--dir",
    "--directory", "--from", "--import", "--install", "--loader", "--module-path", "--path",
    "--prefix", "--preload", "--project", "--require", "--spec", "--with", "--with-editable", "cd",
    "pushd",
})  # fmt: skip
_LOADED_BY = frozenset({
    "BASH_ENV", "CLASSPATH", "ENV", "HOME", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS",
    "LD_AUDIT", "LD_LIBRARY_PATH", "LD_PRELOAD", "LUA_CPATH", "LUA_PATH", "NODE_OPTIONS",
    "NODE_PATH", "PATH", "PERL5LIB", "PERL5OPT", "PERLLIB", "PYTHONHOME", "PYTHONPATH",
    "PYTHONSTARTUP", "PYTHONUSERBASE", "RUBYLIB", "RUBYOPT", "UV_PROJECT", "VIRTUAL_ENV",
})  # fmt: skip
_GLUE = re.compile(r"[\s=:;,|&()<>\"'`@]+")
_SPACE = re.compile(r"\s")


def started(command: Sequence[str], env: Mapping[str, str]) -> Iterator[Path]:
    """Yield the files and folders that a server runs or loads programs from, absolute.

    A file or folder that it only works on is none. What is named as code and not there yet is
    yielded, too.

    Args:
        command: the program and its arguments.
        env: its variables; those by which programs find others are looked at.
    """
    for place, word in enumerate(command):
        yield from _of_a_word(command, place, word)
    for name, value in env.items():
        if name.upper() in _LOADED_BY:
            for path in chain.from_iterable(_named(text) for text in _pieces(value)):
                yield from _with_others(path) if path.is_file() else (path,)


def _of_a_word(command: Sequence[str], place: int, word: str) -> Iterator[Path]:
    before = command[place - 1] if place else ""
    if _SPACE.search(word) and _existing(word) is None:
        yield from _of_a_line(word)
        return
    for text in _pieces(word):
        for path in _named(text):
            if path.is_dir():
                if _runs_in(before, word) or _is_run(command[:place]):
                    yield path
            elif place == 0 or _is_code(path) or _is_run(command[:place]):
                yield from _with_others(path)
            elif path.exists():
                yield path


def _of_a_line(line: str) -> Iterator[Path]:
    """Yield what a line for a shell names, after ``cd`` too."""
    words = [word for word in _GLUE.split(line) if word]
    folder: Path | None = None
    for place, word in enumerate(words):
        before = words[place - 1] if place else ""
        for path in _named(word, folder):
            if path.is_dir():
                if before in _RUNS_IN or _is_run(words[:place]):
                    yield path
                if before in {"cd", "pushd"}:
                    folder = path
            elif path.exists() or _is_code(path):
                yield from _with_others(path)


def _pieces(word: str) -> list[str]:
    """Return what in a word may be a path: all of it, and what stands behind an option or glue."""
    parts = _GLUE.split(word)
    parts += [part[part.index("/") :] for part in parts if part.startswith("-") and "/" in part]
    full = (re.sub("^/+", "/", part) for part in parts if part.startswith(("/", "~")))
    return [part for part in dict.fromkeys((word, word.partition("=")[2], *full)) if part]


def _named(text: str, folder: Path | None = None) -> Iterator[Path]:
    """Yield what a text names, as it is written; nothing when it is no path."""
    if folder is not None and not text.startswith(("/", "~", "-")):
        if (found := _existing(str(folder / text))) is not None:
            yield found
        return
    if (found := _existing(text)) is not None:
        yield found
    elif text.startswith(("/", "~")) and _is_code(Path(text)) and "\0" not in text:
        yield Path(text).expanduser()


def _with_others(program: Path) -> Iterator[Path]:
    """Yield a program and the folders it loads others from, by its name and where links lead."""
    for path in dict.fromkeys((program, Path(os.path.realpath(program)))):
        yield path
        if path.exists():
            yield from _beside(path)
            yield from imports_of(path)


def _beside(program: Path) -> Iterator[Path]:
    for above in program.parents:
        if above.name == "node_modules" or (above / "pyvenv.cfg").exists():
            yield above
            return
    yield program.parent
    if program.parent.name in {"bin", "dist", "build"}:
        yield from (path for name in ("lib", "src") if (path := program.parents[1] / name).is_dir())
    if re.fullmatch(r"\.[cm]?[jt]sx?", program.suffix):
        folders = (above / "node_modules" for above in program.parents)
        yield from (folder for folder in folders if folder.is_dir())


def _runs_in(before: str, word: str) -> bool:
    name = word.partition("=")[0]
    return before in _RUNS_IN or name in _RUNS_IN or re.match(r"-[CILr]/", word) is not None


def _is_run(before: Sequence[str]) -> bool:
    """Whether the word after some others is what a program that runs others is given to run."""
    left = list(before)
    while left and (left[-1].startswith("-") or left[-1] in _ORDERS):
        left.pop()
    return bool(left) and _RUNNERS.match(Path(left[-1]).name) is not None


def _is_code(path: Path) -> bool:
    return path.suffix.lower() in _SCRIPTS or path.name.lower() in _MANIFESTS


def _existing(text: str) -> Path | None:
    path = Path(text) if text and "\0" not in text else None
    try:
        path = path.expanduser() if path is not None else None
        return path if path is not None and path.exists() else None
    except (OSError, RuntimeError):  # too long for a name, or nobody's home
        return None
