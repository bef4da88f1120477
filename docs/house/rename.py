"""Renames classes and functions by ``renames.toml``, wherever the code means them.

``python -m docs.house.rename`` works on the checkout it is in, after the move. A name is followed
through imports, packages that pass it on, and scopes: a parameter of the same name is left alone.
Docstrings name code in double backquotes, documents in single ones; those follow as well.
"""

import ast
import io
import re
import sys
import tokenize
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from docs.house.graph import module_name
from docs.house.wrap import wrapped

ROOT = Path(__file__).resolve().parents[2]
TABLE = Path(__file__).with_name("renames.toml")
_CODE = (
    "noctule",
    "agents",
    "graphs",
    "tools",
    "storage",
    "tests",
    "benchmarks",
    "docs",
    "examples",
)
_OWN = ("noctule", "agents", "graphs", "tools", "storage")

_IN_STRING = re.compile(r"\{[^{}\n]*\}(?=[^\n]*[\"'])")

Edit = tuple[int, int, int, str]
"""Line from 1, first and last column in characters, and what stands there now."""


@dataclass(slots=True)
class Tree:
    """All modules.

    Args:
        parsed: file, from the root, to its syntax tree.
        defined: module to the names at its top.
        passed_on: module to the names it imports, each with its module and name there.
    """

    parsed: dict[str, ast.Module] = field(default_factory=dict)
    defined: dict[str, set[str]] = field(default_factory=dict)
    passed_on: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)

    def origin(self, module: str, name: str) -> str:
        """Return where a name that a module has was made, as one dotted name."""
        if name in self.defined.get(module, ()):
            return f"{module}.{name}"
        found = self.passed_on.get(module, {}).get(name, (module, name))
        if found != (module, name) and module != found[0]:
            return self.origin(*found)
        return f"{module}.{name}"


