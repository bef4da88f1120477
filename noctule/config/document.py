"""A YAML file as plain data, with the line each key stands in."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from noctule.core.errors import Problem

KeyPath = tuple[str | int, ...]
"""Where something stands: keys and list positions from the root."""

MAX_BYTES = 1_000_000
"""A configuration longer than this is a mistake."""

_EMPTY = ("it is empty.", "`noctule init` writes one to start with.")
_MAP, _SEQUENCE = "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"
_MAX_NODES = 50_000  # aliases can make a small file endless


@dataclass(slots=True)
class ConfigDocument:
    """A configuration file that was read.

    Args:
        file: as it is shown in problems.
        data: the top mapping; {} when there is none.
        lines: the line of each key, counted from 1.
        problems: what is wrong with the file itself.
    """

    file: str
    data: dict[str, Any] = field(default_factory=dict)
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def complain(self, path: KeyPath, message: str, fix: str, line: int | None = None) -> Problem:
        """Make a problem at a path; its line is that of the nearest key that is written.

        Args:
            path: where it stands or should stand.
            message: what is wrong.
            fix: what to do instead.
            line: when it is known better.
        """
        return Problem(self.file, line or self.line_of(path), dotted(path), message, fix)

    def line_of(self, path: KeyPath) -> int | None:
        """Return the line of the nearest written key at or above a path; None when none is."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return None


def dotted(path: KeyPath) -> str:
    """Write a path as people do: ``roles.chat.fallback[0]``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def read_document(path: Path) -> ConfigDocument:
    """Read a configuration file; what is wrong with it is in its ``problems``."""
    document = ConfigDocument(str(path))
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        document.problems.append(
            document.complain(
                (), "there is no such file.", "correct the path, or write one: `noctule init`."
            )
        )
        return document
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        document.problems.append(
            document.complain((), f"it cannot be read: {reason}.", "name a file you may read.")
        )
        return document
    return parse_document(raw, str(path))


def parse_document(raw: bytes, file: str) -> ConfigDocument:
    """Read configuration text.

    Args:
        raw: UTF-8.
        file: what problems call it.
    """
    document = ConfigDocument(file)
    if len(raw) > MAX_BYTES:
        message = f"it is longer than {MAX_BYTES:,} bytes; a configuration has a few thousand."
        document.problems.append(document.complain((), message, "name the right file."))
        return document
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        document.problems.append(
            document.complain((), "it is not UTF-8 text.", "save it as UTF-8.", line)
        )
        return document
    _compose(document, text)
    return document


def _compose(document: ConfigDocument, text: str) -> None:
    try:
        node = yaml.compose(text, Loader=_Loader)
        if node is None:
            document.problems.append(document.complain((), *_EMPTY))
        elif not isinstance(node, yaml.MappingNode):
            line = node.start_mark.line + 1
            document.problems.append(
                document.complain((), "it has no keys.", "write `endpoints:` and so on.", line)
            )
        else:
            document.data = _Walk(document).mapping(node, ())
            if not document.data:
                document.problems.append(document.complain((), *_EMPTY))
    except yaml.MarkedYAMLError as error:
        document.problems.append(_syntax(document, error))
    except yaml.YAMLError:
        document.problems.append(
            document.complain((), "it holds characters YAML does not allow.", "remove them.")
        )
    except RecursionError:
        document.problems.append(document.complain((), "it is nested too deep.", "flatten it."))


def _syntax(document: ConfigDocument, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else None
    said = error.problem or "it cannot be parsed"
    for beginning, message, fix in _KNOWN:
        if said.startswith(beginning):
            return document.complain((), f"it is not valid YAML: {message}", fix, line)
    message = f"it is not valid YAML: {_QUOTED.sub(_shown, said)}."
    return document.complain((), message, _LOOK, line)


_LOOK = "look at this line and the one above: indentation, a colon, a bracket or a quote."
_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_TOKEN = re.compile(r"<[a-z ]+>|\\.{1,9}|.{0,1}|---|\.\.\.", re.DOTALL)

_KNOWN = (
    # What PyYAML 6 says, where a person would not know what to do; the first that fits counts.
    (
        "found undefined alias",
        "a value starts with *, which refers to a part named with &, and there is none.",
        "put the value in quotes, or name the part.",
    ),
    (
        "second occurrence",
        "two parts have the same name after &.",
        "give one of them another name.",
    ),
    (
        "found character '\\t'",
        "a tab where only spaces are allowed.",
        "indent with spaces.",
    ),
    (
        "found character",
        "a value starts with a character that YAML keeps for itself (@, ` or %).",
        "put the value in quotes.",
    ),
    (
        "mapping values are not allowed here",
        "a second colon in a line, or a line that is indented too far.",
        'put a value with ": " in it in quotes; give keys of one section the same indentation.',
    ),
    (
        "found unexpected end of stream",
        "a quote is never closed.",
        "close it; it starts further up.",
    ),
    ("but found another document", "there are several documents (---).", "keep one of them."),
    (
        "found undefined tag handle",
        "YAML tags (!) are not used here.",
        "remove the tag, or put the value in quotes.",
    ),
)


def _shown(quoted: re.Match[str]) -> str:
    """Keep what YAML itself is written with; anything else may be a person's, and a secret."""
    inside = quoted[1] if quoted[1] is not None else quoted[2]
    return quoted[0] if _TOKEN.fullmatch(inside) else "'...'"


