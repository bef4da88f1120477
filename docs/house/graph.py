"""Reads the import graph of the code: which module imports which when it is imported.

Only imports at the top of a module count; what a function imports when it is called, or what only
the type checker reads, cannot make a circle and is no room's foundation.
"""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

Graph = Mapping[str, frozenset[str]]


def import_graph(root: Path, packages: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return each module of the packages with those of them that it imports.

    Args:
        root: the checkout.
        packages: its top-level folders.

    Returns:
        Dotted names; a package stands for its ``__init__``.
    """
    paths = {
        module_name(path.relative_to(root)): path
        for package in packages
        for path in sorted((root / package).rglob("*.py"))
    }
    return {
        name: frozenset(_known(_imports(path), paths.keys()) - {name})
        for name, path in paths.items()
    }


def module_name(path: Path) -> str:
    """Return the dotted name of a file given relative to the checkout."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def folder_graph(graph: Graph, folder: Callable[[str], str]) -> dict[str, frozenset[str]]:
    """Return the graph with every module replaced by its folder, without edges to itself."""
    made: dict[str, set[str]] = {}
    for module, imported in graph.items():
        made.setdefault(folder(module), set()).update(map(folder, imported))
    return {name: frozenset(others - {name}) for name, others in made.items()}


def longest_chain(graph: Graph) -> list[str]:
    """Return the longest way of imports, from the one that knows most to the ground.

    Raises:
        ValueError: the graph has a circle; its message names it.
    """
    if around := circle(graph):
        raise ValueError(" -> ".join(around))

    @cache
    def below(name: str) -> tuple[str, ...]:
        return (name, *_longest(below(inner) for inner in sorted(graph[name]) if inner in graph))

    return list(_longest(map(below, sorted(graph))))


def _longest(ways: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return max(ways, key=lambda way: (len(way), way), default=())


def circle(graph: Graph) -> list[str]:
    """Return one circle of the graph, its first name again at the end; empty without one."""
    done: set[str] = set()
    way: list[str] = []

    def visit(name: str) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done or name not in graph:
            return []
        way.append(name)
        for inner in sorted(graph[name]):
            if found := visit(inner):
                return found
        way.pop()
        done.add(name)
        return []

    for name in sorted(graph):
        if found := visit(name):
            return found
    return []


def _imports(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what a module imports at its top: a module, and the names taken out of it."""
    for node in _top(ast.parse(path.read_text(encoding="utf-8")).body):
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, tuple(alias.name for alias in node.names)


def _top(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _top(node.orelse)
        elif isinstance(node, ast.If | ast.Try):
            yield from _top(node.body)
            yield from _top(node.orelse)
        else:
            yield node


def _known(imports: Iterable[tuple[str, tuple[str, ...]]], known: Iterable[str]) -> set[str]:
    names = set(known)
    found: set[str] = set()
    for module, taken in imports:
        inner = {f"{module}.{name}" for name in taken} & names
        found |= inner
        # A package whose submodules are taken is not itself what is needed.
        if module in names and (not inner or len(inner) < len(taken) or not taken):
            found.add(module)
    return found
