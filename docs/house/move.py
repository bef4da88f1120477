"""Moves every file into its room and makes everything that names it name it where it is now.

``python -m docs.house.move`` works on the checkout it is in, with ``git mv``; it refuses, and says
why, when the table does not fit the tree. Imports of all forms, dotted names in strings and
documents, links of Markdown and paths are rewritten; sorting and format are left to ruff.
"""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from docs.folders import BEGIN, END
from docs.house.graph import module_name
from docs.house.rooms import Room, Rooms, homeless, load
from docs.house.wrap import MOST, wrapped

ROOT = Path(__file__).resolve().parents[2]
_TEXTS = {".py", ".md", ".toml", ".yaml", ".yml", ".ini", ".cfg", ".txt", ".sh", ""}
_NOT_OURS = ("tests/fixtures/", "requirements/", "CHANGELOG.md", "docs/house/", "docs/reference/")
_TOPS = ("noctule", "graphs", "tools", "agents", "storage")
# `tools.search.url` and `storage.url` are keys of the configuration: only imports are meant there.
_SPOKEN = re.compile(r"(?<![\w./\0-])(?:noctule|graphs)(?:\.\w+)+")
_IMPORTED = re.compile(r"(?P<before>\b(?:from|import) )(?P<name>(?:tools|storage)(?:\.\w+)+)")
_PATCHED = re.compile(r"(?<=\")(?:tools|storage)(?:\.\w+){2,}(?=\")")
_QUOTED = re.compile(r"(?<=``)(?:tools|storage)\.(?!search\b|mcp\b|sandbox\b|fetch\b)\w+(?:\.\w+)*")
_SHORT = re.compile(r"(?<=``)(?:core|models|sessions|channels|cli)(?:\.\w+)+")
_LINK = re.compile(r"(?P<words>\[[^\]\n]*\])\((?P<target>[^)\s#]+)(?P<rest>[^)\s]*)\)")
_PATH = re.compile(r"(?<![\w/.-])(?:noctule|graphs|tools|agents|storage)(?:/[\w.]+)+\.py\b")
_BARE = re.compile(r"`(?P<name>\w+\.py)`")


@dataclass(frozen=True, slots=True)
class Modules:
    """What is imported under another name now.

    Args:
        moved: old dotted name of a module to its new one.
        exported: names that packages make of something else than the module they name.
        attributes: what is made at the top of any module, by its whole old name.
    """

    moved: Mapping[str, str]
    exported: frozenset[str]
    attributes: frozenset[str]


def main(root: Path = ROOT) -> int:
    """Move everything; return 1, having done nothing, when the table does not fit."""
    rooms = load()
    if wrong := homeless(rooms, root):
        sys.stderr.write("\n".join((*wrong, "Nothing was moved.", "")))
        return 1
    rooms.moves = {old: new for old, new in rooms.moves.items() if (root / old).is_file()}
    files = _files(root)
    texts = {path: (root / path).read_text(encoding="utf-8") for path in files}
    modules = Modules(rooms.modules, _exported(texts), _attributes(texts))
    _move(rooms, root)
    placed = {path: path for path in files if path.endswith(".py")}
    placed |= {**_folder_files(rooms, files), **rooms.moves}
    for path, text in texts.items():
        now = placed.get(path, path)
        made = _rewritten((path, now), text, modules, placed)
        if made != text and (root / now).exists():
            made = wrapped(made) if now.endswith(".py") else made
            (root / now).write_text(made, encoding="utf-8")
    _furnish(rooms, root)
    for old, new in rooms.placed:
        _git(root, "mv", old, new)
    return _edit(rooms, root)


def _move(rooms: Rooms, root: Path) -> None:
    """Move by way of a name nobody has: the new name of one may be the old one of another."""
    changing = {old: new for old, new in rooms.moves.items() if old != new}
    changing |= _folder_files(rooms, _files(root))
    for old in changing:
        _git(root, "mv", old, f"{old}.moving")
    for old, new in changing.items():
        (root / new).parent.mkdir(parents=True, exist_ok=True)
        _git(root, "mv", f"{old}.moving", new)
    for folder in rooms.emptied:
        left = root / folder / "__init__.py"
        if not any(room.path == folder for room in rooms.rooms) and left.exists():
            _git(root, "rm", "-q", "-f", *(str(path) for path in _kept(left.parent)))


