import ast
from collections import Counter
from pathlib import Path

import pytest

from docs.house.graph import circle, folder_graph, import_graph, longest_chain, module_name

ROOT = Path(__file__).resolve().parents[2]
TOPS = ("noctule", "agents", "graphs", "tools", "storage")
FOLDERS = sorted(
    init.parent.relative_to(ROOT)
    for top in TOPS
    for init in (ROOT / top).rglob("__init__.py")
    if "_app" not in init.parts
)
GRAPH = {name: known - {"noctule"} for name, known in import_graph(ROOT, TOPS).items()}
"""Without ``import noctule``, which is done for its effect on the import path."""

PACKAGES = {module_name(folder / "__init__.py") for folder in FOLDERS}

MOST_FILES = 18
LARGER = {
    "noctule/cli/commands": 19,  # a module for each command
    "storage/stores": 21,  # a store for each aggregate
    "storage/tables": 21,  # its table
}
"""The folders with more files, and how many at most; may only shrink."""

MOST_STEPS = 8
DEEPER = {
    "graphs": 14,
    "graphs.checkpointers": 10,
    "noctule.channels.telegram": 12,
    "noctule.core": 13,
    "noctule.core.settings": 10,
    "noctule.models": 15,
    "tools": 9,
}
"""The packages with longer chains of imports, all their rooms together; may only shrink."""


def folder_of(module: str) -> str:
    return module if module in PACKAGES else module.rpartition(".")[0]


def files_of(folder: Path) -> list[str]:
    return [path.name for path in (ROOT / folder).glob("*.py") if path.name != "__init__.py"]


def test_no_room_holds_too_much():
    """A folder can be taken in at a glance; those that cannot are named and never grow."""
    counts = {str(folder): len(files_of(folder)) for folder in FOLDERS}
    assert {name: count for name, count in counts.items() if count > MOST_FILES} == LARGER


def test_rooms_lie_above_each_other():
    """No folder imports one that imports it, over however many others."""
    assert circle(folder_graph(GRAPH, folder_of)) == []


@pytest.mark.parametrize("inside", ["modules", "rooms"])
def test_nobody_follows_a_long_chain_of_imports(inside: str):
    """From what knows most of a package to its ground it is a few steps."""
    steps: dict[str, int] = {}
    for package in PACKAGES - {"noctule", "noctule.channels"}:
        within = {
            name: frozenset(to for to in known if f"{to}.".startswith(f"{package}."))
            for name, known in GRAPH.items()
            if f"{name}.".startswith(f"{package}.")
        }
        graph = within if inside == "modules" else folder_graph(within, folder_of)
        steps[package] = len(longest_chain(graph))
    longer = {name: length for name, length in steps.items() if length > MOST_STEPS}
    assert longer == (DEEPER if inside == "modules" else {})


def test_a_class_name_means_one_thing():
    """No two modules have a class of the same name, private ones aside."""
    names = Counter(
        node.name
        for top in TOPS
        for path in (ROOT / top).rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_every_room_introduces_itself():
    """Each folder has a README that says what it is for and names every file of it."""
    unsaid = []
    for folder in FOLDERS:
        readme = ROOT / folder / "README.md"
        text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
        unsaid += [f"{folder}: {name}" for name in ("", *files_of(folder)) if name not in text]
        unsaid += [] if text else [f"{folder}: no README"]
    assert unsaid == []


def test_a_planted_circle_and_a_long_chain_are_seen():
    """The graph of folders finds what it is asked for."""
    graph = {"a": frozenset("b"), "b": frozenset("c"), "c": frozenset("a")}
    assert circle(graph) == ["a", "b", "c", "a"]
    with pytest.raises(ValueError, match="a -> b -> c -> a"):
        longest_chain(graph)
    assert longest_chain({"a": frozenset("b"), "b": frozenset("c"), "c": frozenset()}) == [*"abc"]
