"""A project file: a ``config.yaml`` of the folder one stands in, before anybody has named it.

Anybody can have written it: whoever published the repository, or an agent. It is read as data only,
to tell a person what it would start.
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path
from typing import Any

from noctule.config.document import MAX_BYTES, KeyPath, dotted, parse_document
from noctule.config.trust import TrustDecision
from noctule.core.base.masking import Masker
from noctule.core.tools.approval_text import reveal_hidden

_SECTIONS = ("endpoints", "models", "roles")
_WRITTEN = re.compile(rf"^({'|'.join(_SECTIONS)})[ \t]*:", re.MULTILINE)
_ENOUGH = 2
"""So many of the three sections make a file one of Noctule's; others' have one at most."""

_VARIABLE = re.compile(r"(?<!\$)\$\{([A-Za-z_]\w*)\}")
_FILES = frozenset({"weights", "script", "chat_template"})
_NOWHERE = frozenset({"scripted", "embedded"})
_SHOWN = 300
_MOST_FILES = 10
_MOST_LINES = 20
_MASKER = Masker()


@dataclass(frozen=True, slots=True)
class Project:
    """A project file that was read, and not used yet.

    Args:
        path: where it is.
        content: all of it.
        changed: whether a person trusted it before with another content, or other code.
        files: the code that is not as they saw it, by the part that runs it.
        before: the text they saw; None when there was none, or it is the same.
    """

    path: Path
    content: bytes
    changed: bool = False
    files: Mapping[str, Sequence[str]] = field(default_factory=dict)
    before: str | None = None

    @classmethod
    def compared(cls, path: Path, content: bytes, known: TrustDecision | None) -> "Project":
        """Return a project file with what is new in it since a person looked at it."""
        if known is None or not known.trusted:
            return cls(path, content)
        before = None if known.same else known.before
        return cls(path, content, changed=True, files=known.changed, before=before)

    def news(self) -> list[str]:
        """Return what has changed since a person trusted it, a line each; [] when they did not."""
        lines = [
            f"the code of {part} has changed: {', '.join(files[:_MOST_FILES])}"
            + (f" and {len(files) - _MOST_FILES} more" if len(files) > _MOST_FILES else "")
            for part, files in self.files.items()
        ]
        if self.before is not None:
            now = _MASKER.mask(self.content.decode("utf-8", "replace"))
            found = list(unified_diff(self.before.splitlines(), now.splitlines(), n=0, lineterm=""))
            changed = [line for line in found[2:] if not line.startswith("@@")]
            lines += changed[:_MOST_LINES]
            if len(changed) > _MOST_LINES:
                lines.append(f"and {len(changed) - _MOST_LINES} more lines of {self.path.name}")
        return [reveal_hidden(_MASKER.mask(line), most=_SHOWN) for line in lines]

    def consequences(self) -> list[str]:
        """Return what using it would start, reach and allow, a line each, for a person to judge."""
        document = parse_document(self.content, str(self.path))
        found = [problem.message for problem in document.problems if not document.data]
        found += _lines(document.data)
        variables = sorted(set(_VARIABLE.findall(self.content.decode("utf-8", "replace"))))
        if variables:
            found.append(f"reads the environment variables {', '.join(variables)}")
        return [reveal_hidden(line, most=_SHOWN) for line in found]


def read_project(path: Path) -> bytes | None:
    """Return the content of a project file; None when it is none of Noctule's or cannot be read."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError:
        return None
    return content if _is_ours(content) else None


def _is_ours(content: bytes) -> bool:
    if len(content) > MAX_BYTES:
        return False
    document = parse_document(content, "")
    if document.data:
        return sum(isinstance(document.data.get(name), dict) for name in _SECTIONS) >= _ENOUGH
    # With a syntax error it is still a person's configuration, and they should hear of it.
    return len(set(_WRITTEN.findall(content.decode("utf-8-sig", "replace")))) >= _ENOUGH


def _lines(data: dict[str, Any]) -> Iterator[str]:
    for path, value in _leaves(data, ()):
        line = _started(path, value) or _allowed(path, value) or _reached(data, path, value)
        if line is not None:
            yield line


def _started(path: KeyPath, value: Any) -> str | None:
    match path:
        case ("tools", "folder"):
            return f"runs the Python files of the folder {value}"
        case ("tools", "mcp", _, "command"):
            # Unmasked: what is run must be seen whole.
            return f"starts the program {_command(value)}"
        case _:
            return None


def _allowed(path: KeyPath, value: Any) -> str | None:
    match path, value:
        case ((("tools", "permissions", what) | ("roles", _, "permissions", what)), "allow"):
            return f"allows without asking: {what}"
        case ("tools", "mcp", name, "permission"), "allow":
            return f"allows without asking: the tools of {name}"
        case ("tools", "sandbox"), "none":
            return "runs commands without a sandbox"
        case _:
            return None


def _reached(data: dict[str, Any], path: KeyPath, value: Any) -> str | None:
    match path:
        case ("endpoints", _, "kind") if value in _NOWHERE:
            return None
        case ("endpoints", name, "kind") if not data["endpoints"][name].get("url"):
            return f"asks the endpoint {name} at the usual address of {value}"
        case (*_, str(key)) if key in _FILES:
            return f"reads the file {value}"
        case _ if "://" in str(value):
            return f"connects to {_MASKER.mask(str(value))} ({dotted(path)})"
        case _:
            return None


def _leaves(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list) and path[-1:] != ("command",):
        for index, inner in enumerate(value):
            yield from _leaves(inner, (*path, index))
    elif value is not None:
        yield path, value


def _command(value: Any) -> str:
    return shlex.join(map(str, value)) if isinstance(value, list) else str(value)