def _folder_files(rooms: Rooms, files: Iterable[str]) -> dict[str, str]:
    """Return where the README and the ``__init__`` of a folder go that another one replaces."""
    pairs = [(room.replaces, room.path) for room in rooms.rooms if room.replaces]
    return {
        f"{old}/{name}": f"{new}/{name}"
        for old, new in pairs
        for name in ("__init__.py", "README.md")
        if f"{old}/{name}" in files
    }


def _kept(folder: Path) -> Iterator[Path]:
    yield from (path for name in ("__init__.py", "README.md") if (path := folder / name).exists())


def _rewritten(
    where: tuple[str, str], text: str, modules: Modules, placed: Mapping[str, str]
) -> str:
    """Return a file's text with every name and path of what moved as it is now.

    Args:
        where: the path it had and the path it has.
        text: what it says.
        modules: what moved.
        placed: old path to new path of every file that moved.
    """
    old, new = where
    if old.endswith(".py"):
        text = _submodules(text, modules)
        text = _PATCHED.sub(lambda f: _patched(f[0], modules), text)
        text = _QUOTED.sub(lambda f: _MARK + _renamed(f[0], modules.moved), text)
        text = _IMPORTED.sub(lambda f: f["before"] + _renamed(f["name"], modules.moved), text)
        text = "\n".join(_shortened(line, modules) for line in text.split("\n"))
    text = _SPOKEN.sub(lambda f: _renamed(f[0], modules.moved), text)
    text = text.replace(_MARK, "")
    if old.endswith(".py"):
        names = _bare_names(placed)
        text = _BARE.sub(lambda f: f"`{names.get(f['name'], f['name'])}`", text)
    text = _PATH.sub(lambda f: placed.get(f[0], f[0]), text)
    if old.endswith(".md"):
        text = _LINK.sub(lambda f: _linked(f, old, new, placed), text)
        names = _bare_names(placed)
        text = _BARE.sub(lambda f: f"`{names.get(f['name'], f['name'])}`", text)
    return text


def _renamed(name: str, modules: Mapping[str, str]) -> str:
    """Return a dotted name with its longest beginning that is a module which moved replaced."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        if found := modules.get(".".join(parts[:length])):
            return ".".join((found, *parts[length:]))
    return name


def _patched(name: str, modules: Modules) -> str:
    """Return what a test replaces, by a string, where it is; other words with dots stay."""
    module, _, _ = name.rpartition(".")
    there = module in modules.moved and name in modules.attributes
    return _MARK + _renamed(name, modules.moved) if there else name


def _shortened(line: str, modules: Modules) -> str:
    """Return a line with ``core.money`` and its like as they are called now.

    A sentence at the head of a docstring must fit on its line: there the last part is enough.
    """

    def short(found: re.Match[str]) -> str:
        whole = _renamed(f"noctule.{found[0]}", modules.moved).removeprefix("noctule.")
        too_long = len(line) - len(found[0]) + len(whole) > MOST and '"""' in line
        return _MARK + (whole.rpartition(".")[2] if too_long else whole)

    return _SHORT.sub(short, line)


def _submodules(text: str, modules: Modules) -> str:
    """Return a program in which ``from package import module`` finds the module where it is."""
    lines = text.splitlines(keepends=True)
    for node in reversed(list(_imports_from(ast.parse(text)))):
        moved = [
            alias
            for alias in node.names
            if (name := f"{node.module}.{alias.name}") in modules.moved
            and name not in modules.exported
        ]
        if not moved:
            continue
        indent = " " * node.col_offset
        last = lines[(node.end_lineno or node.lineno) - 1]
        comment = f"  #{last.partition('  #')[2]}" if "  #" in last else "\n"
        made = [
            f"{indent}from {place} import {name}{given}{comment}"
            for place, name, given in (
                _taken(node.module or "", each, modules.moved) for each in moved
            )
        ]
        if rest := [ast.unparse(alias) for alias in node.names if alias not in moved]:
            made.append(f"{indent}from {node.module} import {', '.join(rest)}{comment}")
        lines[node.lineno - 1 : node.end_lineno] = made
    return "".join(lines)


