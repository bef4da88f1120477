"""The Telegram bot under load: first sign of life, first words, many streams at once, kills.

The emulator and the provider of models run in the measuring process, the bot is a real ``noctule
serve``. Times are the emulator's: from when a person's message is there to when a call arrives.

    python -m benchmarks.telegram [--chats 50] [--rounds 4] [--conversations 200] [--kills 20]
                                  [--only signs|streams|kills] [--json]

- signs: fifty people in conversations, each answer streams for three seconds: until *typing*, and
  until the first text of the answer, beyond the model's own time to its first words; then all of
  them at the same moment.
- streams: all of them stream for some seconds at once: how evenly they are served, whether anything
  was over Telegram's limits, and how late the last answer was complete.
- kills: conversations with a bot that gets SIGKILL again and again.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.support.provider import Provider, Reply, Request
from tests.support.rig import CLOCK, Rig
from tests.support.telegram.messages import Message
from tests.support.telegram.people import Person
from tests.support.telegram.phone import Phone
from tests.support.telegram.server import TelegramServer
from tests.support.telegram_kills import talk_under_kills

_TOKEN = "NOCTULE_BENCH_TOKEN"
_FIRST_WORDS_S = 0.3
_PATIENCE_S = 180.0
_PAUSE_S = 2.0
"""Longer than the second that must lie between two messages of a chat."""

_THINKS_S = 12.0
"""The longest a person thinks before the next message."""

_ANSWER_WORDS = 30
_STREAM_WORDS = 80
_STREAM_GAP_S = 0.1


@asynccontextmanager
async def _bot(
    folder: Path, chats: int, reply: Reply
) -> AsyncIterator[tuple[TelegramServer, list[Phone], dict[str, float]]]:
    """Serve a bot for some people; the dictionary gets when the model said its first words."""
    spoken: dict[str, float] = {}

    def decide(request: Request) -> Reply:
        spoken[request.last_user_text.strip()] = request.started + _FIRST_WORDS_S
        return reply

    async with Provider(decide=decide) as provider, TelegramServer() as telegram:
        people = [Person(5000 + number, f"P{number}", "") for number in range(chats)]
        phones = [telegram.phone(person) for person in people]
        settings: dict[str, Any] = {
            "token": f"${{{_TOKEN}}}",
            "base_url": telegram.base_url,
            "allow": [person.id for person in people],
        }
        rig = Rig(folder, provider.openai_url, telegram=settings)
        rig.command_line.env[_TOKEN] = telegram.token
        async with rig, rig.serving() as serve:
            drained = asyncio.create_task(serve.says("words that are never said"))
            await telegram.updates.until_polled()
            yield telegram, phones, spoken
            drained.cancel()
            await asyncio.gather(drained, return_exceptions=True)


async def signs(folder: Path, *, chats: int, rounds: int) -> dict[str, Any]:
    """Return how long people wait for the first sign and the first words, in turn and at once."""
    text = " ".join(f"word{number}" for number in range(_ANSWER_WORDS))
    reply = Reply(text=text, before_token=_FIRST_WORDS_S, between_tokens=_STREAM_GAP_S)
    dice = random.Random(7)
    async with _bot(folder, chats, reply) as (telegram, phones, spoken):
        said: list[tuple[Phone, Message]] = []
        await _finished(phones[0], phones[0].says("hello warm"))  # the first call imports libraries

        async def talks(phone: Phone, place: int) -> None:
            for number in range(rounds):
                await CLOCK.sleep(dice.uniform(_PAUSE_S, _THINKS_S))
                message = phone.says(f"hello {number} {place}")
                said.append((phone, message))
                await _finished(phone, message)

        begun = CLOCK.monotonic()
        await asyncio.gather(*(talks(phone, place) for place, phone in enumerate(phones)))
        seconds = CLOCK.monotonic() - begun
        over = len(telegram.flood.over)
        in_turn = _waits(said, spoken)
        await CLOCK.sleep(_PAUSE_S)
        said = [(phone, phone.says(f"hello at once {n}")) for n, phone in enumerate(phones)]
        await asyncio.gather(*(_finished(phone, message) for phone, message in said))
        at_once = _waits(said, spoken)
    return {
        "chats": chats,
        "messages": chats * rounds,
        "messages_a_second": round(chats * rounds / seconds, 1),
        **in_turn,
        "over_the_limits": over,
        **{f"all_at_once_{name}": value for name, value in at_once.items()},
    }


def _waits(said: Sequence[tuple[Phone, Message]], spoken: Mapping[str, float]) -> dict[str, float]:
    typing = [_first_action(phone, message) - message.sent_at for phone, message in said]
    words = [_first_words(phone, message) - spoken[message.text] for phone, message in said]
    return {
        "typing_p50_ms": _at(typing, 0.5),
        "typing_p99_ms": _at(typing, 0.99),
        "first_words_p50_ms": _at(words, 0.5),
        "first_words_p99_ms": _at(words, 0.99),
    }


async def streams(folder: Path, *, chats: int) -> dict[str, Any]:
    """Return how evenly many streams are served."""
    text = " ".join(f"word{number}" for number in range(_STREAM_WORDS))
    reply = Reply(text=text, before_token=_FIRST_WORDS_S, between_tokens=_STREAM_GAP_S)
    async with _bot(folder, chats, reply) as (telegram, phones, spoken):
        await asyncio.gather(*(_finished(phone, phone.says("hello warm")) for phone in phones))
        await CLOCK.sleep(10)
        telegram.flood.sent.clear()
        said = [(phone, phone.says(f"hello {place}")) for place, phone in enumerate(phones)]
        answers = await asyncio.gather(*(_finished(phone, message) for phone, message in said))
        starts = [_first_words(phone, message) - spoken[message.text] for phone, message in said]
        edits = [len(answer.versions) for answer in answers]
        gaps = [
            later.at - sooner.at
            for answer in answers
            for sooner, later in zip(answer.versions, answer.versions[1:], strict=False)
        ]
        model_s = _FIRST_WORDS_S + _STREAM_WORDS * _STREAM_GAP_S
        ends = [
            answer.versions[-1].at - (spoken[message.text] - _FIRST_WORDS_S) - model_s
            for answer, (_, message) in zip(answers, said, strict=True)
        ]
        return {
            "chats": chats,
            "first_words_p50_ms": _at(starts, 0.5),
            "first_words_p99_ms": _at(starts, 0.99),
            "edits_least": min(edits),
            "edits_most": max(edits),
            "longest_gap_s": round(max(gaps), 2),
            "complete_after_the_model_p50_s": _at(ends, 0.5) / 1000,
            "complete_after_the_model_p99_s": _at(ends, 0.99) / 1000,
            "peak_in_a_second": telegram.flood.peak(1.0),
            "peak_in_a_second_of_one_chat": max(
                telegram.flood.peak(1.0, phone.chat.id) for phone in phones
            ),
            "over_the_limits": len(telegram.flood.over),
        }


async def kills(folder: Path, *, conversations: int, kills: int) -> dict[str, Any]:
    """Return what came of conversations under kills; raises when something was lost."""
    story = await talk_under_kills(folder, chats=conversations, each=2, kills=kills, seed=7)
    assert story.lost == story.doubled == [], story
    assert story.turns == story.messages, story
    assert story.marked <= story.in_flight, story
    return {**asdict(story), "lost": 0, "doubled": 0, "seconds": round(story.seconds, 1)}


async def _finished(phone: Phone, said: Message) -> Message:
    """Return the complete answer to a message: it has buttons."""
    return await phone.until(
        lambda seen: next(
            (m for m in seen if m.id > said.id and m.from_bot and m.button_texts), None
        ),
        within=_PATIENCE_S,
    )


def _first_action(phone: Phone, said: Message) -> float:
    return next(action.at for action in phone.chat.actions if action.at >= said.sent_at)


def _first_words(phone: Phone, said: Message) -> float:
    return min(
        message.sent_at for message in phone.sees() if message.from_bot and message.id > said.id
    )


def _at(values: Sequence[float], share: float) -> float:
    """Return the value under which a share of them is, in milliseconds."""
    ordered = sorted(values)
    return round(1000 * ordered[min(len(ordered) - 1, int(len(ordered) * share))], 1)


async def run(given: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of every part that is asked for."""
    figures: dict[str, Any] = {"load_before": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory() as name:
        folders = {part: Path(name) / part for part in ("signs", "streams", "kills")}
        for folder in folders.values():
            folder.mkdir()
        if given.only in {None, "signs"}:
            figures["signs"] = await signs(folders["signs"], chats=given.chats, rounds=given.rounds)
        if given.only in {None, "streams"}:
            figures["streams"] = await streams(folders["streams"], chats=given.chats)
        if given.only in {None, "kills"}:
            figures["kills"] = await kills(
                folders["kills"], conversations=given.conversations, kills=given.kills
            )
    return figures


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.telegram", description=__doc__)
    parser.add_argument("--chats", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--conversations", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--only", choices=["signs", "streams", "kills"])
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(argv)
    figures = asyncio.run(run(given))
    if given.json:
        print(json.dumps(figures))
        return 0
    print(f"load before: {figures.pop('load_before'):.1f}")
    for part, found in figures.items():
        print(f"\n{part}")
        for name, value in found.items():
            print(f"  {name.replace('_', ' '):32} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
