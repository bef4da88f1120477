"""Prints the conversations of ``docs/guides/telegram.md``: real bot and worker, emulated Telegram.

python -m tests.support.telegram_transcripts
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from noctule.channels.telegram.delivery.chat_ref import CHANNEL
from tests.support.provider import Provider, Reply
from tests.support.telegram.messages import Message
from tests.support.telegram.people import Person
from tests.support.telegram.phone import Phone
from tests.support.telegram_rig import Bot, open_bot

ANNA = Person(5001, "Anna", "Berg")
ZONE = "Europe/Berlin"


async def pairing() -> str:
    """The first five minutes."""
    async with _scene(Reply(text="Hello Anna. What shall we **do**?"), allow=[]) as (bot, anna, _):
        said = anna.says("hello")
        await anna.hears("code", after=said)
        code = next(line for line in bot.said if "this code" in line).rsplit(" ", 1)[1]
        await anna.asks(code)
        said = anna.says("hello again")
        answer = await _answered(anna, said)
        why = anna.says("/why", reply_to=answer)
        await anna.hears(after=why)
        await _quiet(bot)
        return "\n".join([*bot.said, "", anna.transcript(times=False)])


async def work() -> str:
    """A piece of work in the background, with a remark on the way."""
    slow = Reply(text="The logs are in order: 3 files, 2 old ones removed.", between_tokens=0.3)
    async with _scene(slow) as (bot, anna, _):
        anna.says("/run @engineer tidy the logs")
        await anna.until(
            lambda seen: any("The logs are" in m.text and m.button_texts for m in seen)
        )
        await _quiet(bot)
        return anna.transcript(times=False)


async def parking() -> str:
    """Asleep and awake again, then the morning after."""
    async with _scene(Reply(text="Here is the summary you asked for.")) as (bot, anna, provider):
        provider.enqueue(
            Reply.refusal(429, "Rate limit reached for requests", headers={"Retry-After": "14400"})
        )
        said = anna.says("hello, sum up the day")
        card = await anna.until(
            lambda seen: next(
                (m for m in seen if m.id > said.id and m.from_bot and len(m.button_texts) > 1), None
            )
        )
        shown = anna.transcript(times=False)
        await anna.answered(anna.presses(card, card.button_texts[0]))
        await anna.until(lambda seen: any("Here is the summary" in m.text for m in seen))
        await _quiet(bot)
        return "\n".join([shown, "", "(later)", anna.transcript(times=False)])


async def morning() -> str:
    """The first message after a night of work; the night is made by when a person was heard."""
    async with _scene(Reply(text="Two pages, both read and cited.")) as (bot, anna, _):
        await _answered(anna, anna.says("hello"))
        first = anna.says("/run @research read the two pages")
        await anna.until(lambda seen: any("Two pages" in m.text and m.id > first.id for m in seen))
        await _quiet(bot)
        async with bot.records.database.work() as work:
            chat = await work.chats.get(CHANNEL, str(ANNA.id))
            assert chat is not None
            heard = bot.records.clock.now() - timedelta(days=1)
            await work.chats.put(replace(chat, heard_at=heard))
            await work.commit()
        said = anna.says("hello")
        await _answered(anna, said)
        await _quiet(bot)
        shown = anna.transcript(times=False).rpartition("Anna: hello")[2]
        return f"Anna: hello{shown}"


@asynccontextmanager
async def _scene(reply: Reply, **settings: Any) -> AsyncIterator[tuple[Bot, Phone, Provider]]:
    given = {"allow": [ANNA.id], **settings}
    with tempfile.TemporaryDirectory() as folder:
        async with (
            Provider(default=reply) as provider,
            open_bot(Path(folder), provider, settings=given, timezone=ZONE) as bot,
        ):
            await bot.telegram.updates.until_polled()
            yield bot, bot.telegram.phone(ANNA), provider


async def _answered(phone: Phone, said: Message) -> Message:
    return await phone.until(
        lambda seen: next(
            (m for m in seen if m.id > said.id and m.from_bot and m.button_texts), None
        )
    )


async def _quiet(bot: Bot) -> None:
    """Wait until nothing was said for a while."""
    await bot.records.clock.sleep(3)


async def _print() -> None:
    for scene in (pairing, work, parking, morning):
        print(f"== {scene.__name__}\n{await scene()}\n", flush=True)  # noqa: T201 - what it is for


if __name__ == "__main__":
    asyncio.run(_print())
