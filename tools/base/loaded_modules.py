"""Loaded: the modules that a script loads, as far as its text says.

A folder beside a script can be kept as a whole, but not where it is the workspace itself; there it
is what the text imports, and what would stand before a module of the language.
"""

import ast
import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_MOST_FILES = 500
_MOST_BYTES = 2 * 1024 * 1024
_LOADED = re.compile(
    r"""(?:\bfrom|\bimport|\brequire\s*\(|\bimport\s*\()\s*["'](\.{1,2}/[^"'\n]+|\.{1,2})["']"""
)
_JS = re.compile(r"\.[cm]?[jt]sx?")
_JS_FORMS = ("", ".js", ".mjs", ".cjs", ".ts", ".mts", ".tsx", ".jsx", ".json", "/index.js",
             "/index.ts", "/package.json")  # fmt: skip


def imports_of(script: Path) -> Iterator[Path]:
    """Yield what a script loads from its own folder, and what it would load if it were made.

    Args:
        script: absolute; Python and JavaScript are read, of another language it is every file
            beside it with the same ending.
    """
    if script.suffix == ".py" or _is_python(script):
        yield from _python(script)
    elif _JS.fullmatch(script.suffix):
        yield from _javascript(script)
    elif script.suffix:
        with suppress(OSError):
            yield from (each for each in script.parent.iterdir() if each.suffix == script.suffix)


def _is_python(script: Path) -> bool:
    with suppress(OSError), script.open("rb") as file:
        first = file.readline(200)
        return first.startswith(b"#!") and b"python" in first
    return False


def _python(script: Path) -> Iterator[Path]:
    folder, waiting, seen = script.parent, [script], {script}
    for name in sorted(sys.stdlib_module_names - set(sys.builtin_module_names)):
        yield from _forms(folder, name)
    while waiting and len(seen) < _MOST_FILES:
        for path in _python_named(folder, waiting.pop()):
            if path not in seen:
                seen.add(path)
                yield path
                if path.suffix == ".py" and path.is_file():
                    waiting.append(path)


def _python_named(folder: Path, file: Path) -> Iterator[Path]:
    """Yield where the modules are, or would be, that a file names."""
    for base, name in _imported(_text(file), folder, file.parent):
        parts = name.split(".")
        for depth in range(1, len(parts) + 1):
            yield from _forms(base, "/".join(parts[:depth]))


def _imported(text: str, folder: Path, own: Path) -> Iterator[tuple[Path, str]]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((folder, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = folder if node.level == 0 else Path(own, *[".."] * (node.level - 1))
            module = f"{node.module}." if node.module else ""
            names = [f"{module}{alias.name}" for alias in node.names if alias.name != "*"]
            names += [node.module] if node.module else []
            yield from ((Path(os.path.normpath(base)), name) for name in names)


def _forms(folder: Path, name: str) -> Iterator[Path]:
    """Yield the files by which a module can be: its source, its package, what is compiled."""
    yield from (folder / f"{name}{end}" for end in (".py", "/__init__.py", ".so", ".pyc"))


def _javascript(script: Path) -> Iterator[Path]:
    waiting, seen = [script], {script}
    while waiting and len(seen) < _MOST_FILES:
        file = waiting.pop()
        for named in _LOADED.findall(_text(file)):
            base = os.path.normpath(file.parent / named)
            for path in (Path(f"{base}{form}") for form in _JS_FORMS):
                if path not in seen and path.is_file():
                    seen.add(path)
                    yield path
                    waiting.append(path)


def _text(file: Path) -> str:
    with suppress(OSError), file.open("rb") as opened:
        return opened.read(_MOST_BYTES).decode("utf-8", "replace")
    return ""
