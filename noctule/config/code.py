"""Project code: which files of a project its configuration runs, and what they hold."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from noctule.config.code_words import INTERPRETER, named_by

FOLDER_PART = "tools.folder"
"""How the person's own tools are called among the parts of a configuration that run code."""

_SERVER_PART = "tools.mcp.{}"
_SCRIPTS = frozenset({
    ".awk", ".bash", ".bat", ".cjs", ".class", ".clj", ".cmd", ".cs", ".csx", ".cts", ".dart",
    ".dll", ".ex", ".exe", ".exs", ".fish", ".fsx", ".go", ".groovy", ".hs", ".jar", ".java", ".jl",
    ".js", ".jsx", ".kt", ".kts", ".lua", ".mjs", ".ml", ".mts", ".node", ".phar", ".php", ".pl",
    ".pm", ".ps1", ".psm1", ".py", ".pyc", ".pyd", ".pyw", ".pyz", ".r", ".rb", ".rkt", ".rs",
    ".scala", ".scm", ".sh", ".so", ".swift", ".tcl", ".toml", ".ts", ".tsx", ".war", ".wasm",
    ".zsh",
})  # fmt: skip
_SAYS_WHAT_RUNS = frozenset({
    "build.gradle", "cargo.lock", "compose.yaml", "compose.yml", "deno.json", "deno.jsonc",
    "docker-compose.yaml", "docker-compose.yml", "dockerfile", "gemfile", "go.mod", "justfile",
    "makefile", "package.json", "pom.xml", "rakefile", "taskfile.yml",
})  # fmt: skip
"""Names, in small letters, of files that say what a folder's programs are."""

_FETCHED = frozenset({"__pycache__", "node_modules", "site-packages", "venv"})
"""Folders of what package managers put there: too much to be hashed, and named by lock files."""

_MOST_FILES = 2_000
_MOST_BYTES = 64 * 1024 * 1024
_CHUNK = 1 << 20

Code = dict[str, dict[str, str]]
"""For each part of a configuration, the digest of each file it runs, by its path."""


def server_part(name: str) -> str:
    """Return how an MCP server is called among the parts of a configuration that run code."""
    return _SERVER_PART.format(name)


def code_of(folder: Path, data: Mapping[str, Any], only: str | None = None) -> Code:
    """Return the code a configuration runs that lies in its folder, as it is now. Blocks.

    Args:
        folder: of the configuration.
        data: the configuration as written.
        only: one part; None means all of them. A part without files is missing.
    """
    found: Code = {}
    for part, files in _parts(folder, data):
        if only in (None, part):
            digests = {_name(path, folder): _digest(path) for path in dict.fromkeys(files)}
            if digests:
                found[part] = dict(sorted(digests.items()))
    return found


def differences(before: Code | None, now: Code) -> dict[str, list[str]]:
    """Return, for each part whose code changed, which files are new, gone or other than before.

    Args:
        before: as it was; None when nobody looked at it.
        now: as it is.
    """
    known = before or {}
    changed = {}
    for part in dict.fromkeys((*known, *now)):
        old, new = known.get(part, {}), now.get(part, {})
        files = [name for name in {**old, **new} if old.get(name) != new.get(name)]
        if files:
            changed[part] = sorted(files)
    return changed


def leave_out(data: dict[str, Any], parts: tuple[str, ...]) -> None:
    """Take parts that run code out of a configuration, in place."""
    tools = data.get("tools")
    if not isinstance(tools, dict):
        return
    if FOLDER_PART in parts:
        tools.pop("folder", None)
    servers = tools.get("mcp")
    if isinstance(servers, dict):
        tools["mcp"] = {n: own for n, own in servers.items() if server_part(str(n)) not in parts}


def _parts(folder: Path, data: Mapping[str, Any]) -> Iterator[tuple[str, list[Path]]]:
    tools = data.get("tools")
    if not isinstance(tools, dict):
        return
    if isinstance(tools.get("folder"), str):
        own = folder / Path(tools["folder"]).expanduser()
        yield FOLDER_PART, list(_below(own, every=True))
    servers = tools.get("mcp")
    for name, server in servers.items() if isinstance(servers, dict) else ():
        command = server.get("command") if isinstance(server, dict) else None
        if isinstance(command, list):
            words = [str(word) for word in command]
            yield server_part(str(name)), list(_started(folder, words))


def _started(folder: Path, words: list[str]) -> Iterator[Path]:
    """Yield the code in a folder that a command names, and scripts beside and below it.

    Files it only works on, as its data, are none.
    """
    read = _read_by_interpreter(words)
    for place, named in enumerate(dict.fromkeys(named_by(words))):
        path = _within(folder, named.text)
        if path is None:
            continue
        if path.is_dir():
            yield from _below(path, every=False) if named.runs else ()
        elif path.is_file() and (place == 0 or named.text == read or named.runs or _is_code(path)):
            yield path
            if _names_code(path.name):
                beside = path.parent
                is_top = beside.resolve() == folder.resolve()
                yield from _alike(path) if is_top else _below(beside, every=False)


def _read_by_interpreter(words: list[str]) -> str | None:
    """Return the word an interpreter takes for its script; None when there is no interpreter."""
    if not words or not INTERPRETER.fullmatch(Path(words[0]).name):
        return None
    return next((word for word in words[1:] if not word.startswith("-")), None)


def _is_code(path: Path) -> bool:
    return _names_code(path.name) or os.access(path, os.X_OK)


def _names_code(name: str) -> bool:
    small = name.lower()
    return small in _SAYS_WHAT_RUNS or os.path.splitext(small)[1] in _SCRIPTS  # noqa: PTH122 - of a name


def _within(folder: Path, text: str) -> Path | None:
    """Return what a word names in a folder; None when it names nothing there."""
    if not text or "\0" in text:
        return None
    path = Path(os.path.normpath(folder / Path(text).expanduser()))
    with suppress(OSError, ValueError, RuntimeError):
        inside = path.is_relative_to(folder) or path.resolve().is_relative_to(folder.resolve())
        if inside and path.exists():
            return path
    return None


def _alike(script: Path) -> Iterator[Path]:
    """Yield the scripts in the same language beside one that lies at the top of a project."""
    with suppress(OSError):
        beside = sorted(script.parent.iterdir())
        yield from (path for path in beside if path.suffix == script.suffix and path.is_file())


def _below(top: Path, *, every: bool) -> Iterator[Path]:
    """Yield the files below a folder, its scripts alone unless every file is asked for."""
    count = 0
    for here, folders, names in os.walk(top):
        folders[:] = sorted(n for n in folders if n not in _FETCHED and not n.startswith("."))
        for name in sorted(names):
            path = Path(here) / name
            if (every or _names_code(name)) and path.is_file():
                count += 1
                if count > _MOST_FILES:
                    return
                yield path


def _name(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


def _digest(path: Path) -> str:
    """Return what tells a file from one with another content; of a huge one its size and times."""
    try:
        about = path.stat()
        if about.st_size > _MOST_BYTES:
            return f"{about.st_size} bytes of {about.st_mtime_ns}"
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        return digest.hexdigest()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
