"""Kept: everything Noctule obeys or runs itself, which no agent may change wherever it lies.

One description for the sandbox and for the tools that write files.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from noctule.core.settings import Settings
from tools.base.server_code import started

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
        env = {name: value.get_secret_value() for name, value in server.env.items()}
        yield from started(server.command, env)
    for endpoint in settings.endpoints.values():
        for path in (endpoint.weights, endpoint.chat_template, endpoint.script):
            if path is not None:
                yield path


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


def ways(paths: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    """Yield each path with itself and with the folders above it, no folder twice."""
    parents = {path.parent: path for path in reversed(paths)}
    yield from ((path, path) for path in paths if path.is_symlink())
    yield from ((path, above) for near, path in parents.items() for above in (near, *near.parents))


def outermost(kept: Sequence[Path], folder: Path) -> Iterator[Path]:
    """Yield what is kept but for what lies in a folder of it; one the workspace lies in is none."""
    every, covered = set(kept), dict[Path, bool]()
    no_cover = (folder, *folder.parents)
    for path in kept:
        near = path.parent
        if near not in covered:
            above = (each for each in (near, *near.parents) if each in every)
            covered[near] = any(_resolved(each) not in no_cover for each in above)
        if not covered[near] or path.is_symlink():
            yield path


def reals(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield each path with its symlinks resolved; hundreds of them lie in one folder."""
    folders = dict[Path, Path]()
    for path in paths:
        near = path.parent
        if near not in folders:
            folders[near] = _resolved(near)
        plain = path.name and path.name != ".." and not path.is_symlink()
        yield folders[near] / path.name if plain else _resolved(path)


def _resolved(path: Path) -> Path:
    return Path(os.path.realpath(path.expanduser()))
