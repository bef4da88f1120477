"""``/run``, ``/stop``, ``/park`` and ``/resume``: work in the background, and orders for it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from noctule.channels.telegram.base.context import BotContext, IncomingMessage, session_in
from noctule.channels.telegram.base.ownership import own_session
from noctule.channels.telegram.base.preferences import Preferences
from noctule.channels.telegram.commands import doubts
from noctule.channels.telegram.commands.command import Command, answer
from noctule.channels.telegram.commands.requests import wishes_of
from noctule.channels.telegram.commands.run_words import RunWords, Unsure, parse_run
from noctule.channels.telegram.delivery.chat_ref import CHANNEL, ChatRef
from noctule.channels.telegram.delivery.markdown import bare
from noctule.channels.telegram.handlers import beforehand
from noctule.channels.telegram.handlers.incoming_files import attached_files, fetch
from noctule.channels.telegram.handlers.messages import quoted
from noctule.core.base.ids import new_id
from noctule.core.errors import UsageError
from noctule.core.messaging.chats import WatchKind
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import LOCAL_OWNER, Session, SessionKind, Turn
from noctule.sessions.service.service import Request

_ACTIVE = frozenset({Status.QUEUED, Status.RUNNING})
_ASLEEP = frozenset({Status.PARKED, Status.WAITING})


@dataclass(frozen=True, slots=True)
class Underway:
    """An unfinished session that a chat is told of.

    Args:
        session: which.
        turn: the oldest unfinished one.
        kind: why the chat is told of it.
    """

    session: Session
    turn: Turn
    kind: WatchKind


def commands() -> tuple[Command, ...]:
    """Return the commands of this file."""
    return (
        Command(
            "run",
            "start a background task",
            "[at TIME] [budget USD] [allow TOOLS] TEXT",
            "Starts a task with its own status message; this chat stays free. Reply to the status "
            "message to tell it something while it works.\n\n"
            "Before the text: `at 9am`, `tomorrow 9:00` or `in 2h` starts it later, in your time "
            "zone; `budget 2` is the most it may spend in USD; `allow shell,web` is what it may do "
            "without asking (owner only); `role engineer` and `model NAME` choose who works; "
            "`--private` keeps it on local models. If something looks almost like an option, I "
            "ask; after `--`, everything is the task.\n\n"
            "`/run at 02:00 budget 2 allow shell,web Tidy the logs`",
            _run,
        ),
        Command(
            "stop",
            "stop what runs here, keep its results",
            "[all]",
            "Stops everything that runs or is queued in this chat; what it wrote and made stays. "
            "As a reply to a status message, only that task. `/stop all` also stops what is "
            "parked or waiting.",
            _stop,
        ),
        Command(
            "park",
            "park what runs here until /resume",
            "",
            "Parks what runs after its current step; /resume continues from there. As a reply to "
            "a status message: that task.",
            _park,
        ),
        Command(
            "resume",
            "resume what is parked here",
            "[MODEL]",
            "Resumes what is parked, waiting or failed, now; with a MODEL, on that model. As a "
            "reply to a card or a status message: that task.",
            _resume,
        ),
    )


async def underway(bot: BotContext, place: ChatRef, owner: str) -> list[Underway]:
    """Return the unfinished sessions a chat is told of and a person may order about, oldest first.

    Args:
        bot: what everybody works with.
        place: the chat.
        owner: whose sessions the person's are.
    """
    async with bot.records.database.read() as work:
        found = []
        for watch in await work.chats.watches(CHANNEL, place=str(place)):
            turn = await work.turns.oldest_unfinished(watch.session_id)
            if turn is not None:
                session = await work.sessions.get(watch.session_id)
                if owner in {session.owner, LOCAL_OWNER}:
                    found.append(Underway(session, turn, watch.kind))
    return sorted(found, key=lambda one: one.turn.id)


async def _begin(bot: BotContext, said: IncomingMessage, words: RunWords) -> Turn:
    """Begin a piece of work, with what came along, and tell the chat of it."""
    records, begin_as = bot.records, new_id(bot.records.clock)
    files = attached_files(said)[: bot.settings.max_files]
    names: list[str] = []
    if files:
        names = await fetch(bot, files, records.home / "workspaces" / begin_as)
    came = [f"(The person sent the file {name}; it is in the workspace.)" for name in names]
    replied = await quoted(bot, said, None)
    request = Request(
        text="\n\n".join(part for part in (words.text, replied, *came) if part),
        kind=SessionKind.RUN,
        begin_as=begin_as,
        role=words.role,
        model=words.model,
        private=words.private,
        not_before=words.not_before,
        owner=said.owner,
        budget_usd=words.budget_usd,
        allow=words.allow,
        origin=said.origin,
        attachments=tuple(names),
    )
    turn = await records.service.submit(request)
    await bot.watching.watch(said.place, turn.session_id, WatchKind.WORK, after=0)
    await beforehand.offer(bot, said, request, turn)
    return turn


async def _run(bot: BotContext, said: IncomingMessage) -> None:
    records = bot.records
    wants = await Preferences.read(bot, said.place)
    words = parse_run(
        said.text, now=records.clock.now(), zone=wants.zone, models=records.settings.models
    )
    if isinstance(words, Unsure):
        await doubts.ask(bot, said, words)
        return
    if not words.text and not await quoted(bot, said, None):
        raise UsageError("What should I do? Use /run TEXT.")
    if words.allow and not bot.gate.is_head(said.person):
        raise UsageError("Only my owner can allow things without asking. Leave out allow.")
    chat = await bot.chat(said.place, said.owner)
    if wishes_of(chat).private:
        words = replace(words, private=True)
    await _begin(bot, said, words)


meant = doubts.press(_run)
"""Takes a press that says what the words in front of a piece of work mean."""


async def _stop(bot: BotContext, said: IncomingMessage) -> None:
    service, chosen = bot.records.service, await _replied_to(bot, said)
    if chosen is not None:
        turns = await service.cancel(chosen.id)
        told = "Stopped." if turns else "It has already finished."
        await answer(bot, said, told)
        return
    here = await underway(bot, said.place, said.owner)
    everything = said.text.strip().lower() == "all"
    ended = [one for one in here if everything or one.turn.status in _ACTIVE]
    for one in ended:
        await service.cancel(one.session.id)
    left = [one for one in here if one not in ended]
    await answer(bot, said, _stopped(ended, left))


async def _park(bot: BotContext, said: IncomingMessage) -> None:
    session = await _chosen(bot, said, {Status.RUNNING}, "runs", "park")
    await bot.records.service.park(session.id)
    await answer(bot, said, "It will park after the current step. /resume continues it.")


async def _resume(bot: BotContext, said: IncomingMessage) -> None:
    model = said.text.strip() or None
    if model is not None and model not in bot.records.settings.models:
        known = ", ".join(sorted(bot.records.settings.models))
        raise UsageError(f"There is no model {model!r}. Use one of: {known}.")
    session = await _resumable(bot, said)
    await bot.records.service.resume(session.id, model)
    await answer(bot, said, "Resuming.")


async def _replied_to(bot: BotContext, said: IncomingMessage) -> Session | None:
    about = said.answers
    if about is None or about.session_id is None:
        return None
    return await own_session(bot, about.session_id, said.owner)


async def _chosen(
    bot: BotContext, said: IncomingMessage, statuses: set[Status], does: str, command: str
) -> Session:
    """Return the session that is meant.

    Raises:
        UsageError: nothing of the kind is here, or several are.
    """
    session = await _replied_to(bot, said)
    if session is not None:
        return session
    here = [
        one for one in await underway(bot, said.place, said.owner) if one.turn.status in statuses
    ]
    if len(here) == 1:
        return here[0].session
    if not here:
        raise UsageError(f"Nothing here {does}. /sessions lists your sessions.")
    titles = "; ".join(one.session.title or "(untitled)" for one in here)
    raise UsageError(
        f"Several tasks here: {titles}. Reply with /{command} to the status message or card of the "
        "one you mean."
    )


async def _resumable(bot: BotContext, said: IncomingMessage) -> Session:
    try:
        return await _chosen(bot, said, set(_ASLEEP), "sleeps", "resume")
    except UsageError:
        chat = await bot.chat(said.place, said.owner)
        session_id = session_in(chat, said.owner)
        if session_id is None:
            raise
        async with bot.records.database.read() as work:
            turns = await work.turns.of_session(session_id)
        if not turns or turns[-1].status is not Status.FAILED:
            raise
        return await own_session(bot, session_id, said.owner)


def _stopped(ended: Sequence[Underway], left: Sequence[Underway]) -> str:
    if not ended and not left:
        return "Nothing is running here."
    lines = [f"Stopped: {_title(one)}." for one in ended] or ["Nothing is running here."]
    lines += [f"Still {_rests(one)}: {_title(one)}." for one in left]
    if left:
        lines.append("`/stop all` stops that too.")
    return "\n".join(lines)


def _rests(one: Underway) -> str:
    return "waiting for you" if one.turn.status is Status.WAITING else "parked"


def _title(one: Underway) -> str:
    return bare(one.session.title or "(untitled)")
