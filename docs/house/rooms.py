"""The table of rooms: which file of the old tree stands where in the new one.

``rooms.toml`` beside this file is read; what it means is said there.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docs.house.graph import module_name

TABLE = Path(__file__).with_name("rooms.toml")


@dataclass(frozen=True, slots=True)
class Room:
    """A folder.

    Args:
        path: from the root of the checkout.
        title: the first line of its README and docstring; "" for a folder that has both already.
        text: what its README says below.
        replaces: the folder whose ``__init__.py`` and README it takes over; "" for none.
    """

    path: str
    title: str
    text: str
    replaces: str


@dataclass(slots=True)
class Rooms:
    """All of them.

    Args:
        rooms: in the table's order.
        moves: old path to new path, from the root; those that stay are in it too.
        optional: old paths that need not exist.
        emptied: folders that keep nothing but what is in ``moves``.
        placed: what lies ready for the new tree: where, and where it belongs.
        edits: what a move changes beyond names: file (new path), text, text instead of it.
    """

    rooms: list[Room] = field(default_factory=list)
    moves: dict[str, str] = field(default_factory=dict)
    optional: set[str] = field(default_factory=set)
    emptied: list[str] = field(default_factory=list)
    placed: list[tuple[str, str]] = field(default_factory=list)
    edits: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def modules(self) -> dict[str, str]:
        """Old dotted name to new one, without those that stay."""
        pairs = [(module_name(Path(a)), module_name(Path(b))) for a, b in self.moves.items()]
        pairs += [(_dotted(room.replaces), _dotted(room.path)) for room in self.rooms]
        return {old: new for old, new in pairs if old and old != new}


def load(path: Path = TABLE) -> Rooms:
    """Read the table."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    found = Rooms(emptied=table["emptied"])
    for where, entry in table["rooms"].items():
        texts = (entry.get(key, "") for key in ("title", "text", "replaces"))
        found.rooms.append(Room(where, *texts))
        for old, new, optional in _files(where, entry):
            found.moves[old] = new
            if optional:
                found.optional.add(old)
    found.placed = list(table.get("placed", {}).items())
    found.edits = [(each["file"], each["old"], each["new"]) for each in table.get("edit", [])]
    return found


def homeless(rooms: Rooms, root: Path) -> list[str]:
    """Return what does not fit: files without a room, and lines of the table without a file."""
    there = {
        str(path.relative_to(root))
        for folder in rooms.emptied
        for path in (root / folder).glob("*.py")
        if path.name != "__init__.py"
    }
    wrong = [f"{path}: no room in {TABLE.name}" for path in sorted(there - rooms.moves.keys())]
    gone = {old for old in rooms.moves if not (root / old).is_file()} - rooms.optional
    return wrong + [f"{path}: in {TABLE.name}, but not in the tree" for path in sorted(gone)]


def _files(where: str, entry: dict[str, Any]) -> Iterator[tuple[str, str, bool]]:
    for line in entry["files"]:
        old, _, name = line.partition(" -> ")
        path = old.removesuffix("?")
        path = path if "/" in path else f"{where}/{path}"
        yield path, f"{where}/{name or Path(path).name}", old.endswith("?")


def _dotted(folder: str) -> str:
    return folder.replace("/", ".")
