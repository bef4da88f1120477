"""Replies: a complete answer as the letters that bring it.

Text is split where a reader would split it; long code and wide tables come as files; the line that
says who answered and the buttons stand under the last part.
"""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from noctule.channels.discretion import masked
from noctule.channels.telegram.base.context import BotContext
from noctule.channels.telegram.base.preferences import Preferences
from noctule.channels.telegram.delivery.chat_ref import ChatRef
from noctule.channels.telegram.delivery.outgoing import (
    TEXT_UNITS,
    Buttons,
    OutgoingMessage,
    document,
    formatted,
    plain,
    units,
)
from noctule.channels.telegram.delivery.sender import MOST_FILE_BYTES
from noctule.channels.telegram.views.extracts import Extract, extract_files
from noctule.core.base.private_files import make_folder, write_private
from noctule.core.llm.events import EventKind
from noctule.core.messaging.messages import OutgoingKind
from noctule.core.reports.footer import footer_of
from noctule.core.sessions.sessions import Rating, Turn
from noctule.sessions.service.outgoing_files import copied
from noctule.sessions.service.workspaces import workspace_of

_SURPLUS = "(This text is above, or in the file below.)"


async def reply_letters(
    bot: BotContext,
    place: ChatRef,
    turn: Turn,
    *,
    streamed: Sequence[str],
    wants: Preferences,
    silent: bool = False,
    before: str = "",
) -> list[OutgoingMessage]:
    """Return everything that brings a reply, in order.

    Args:
        bot: what everybody works with.
        place: where to.
        turn: done, with a reply.
        streamed: the keys of the messages that grew and become the first parts; () for none.
        wants: whether a line says who answered, and whether there are buttons.
        silent: True: without a sound.
        before: what stands before the reply, in Markdown; "" for nothing.
    """
    markdown, extracts = extract_files(turn.reply or "")
    buttons = rating_buttons(bot, place, turn.id) if wants.buttons else ()
    bodies = formatted(before + markdown, buttons=buttons)
    if wants.footer:
        bodies = [*bodies[:-1], *await _with_footer(bot, turn, bodies[-1])]
    letters = [
        _part(place, turn, number, body, streamed, silent=silent)
        for number, body in enumerate(bodies)
    ]
    letters += [
        _part(place, turn, number, plain(_SURPLUS), streamed, silent=silent)
        for number in range(len(bodies), len(streamed))
    ]
    kept = _keep(bot, turn, extracts)
    made = await made_files(bot, turn)
    return letters + list(file_letters(place, turn, [*kept, *made], silent=silent))


def rating_buttons(
    bot: BotContext, place: ChatRef, turn_id: str, verdict: Rating | None = None
) -> Buttons:
    """Return 👍, 👎 and *again on…* for the reply of a turn, with a mark on what was said of it."""
    signer = bot.signer
    good = "👍 ✓" if verdict is Rating.GOOD else "👍"
    bad = "👎 ✓" if verdict is Rating.BAD else "👎"
    return [
        [
            signer.button(place, good, "good", turn_id),
            signer.button(place, bad, "bad", turn_id),
            signer.button(place, "try another model …", "again", turn_id),
        ]
    ]


async def made_files(bot: BotContext, turn: Turn) -> list[tuple[Path, str]]:
    """Return copies of the files agents made during a turn, with the names people see."""
    async with bot.records.database.read() as work:
        session = await work.sessions.get(turn.session_id)
        events = await work.events.of_turn(turn.id, [EventKind.TOOL_ENDED])
    root = workspace_of(session, bot.records.home)
    if root is None:
        return []
    names = dict.fromkeys(
        str(name)
        for event in events
        if not event.data.get("failed")
        for name in event.data.get("files") or ()
    )
    last = list(names)[-bot.settings.max_files :]
    folder = bot.records.home / "telegram" / turn.id / "made"
    copies = await asyncio.to_thread(
        lambda: copied(Path(root), last, folder, most_bytes=MOST_FILE_BYTES)
    )
    return [(path, path.name) for path in copies]


def _part(
    place: ChatRef,
    turn: Turn,
    number: int,
    body: dict[str, Any],
    streamed: Sequence[str],
    *,
    silent: bool,
) -> OutgoingMessage:
    edits = streamed[number] if number < len(streamed) else None
    return OutgoingMessage(
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


async def _with_footer(bot: BotContext, turn: Turn, body: dict[str, Any]) -> list[dict[str, Any]]:
    async with bot.records.database.read() as work:
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


def _keep(bot: BotContext, turn: Turn, extracts: Sequence[Extract]) -> list[tuple[Path, str]]:
    """Write the files of an answer where a later process finds them."""
    folder = bot.records.home / "telegram" / turn.id
    kept = []
    for extract in extracts:
        make_folder(folder)
        path = folder / extract.name
        write_private(path, masked(extract.content).encode())
        kept.append((path, extract.name))
    return kept


def file_letters(
    place: ChatRef, turn: Turn, files: Sequence[tuple[Path, str]], *, silent: bool
) -> Iterator[OutgoingMessage]:
    """Yield the letters that bring files of a turn, under the names people see."""
    for number, (path, name) in enumerate(files):
        yield OutgoingMessage(
            place,
            f"{turn.id}:file:{number}",
            "file",
            document(path, name=name, passing=True),
            kind=OutgoingKind.DOCUMENT,
            session_id=turn.session_id,
            turn_id=turn.id,
            silent=silent,
        )