def _exported(texts: Mapping[str, str]) -> frozenset[str]:
    """Return what packages import into their ``__init__`` from a module of the same name."""
    found: set[str] = set()
    for path, text in texts.items():
        if path.endswith("/__init__.py") and path.split("/")[0] in _TOPS:
            package = module_name(Path(path))
            for node in _imports_from(ast.parse(text)):
                if node.module != package:
                    found |= {f"{package}.{alias.asname or alias.name}" for alias in node.names}
    return frozenset(found)


def _attributes(texts: Mapping[str, str]) -> frozenset[str]:
    return frozenset(
        f"{module_name(Path(path))}.{node.name}"
        for path, text in texts.items()
        if path.endswith(".py") and path.split("/")[0] in _TOPS
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    )


def _taken(package: str, alias: ast.alias, modules: Mapping[str, str]) -> tuple[str, str, str]:
    """Return the package a module is in now, its name there, and ``as`` what the file calls it."""
    place, _, name = modules[f"{package}.{alias.name}"].rpartition(".")
    called = alias.asname or alias.name
    # The mark keeps it from being taken for a name of the old tree once more.
    return _MARK + place, name, "" if called == name else f" as {called}"


_MARK = "\0"


def _imports_from(tree: ast.AST) -> Iterator[ast.ImportFrom]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in _TOPS:
            yield node


def _linked(found: re.Match[str], old: str, new: str, placed: Mapping[str, str]) -> str:
    """Return a link of Markdown as it leads to the same file from where the document is now."""
    target, words = found["target"], found["words"]
    if "://" in target or target.startswith("/"):
        return found[0]
    was = os.path.normpath(os.path.join(os.path.dirname(old), target))  # noqa: PTH118, PTH120
    now = placed.get(was, was)
    if (was, old) == (now, new):
        return found[0]
    back = os.path.relpath(now, os.path.dirname(new) or ".")  # noqa: PTH120
    words = words.replace(Path(was).name, Path(now).name) if was != now else words
    return f"{words}({back}{found['rest']})"


def _bare_names(placed: Mapping[str, str]) -> dict[str, str]:
    """Return the new names of files whose old name only one file had."""
    names: dict[str, list[str]] = {}
    for old, new in placed.items():
        names.setdefault(Path(old).name, []).append(Path(new).name)
    return {old: new[0] for old, new in names.items() if len(new) == 1 and new[0] != old}


def _furnish(rooms: Rooms, root: Path) -> None:
    """Give every room the two files that say what it is."""
    for room in rooms.rooms:
        if not room.title:
            continue
        folder = root / room.path
        init, readme = folder / "__init__.py", folder / "README.md"
        if not init.exists():
            init.write_text(f'"""{_sentence(room.title)}"""\n', encoding="utf-8")
        if not readme.exists():
            readme.write_text(_readme(room), encoding="utf-8")
        _git(root, "add", str(init), str(readme))


def _sentence(title: str) -> str:
    """Return a title as a docstring of one line."""
    words = title.replace("`", "``")
    return words if words.endswith((".", "!", "?")) else f"{words}."


def _readme(room: Room) -> str:
    head = f"# {room.path}: {_lower(room.title)}"
    return f"{head}\n\n{_wrapped(room.text)}\n\n{BEGIN}\n{END}\n"


def _lower(title: str) -> str:
    """Return a title to stand behind the name of its folder, which it may begin with."""
    return title[:1].lower() + title[1:]


def _wrapped(text: str, width: int = 100) -> str:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


def _edit(rooms: Rooms, root: Path) -> int:
    """Make the changes that are no names; return 1 when the text of one is not there."""
    missed = 0
    for name, old, new in rooms.edits:
        path = root / name
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        if old not in text:
            sys.stderr.write(f"{name}: does not hold {old!r}\n")
            missed = 1
        path.write_text(text.replace(old, new), encoding="utf-8")
    return missed


def _files(root: Path) -> list[str]:
    """Return the text files under version control that may name a module."""
    listed = _git(root, "ls-files").splitlines()
    return [
        path
        for path in listed
        if Path(path).suffix in _TEXTS
        and not path.startswith(_NOT_OURS)
        and (root / path).is_file()
    ]


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(  # noqa: S603 - git, with paths of this checkout
        ["git", "-C", str(root), *words],  # noqa: S607 - whichever git a person uses
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
