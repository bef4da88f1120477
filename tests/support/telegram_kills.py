"""Conversations with a real ``noctule serve`` that is killed again and again while they go on."""

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from noctule.channels.telegram.delivery.chat_ref import CHANNEL
from noctule.channels.telegram.delivery.sender import REPEATED
from noctule.core.clock import SystemClock
from tests.support.provider import Provider, Reply, Request
from tests.support.rig import Command, Rig
from tests.support.telegram.remote import RemotePhone, RemoteTelegram

_CLOCK = SystemClock()
_TOKEN = "NOCTULE_TEST_TOKEN"
_SLOW = {"trouble": "slow", "method": "sendMessage", "times": None, "seconds": 0.15}
"""A send is carried out at once and answered late, so that kills find some in flight."""

_AT_ONCE = 40
_PATIENCE_S = 240.0


@dataclass
class Story:
    """What came of conversations under kills.

    Args:
        conversations: how many chats talked.
        messages: how many messages people sent.
        kills: how many kills there were.
        lost: messages without a complete answer, and why.
        doubled: answers that stand there twice without saying so.
        marked: messages that say that they may be a repeat.
        in_flight: sends that were in flight at a kill; not all of them had arrived.
        turns: turns there are; as many as messages when none was done twice.
        seconds: how long it took.
    """

    conversations: int
    messages: int
    kills: int
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    marked: int = 0
    in_flight: int = 0
    turns: int = 0
    seconds: float = 0.0


async def talk_under_kills(
    folder: Path, *, chats: int, each: int, kills: int, seed: int, most_s: float = 2.5
) -> Story:
    """Let people talk to a bot whose process is killed; return what came of it.

    Args:
        folder: an empty one.
        chats: how many people talk.
        each: how many messages each of them sends, one after another.
        kills: how often the process is killed while they do.
        seed: of the moments.
        most_s: the longest a process lives before it is killed, in seconds after it works.
    """
    story = Story(chats, chats * each, 0)
    began = _CLOCK.monotonic()
    async with (
        Provider(decide=_says) as provider,
        RemoteTelegram() as telegram,
        _rig(folder, telegram, provider, [f"P{number}" for number in range(chats)]) as (rig, ids),
    ):
        await telegram.ask("faults", faults=[_SLOW])
        phones = [telegram.phone(name) for name in ids]
        gate = asyncio.Semaphore(_AT_ONCE)
        people = [asyncio.create_task(_talks(phone, each, gate, story)) for phone in phones]
        killer = asyncio.create_task(_kills(rig, kills, random.Random(seed), most_s, people, story))
        await asyncio.gather(*people)
        await killer
        for phone in phones:
            _judge(phone.name, await phone.sees(), each, story)
        await _count(rig, story)
    story.seconds = _CLOCK.monotonic() - began
    return story


@asynccontextmanager
async def _rig(
    folder: Path, telegram: RemoteTelegram, provider: Provider, names: Sequence[str]
) -> AsyncIterator[tuple[Rig, dict[str, int]]]:
    ids = {name: int(await telegram.ask("person", name=name)) for name in names}
    settings: dict[str, Any] = {
        "token": f"${{{_TOKEN}}}",
        "base_url": telegram.base_url,
        "allow": list(ids.values()),
    }
    rig = Rig(folder, provider.openai_url, telegram=settings)
    rig.command_line.env[_TOKEN] = telegram.token
    async with rig:
        yield rig, ids


def _says(request: Request) -> Reply:
    return Reply(text=answer_to(request.last_user_text.strip()), between_tokens=0.02)


def answer_to(text: str) -> str:
    """Return what the model says to a message."""
    return f"To {text} I say a dozen words of no weight and then <{text}>."


def _message(name: str, number: int) -> str:
    return f"hello {name} {number}"


async def _talks(phone: RemotePhone, each: int, gate: asyncio.Semaphore, story: Story) -> None:
    async with gate:
        for number in range(each):
            text = _message(phone.name, number)
            await phone.says(text)
            try:
                await phone.until(partial(_is_answered, text=text), _PATIENCE_S)
            except TimeoutError as error:
                story.lost.append(f"{text}: {error}")
                return


def _is_answered(seen: Sequence[dict[str, Any]], text: str) -> bool:
    return any(
        one["from_bot"] and one["buttons"] and answer_to(text) in one["text"] for one in seen
    )


async def _kills(
    rig: Rig,
    kills: int,
    dice: random.Random,
    most_s: float,
    people: Sequence["asyncio.Task[None]"],
    story: Story,
) -> None:
    while not all(one.done() for one in people):
        command = await rig.start("serve")
        await command.says("Telegram: I am")
        drained = asyncio.create_task(_drain(command))
        lives = dice.uniform(0.1, most_s) if story.kills < kills else _PATIENCE_S * 2
        await asyncio.wait([asyncio.gather(*people)], timeout=lives)
        if all(one.done() for one in people):
            command.process.terminate()
        else:
            command.process.kill()
            story.kills += 1
        await command.process.wait()
        await drained


async def _drain(command: Command) -> None:
    assert command.process.stderr is not None
    assert command.process.stdout is not None
    await asyncio.gather(command.process.stderr.read(), command.process.stdout.read())


def _judge(name: str, seen: Sequence[dict[str, Any]], each: int, story: Story) -> None:
    """Look at one chat: each answer complete, and once but for what says that it is a repeat."""
    wrote = [one["text"] for one in seen if one["from_bot"]]
    story.marked += sum(REPEATED in text for text in wrote)
    for number in range(each):
        text = _message(name, number)
        about = [one for one in wrote if one.startswith(f"To {text} ")]
        if not any(answer_to(text) in one for one in about):
            story.lost.append(f"{text}: no complete answer")
        unmarked = [one for one in about if REPEATED not in one]
        if len(unmarked) > 1:
            story.doubled.append(f"{text}: {unmarked}")


async def _count(rig: Rig, story: Story) -> None:
    async with rig.records.database.read() as work:
        for session in await work.sessions.list():
            story.turns += len(await work.turns.of_session(session.id))
        backlog = await work.outbox.backlog(CHANNEL)
    with closing(sqlite3.connect(rig.home / "noctule.db")) as database:
        # Each try after the first was made because the one before was cut off on its way.
        asked = "SELECT COALESCE(SUM(tries - 1), 0) FROM outbox WHERE repeated AND kind <> 'edit'"
        (story.in_flight,) = database.execute(asked).fetchone()
    story.lost += [f"{backlog.failed} messages were given up"] * bool(backlog.failed)