def main(root: Path = ROOT) -> int:
    """Rename everything; return 1 when something is ambiguous or not there, having done nothing."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    tree = _read(root)
    names: dict[str, str] = table["names"]
    made, wrong = {}, [f"{name}: not in the tree" for name in names if not _there(name, tree)]
    for path, parsed in tree.parsed.items():
        text = (root / path).read_text(encoding="utf-8")
        renamer = _Renamer(path, parsed, tree, names)
        renamer.visit(parsed)
        wrong += renamer.clashes(text)
        made[path] = _identified(_spoken(_edited(text, renamer.edits), renamer.said), table)
    if wrong:
        sys.stderr.write("\n".join((*sorted(set(wrong)), "Nothing was renamed.", "")))
        return 1
    for path, text in made.items():
        if text != (root / path).read_text(encoding="utf-8"):
            (root / path).write_text(wrapped(text), encoding="utf-8")
    _documents(root, tree, names)
    return 0


def _read(root: Path) -> Tree:
    tree = Tree()
    paths = sorted(path for top in _CODE for path in (root / top).rglob("*.py"))
    for path in paths:
        if "fixtures" in path.parts or path.is_relative_to(root / "docs/house"):
            continue
        parsed = ast.parse(path.read_text(encoding="utf-8"))
        name = str(path.relative_to(root))
        tree.parsed[name] = parsed
        module = module_name(Path(name))
        tree.defined[module] = set(_definitions(parsed))
        tree.passed_on[module] = dict(_imported(parsed))
    return tree


def _definitions(parsed: ast.Module) -> Iterator[str]:
    for node in parsed.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name


def _imported(parsed: ast.AST) -> Iterator[tuple[str, tuple[str, str]]]:
    for node in ast.walk(parsed):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((a.asname or a.name, (node.module, a.name)) for a in node.names)


def _there(name: str, tree: Tree) -> bool:
    module, _, last = name.rpartition(".")
    return last in tree.defined.get(module, ())


class _Renamer(ast.NodeVisitor):
    """Finds every place of one file that names something of the table.

    Args:
        path: of the file.
        parsed: it.
        tree: all files.
        names: the table.
    """

    def __init__(self, path: str, parsed: ast.Module, tree: Tree, names: Mapping[str, str]) -> None:
        self._path = path
        self._tree = tree
        self._names = names
        self._module = module_name(Path(path))
        self._scopes: list[dict[str, str]] = [self._top(parsed)]
        self.edits: list[Edit] = []
        self.said: dict[str, str] = {}

    def _top(self, parsed: ast.Module) -> dict[str, str]:
        """Return what the names at the top of the file mean."""
        meant = {name: f"{self._module}.{name}" for name in _definitions(parsed)}
        return meant | {n: self._tree.origin(*o) for n, o in _imported_at(parsed.body)}

    def _new(self, name: str) -> str | None:
        """Return what a bare name is to be; None to leave it."""
        for scope in reversed(self._scopes):
            if name in scope:
                return self._take(name, self._names.get(scope[name]))
        return None

    def _take(self, name: str, new: str | None) -> str | None:
        if new and name != new:
            self.said[name] = new
        return new if new != name else None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Rename what is imported; what the file calls it follows unless it says ``as``."""
        for alias in node.names:
            new = self._names.get(self._tree.origin(node.module or "", alias.name))
            if new and new != alias.name:
                end = alias.end_col_offset or 0
                kept = f"{new} as {alias.asname}" if alias.asname not in (None, new) else new
                self._put(alias.lineno, alias.col_offset, end, kept)

    def visit_Name(self, node: ast.Name) -> None:
        """Rename a use."""
        if new := self._new(node.id):
            self._put(node.lineno, node.col_offset, node.end_col_offset or 0, new)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Rename what is taken out of a module."""
        if isinstance(node.value, ast.Name):
            module = self._meaning(node.value.id)
            new = self._names.get(self._tree.origin(module, node.attr)) if module else None
            if new and node.end_col_offset is not None:
                end = node.end_col_offset
                self._put(node.end_lineno or 0, end - len(node.attr), end, new)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        """Rename in ``__all__``."""
        if ast.unparse(node.targets[0]) == "__all__":
            self._quoted(node.value)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Rename in an annotation that is written as a string."""
        self._quoted(node.annotation)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """Rename in ``cast("Name", value)``."""
        if isinstance(node.func, ast.Name) and node.func.id == "cast" and node.args:
            self._quoted(node.args[0])
        self.generic_visit(node)

    def _quoted(self, annotation: ast.expr) -> None:
        for node in ast.walk(annotation):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
                continue
            for found in re.finditer(r"[A-Za-z_]\w*", node.value):
                if new := self._new(found[0]):
                    at = node.col_offset + 1 + found.start()
                    self._put(node.lineno, at, at + len(found[0]), new)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Rename a class; its body is no scope for what its methods say."""
        self._definition(node, "class ")
        for outside in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(outside)
        for statement in node.body:
            match statement:
                case ast.AnnAssign(target=ast.Name(), annotation=annotation, value=value):
                    self._quoted(annotation)
                    self.visit(annotation)
                    if value is not None:
                        self.visit(value)
                case _:
                    self.visit(statement)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Rename a function; inside, its own names go first."""
        self._definition(node, "def ")
        arguments = node.args
        for outside in (*node.decorator_list, *_annotations(node), *arguments.defaults):
            self.visit(outside)
        for annotation in _annotations(node):
            self._quoted(annotation)
        for default in arguments.kw_defaults:
            if default is not None:
                self.visit(default)
        self._scopes.append(self._inner(node))
        for inside in node.body:
            self.visit(inside)
        self._scopes.pop()

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        """Rename a coroutine."""
        self.visit_FunctionDef(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """Leave its parameters alone."""
        self._scopes.append({arg.arg: "" for arg in _arguments(node.args)})
        self.generic_visit(node)
        self._scopes.pop()

    def _inner(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, str]:
        bound = {arg.arg: "" for arg in _arguments(node.args)}
        for inner in ast.walk(node):
            match inner:
                case ast.Name(id=name, ctx=ast.Store()):
                    bound[name] = ""
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    if inner is not node:
                        bound[name] = ""
                case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                    bound[name] = ""
        return bound | {n: self._tree.origin(*o) for n, o in _imported(node)}

    def _definition(
        self, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, word: str
    ) -> None:
        at_top = len(self._scopes) == 1 and f"{self._module}.{node.name}" in self._names
        if at_top and (new := self._new(node.name)):
            head = "async def " if isinstance(node, ast.AsyncFunctionDef) else word
            at = node.col_offset + len(head)
            self._put(node.lineno, at, at + len(node.name), new)

    def _meaning(self, name: str) -> str:
        """Return the module a name stands for; "" when it is none of ours."""
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name] if scope[name] in self._tree.defined else ""
        return ""

    def _put(self, line: int, start: int, end: int, new: str) -> None:
        self.edits.append((line, start, end, new))

    def clashes(self, text: str) -> list[str]:
        """Return which new names the file has already, for something else."""
        words = set(re.findall(r"(?<!\.)\b[A-Za-z_]\w*\b", _code_of(text)))
        return [
            f"{self._path}: {old} is to be {new}, which stands there already"
            for old, new in self.said.items()
            if new in words
        ]