class _Loader(yaml.SafeLoader):
    """Reads plain words as YAML 1.2 does: ``22:00`` is text and so is ``no``."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - replaces PyYAML's own table


for _tag, _pattern, _first in (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^[-+]?[0-9]{1,300}$", list("-+0123456789")),
    (
        "float",
        r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$",
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)


class _Walk:
    """Turns YAML nodes into plain data, noting lines and complaints."""

    def __init__(self, document: ConfigDocument) -> None:
        self._document = document
        self._open: set[int] = set()
        self._nodes = 0

    def mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        """Return a mapping's data; keys of merged mappings (``<<``) give way to its own."""
        data: dict[str, Any] = {}
        first: dict[str, int] = {}
        merged: list[dict[str, Any]] = []
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._complain(path, "a key here is a list or mapping.", "use a name.", line)
                continue
            key = key_node.value
            if key == "<<":
                merged.extend(self._merged(value_node, path))
                continue
            here = (*path, key)
            if key in first:
                message = f"duplicate key (first defined on line {first[key]})."
                self._complain(here, message, "keep one of them.", line)
                continue
            first[key] = line
            self._document.lines[here] = line
            data[key] = self.value(value_node, here)
        for extra in merged:
            data = {**extra, **data}
        return data

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        """Return the data of any node; None where it cannot be read."""
        self._nodes += 1
        if id(node) in self._open or self._nodes > _MAX_NODES:
            self._complain(path, "a YAML alias refers to itself.", "write it out.", None)
            return None
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode) and node.tag == _MAP:
                return self.mapping(node, path)
            if isinstance(node, yaml.SequenceNode) and node.tag == _SEQUENCE:
                return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
            return self._scalar(node, path)
        finally:
            self._open.discard(id(node))

    def _merged(self, node: yaml.Node, path: KeyPath) -> list[dict[str, Any]]:
        values = node.value if isinstance(node, yaml.SequenceNode) else [node]
        read = [self.value(value, path) for value in values]
        return [value for value in read if isinstance(value, dict)]

    def _scalar(self, node: yaml.Node, path: KeyPath) -> Any:
        text: Any = node.value
        match node.tag.removeprefix("tag:yaml.org,2002:"):
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                return int(text)
            case "float":
                return float(text)
            case "str":
                return text
            case _:
                self._complain(path, "YAML tags (!) are not used here.", "remove the tag.", None)
                return None

    def _complain(self, path: KeyPath, message: str, fix: str, line: int | None) -> None:
        self._document.problems.append(self._document.complain(path, message, fix, line))
