"""Kept: everything Noctule obeys or runs itself, which no agent may change wherever it lies.

One description for the sandbox and for the tools that write files.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from noctule.core.settings import Settings

_SCRIPTS = frozenset({".py", ".js", ".mjs", ".cjs", ".ts", ".rb", ".sh", ".pl", ".lua"})
_INTERPRETER = re.compile(r"(python|node|bun|deno|ruby|bash|sh)[\d.]*$")
_RUNS_IN = frozenset({"--directory", "--project", "--cwd", "--prefix", "--from", "--path", "-C"})
_PACKAGES = ("noctule", "agents", "graphs", "storage", "tools")


def kept_paths(settings: Settings, configuration: Iterable[Path]) -> tuple[Path, ...]:
    """Return what a configuration starts or obeys, absolute; it need not exist.

    Args:
        settings: the configuration.
        configuration: the files it was read from.
    """
    found = [*configuration, *_named(settings)]
    return tuple(dict.fromkeys(Path.cwd() / path.expanduser() for path in found))


def _named(settings: Settings) -> Iterator[Path]:
    if settings.tools.folder is not None:
        yield settings.tools.folder
    for server in settings.tools.mcp.values():
        yield from _started(server.command)
    for endpoint in settings.endpoints.values():
        for path in (endpoint.weights, endpoint.chat_template, endpoint.script):
            if path is not None:
                yield path


def _started(command: Sequence[str]) -> Iterator[Path]:
    """Yield the files that the words of a command name, and the folders it runs programs of.

    Modules beside a script are loaded with it. A folder that a server only works on is none.
    """
    for place, word in enumerate(command):
        for text in dict.fromkeys((word, word.partition("=")[2])):
            path = _existing(text)
            if path is None:
                continue
            before = command[place - 1] if place else ""
            if path.is_file():
                yield path
                if place == 0 or path.suffix in _SCRIPTS:
                    yield _loaded_with(path)
            elif _runs_in(before, word) or (place == 1 and _is_interpreter(command[0])):
                yield path


def _runs_in(before: str, word: str) -> bool:
    return before in _RUNS_IN or word.partition("=")[0] in _RUNS_IN


def _is_interpreter(program: str) -> bool:
    return _INTERPRETER.match(Path(program).name) is not None


def _loaded_with(program: Path) -> Path:
    """Return the folder a program loads others from: its environment's, else its own."""
    for above in program.parents:
        if above.name == "node_modules" or (above / "pyvenv.cfg").exists():
            return above
    return program.parent


def _existing(text: str) -> Path | None:
    path = Path(text).expanduser() if text and "\0" not in text else None
    try:
        return path if path is not None and path.exists() else None
    except OSError:  # too long for a name
        return None


def lies_in(folder: Path, kept: Iterable[Path]) -> Path | None:
    """Return what a folder is or lies in; None when it is none of it.

    Args:
        folder: absolute, symlinks resolved.
        kept: see ``kept_paths``.
    """
    every = (*kept, *packages())
    reals = ((path, Path(os.path.realpath(path))) for path in every)
    return next((path for path, real in reals if real in (folder, *folder.parents)), None)


@cache
def packages() -> tuple[Path, ...]:
    """Return the folders that Noctule itself is in, symlinks resolved."""
    specs = [spec for name in _PACKAGES if (spec := find_spec(name)) is not None]
    found = [path for spec in specs for path in spec.submodule_search_locations or ()]
    return tuple(Path(os.path.realpath(path)) for path in found)


def python_by_name() -> list[Path]:
    """Return where the Python this runs on is, as it is called: there may be links on the way."""
    return [Path(path) for path in (sys.prefix, *sys.path) if path and Path(path).is_dir()]


@cache
def noctules_own() -> tuple[Path, ...]:
    """Return the folders that the Python this runs on loads programs from, symlinks resolved."""
    return tuple(dict.fromkeys(Path(os.path.realpath(path)) for path in _python()))


def _python() -> Iterator[str]:
    yield from (sys.prefix, sys.base_prefix, sys.exec_prefix)
    yield from (path for path in sys.path if path and Path(path).is_dir())
    yield from map(str, packages())  # where the folder they lie in is the workspace itself
