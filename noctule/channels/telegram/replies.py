"""Replies: a complete answer as the letters that bring it.

Text is split where a reader would split it; long code and wide tables come as files; the line that
says who answered and the buttons stand under the last part.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noctule.channels.telegram.letters import (
    TEXT_UNITS,
    Buttons,
    Letter,
    document,
    formatted,
    units,
)
from noctule.channels.telegram.office import Office
from noctule.channels.telegram.places import Place
from noctule.channels.telegram.preferences import Preferences
from noctule.core.events import EventKind
from noctule.core.footer import footer_of
from noctule.core.mail import OutgoingKind
from noctule.core.sessions import Turn
from noctule.sessions.workspaces import workspace_of

LONG_CODE_CHARS = 3000
"""Code longer than this comes as a file."""

WIDE_TABLE_CHARS = 60
"""A table wider than this is unreadable on a phone and comes as a file."""

_FENCE = re.compile(
    r"^(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[\w+#.-]*)[^\n]*\n(?P<code>.*?)^(?P=fence)[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
_TABLE = re.compile(r"(?:^[ \t]*\|[^\n]*\|[ \t]*(?:\n|\Z)){3,}", re.MULTILINE)
_ENDINGS = {
    "python": "py",
    "py": "py",
    "bash": "sh",
    "sh": "sh",
    "shell": "sh",
    "javascript": "js",
    "js": "js",
    "typescript": "ts",
    "ts": "ts",
    "json": "json",
    "yaml": "yaml",
    "html": "html",
    "css": "css",
    "sql": "sql",
    "rust": "rs",
    "go": "go",
    "java": "java",
    "c": "c",
    "cpp": "cpp",
    "c++": "cpp",
    "toml": "toml",
    "diff": "diff",
    "markdown": "md",
}


@dataclass(frozen=True, slots=True)
class Extract:
    """A part of an answer that comes as a file.

    Args:
        name: the file's.
        content: what is in it.
    """

    name: str
    content: str


def extract_files(markdown: str) -> tuple[str, list[Extract]]:
    """Take long code and wide tables out of an answer.

    Returns:
        The answer with a line in place of each, and the files.
    """
    files: list[Extract] = []

    def code(match: re.Match[str]) -> str:
        if len(match["code"]) <= LONG_CODE_CHARS:
            return match[0]
        ending = _ENDINGS.get(match["language"].lower(), "txt")
        files.append(Extract(f"code-{len(files) + 1}.{ending}", match["code"]))
        return f"📎 {files[-1].name} ({match['code'].count(chr(10)):,} lines)\n"

    def table(match: re.Match[str]) -> str:
        if max(map(len, match[0].splitlines())) <= WIDE_TABLE_CHARS:
            return match[0]
        files.append(Extract(f"table-{len(files) + 1}.md", match[0]))
        return f"📎 {files[-1].name} (a wide table)\n"

    pieces, end = [], 0
    for fence in _FENCE.finditer(markdown):  # a table within code is code
        pieces += [_TABLE.sub(table, markdown[end : fence.start()]), code(fence)]
        end = fence.end()
    pieces.append(_TABLE.sub(table, markdown[end:]))
    return "".join(pieces), files


async def reply_letters(
    office: Office,
    place: Place,
    turn: Turn,
    *,
    streamed: str | None,
    wants: Preferences,
    silent: bool = False,
    before: str = "",
) -> list[Letter]:
    """Return everything that brings a reply, in order.

    Args:
        office: what everybody works with.
        place: where to.
        turn: done, with a reply.
        streamed: the key of the message that grew and becomes the first part; None when none did.
        wants: whether a line says who answered, and whether there are buttons.
        silent: True: without a sound.
        before: what stands before the reply, in Markdown; "" for nothing.
    """
    markdown, extracts = extract_files(turn.reply or "")
    buttons = rating_buttons(office, place, turn.id) if wants.buttons else ()
    bodies = formatted(before + markdown, buttons=buttons)
    if wants.footer:
        bodies = [*bodies[:-1], *await _with_footer(office, turn, bodies[-1])]
    letters = [
        _part(place, turn, number, body, streamed, silent=silent)
        for number, body in enumerate(bodies)
    ]
    kept = _keep(office, turn, extracts)
    made = await made_files(office, turn)
    return letters + list(file_letters(place, turn, [*kept, *made], silent=silent))


def rating_buttons(office: Office, place: Place, turn_id: str) -> Buttons:
    """Return 👍, 👎 and *again on…* for the reply of a turn."""
    signer = office.signer
    return [
        [
            signer.button(place, "👍", "good", turn_id),
            signer.button(place, "👎", "bad", turn_id),
            signer.button(place, "again on …", "again", turn_id),
        ]
    ]


async def made_files(office: Office, turn: Turn) -> list[tuple[Path, str]]:
    """Return the files agents made during a turn, with the names people see; those that exist."""
    async with office.records.database.read() as work:
        session = await work.sessions.get(turn.session_id)
        events = await work.events.of_turn(turn.id, [EventKind.TOOL_ENDED])
    root = workspace_of(session, office.records.home)
    if root is None:
        return []
    names = dict.fromkeys(
        str(name)
        for event in events
        if not event.data.get("failed")
        for name in event.data.get("files") or ()
    )
    return _within(Path(root), list(names)[-office.settings.max_files :])


def _within(root: Path, names: Sequence[str]) -> list[tuple[Path, str]]:
    """Return the files of a workspace that exist and do not lead out of it."""
    paths = [(root / name).resolve() for name in names]
    inside = [path for path in paths if path.is_relative_to(root.resolve()) and path.is_file()]
    return [(path, path.name) for path in inside]


def _part(
    place: Place,
    turn: Turn,
    number: int,
    body: dict[str, Any],
    streamed: str | None,
    *,
    silent: bool,
) -> Letter:
    edits = streamed if number == 0 else None
    return Letter(
        place,
        f"{turn.id}:reply:{number}",
        "reply",
        body,
        kind=OutgoingKind.TEXT if edits is None else OutgoingKind.EDIT,
        session_id=turn.session_id,
        turn_id=turn.id,
        edits=edits,
        silent=silent,
    )


async def _with_footer(office: Office, turn: Turn, body: dict[str, Any]) -> list[dict[str, Any]]:
    async with office.records.database.read() as work:
        attempts = await work.attempts.list(turn_id=turn.id)
    line = footer_of(turn, list(reversed(attempts)))
    if line is None:
        return [body]
    italic = {"type": "italic", "offset": 0, "length": units(line)}
    joined = f"{body['text'].rstrip()}\n\n{line}"
    if units(joined) > TEXT_UNITS:
        last = {"text": line, "entities": [italic], "buttons": body.pop("buttons", [])}
        return [body, last]
    italic["offset"] = units(joined) - units(line)
    return [{**body, "text": joined, "entities": [*body.get("entities", []), italic]}]


def _keep(office: Office, turn: Turn, extracts: Sequence[Extract]) -> list[tuple[Path, str]]:
    """Write the files of an answer where a later process finds them."""
    folder = office.records.home / "telegram" / turn.id
    kept = []
    for extract in extracts:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / extract.name
        path.write_text(extract.content, encoding="utf-8")
        kept.append((path, extract.name))
    return kept


def file_letters(
    place: Place, turn: Turn, files: Sequence[tuple[Path, str]], *, silent: bool
) -> Iterator[Letter]:
    """Yield the letters that bring files of a turn, under the names people see."""
    for number, (path, name) in enumerate(files):
        yield Letter(
            place,
            f"{turn.id}:file:{number}",
            "file",
            document(path, name=name),
            kind=OutgoingKind.DOCUMENT,
            session_id=turn.session_id,
            turn_id=turn.id,
            silent=silent,
        )