def _imported_at(body: list[ast.stmt]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield what is imported outside of functions."""
    for node in body:
        if isinstance(node, ast.If | ast.Try):
            yield from _imported_at(node.body)
        elif isinstance(node, ast.ImportFrom):
            yield from _imported(ast.Module([node], []))


def _arguments(arguments: ast.arguments) -> Iterator[ast.arg]:
    yield from (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    yield from (arg for arg in (arguments.vararg, arguments.kwarg) if arg is not None)


def _annotations(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.expr]:
    yield from (arg.annotation for arg in _arguments(node.args) if arg.annotation is not None)
    if node.returns is not None:
        yield node.returns


def _code_of(text: str) -> str:
    """Return the names of a program, without comments and strings."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    kept, before = [], ""
    for token in tokens:
        if token.type == tokenize.NAME and before != ".":
            kept.append(token.string)
        before = token.string
    return " ".join(kept)


def _edited(text: str, edits: list[Edit]) -> str:
    """Return a text with the edits made; columns of ``ast`` count bytes.

    Raises:
        ValueError: an edit is not of a name; Python 3.11 misplaces some within f-strings.
    """
    lines = text.splitlines(keepends=True)
    for line, start, end, new in sorted(set(edits), reverse=True):
        raw = lines[line - 1].encode()
        if not re.fullmatch(rb"[A-Za-z_]\w*(?: as \w+)?", raw[start:end]):
            raise ValueError(f"line {line} is not where it was said to be: {lines[line - 1]}")
        lines[line - 1] = (raw[:start] + new.encode() + raw[end:]).decode()
    return "".join(lines)


def _spoken(text: str, said: Mapping[str, str]) -> str:
    """Return a program whose docstrings and comments name what it uses as it is called now."""
    for old, new in said.items():
        text = re.sub(rf"``{old}(?=``|[.(])", f"``{new}", text)
    return text


def _identified(text: str, table: Mapping[str, Mapping[str, str]]) -> str:
    """Return a program with words renamed that mean one thing wherever they stand."""
    words = table.get("identifiers", {})
    edits = [
        (token.start[0], len(token.line[: token.start[1]].encode()), 0, token)
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.NAME and token.string.removeprefix("_") in words
    ]
    made: list[Edit] = []
    for line, start, _, token in edits:
        name = token.string.removeprefix("_")
        before = "_" if token.string != name else ""
        end = start + len(token.string)
        made.append((line, start, end, before + words[name]))
    text = _IN_STRING.sub(lambda found: _braced(found[0], words), _edited(text, made))
    for old, new in words.items():
        text = re.sub(rf"(?m)^( +){old}: ", rf"\1{new}: ", text) if made else text
        text = re.sub(rf"``{old}(?=``|[.(])", f"``{new}", text)
    return text


def _braced(text: str, words: Mapping[str, str]) -> str:
    """Return an f-string with words renamed in its braces."""
    for old, new in words.items():
        text = re.sub(
            rf"(?<=[{{(,. *])(_?){old}(?=[.,)\[}}!:])",
            rf"\g<1>{new}",
            text,
        )
    return text


def _documents(root: Path, tree: Tree, names: Mapping[str, str]) -> None:
    """Rename in Markdown what is in backquotes, where the old name meant one thing only."""
    counted: dict[str, int] = {}
    for path, parsed in tree.parsed.items():
        if path.split("/", maxsplit=1)[0] in _OWN:
            for name in _definitions(parsed):
                counted[name] = counted.get(name, 0) + 1
    short = {old.rpartition(".")[2]: new for old, new in names.items()}
    sure = {old: new for old, new in short.items() if counted[old] == 1 and old[0].isupper()}
    for document in (*root.glob("*.md"), *(root / "docs").rglob("*.md"), *root.glob("*/README.md")):
        text = document.read_text(encoding="utf-8")
        made = text
        for old, new in sure.items():
            made = re.sub(rf"`{old}(?=`|[.(])", f"`{new}", made)
        if made != text and document.name != "CHANGELOG.md":
            document.write_text(made, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
