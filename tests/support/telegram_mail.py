"""The outbox over real HTTP and no real time: hours of outage take moments.

In a test::

    async with open_mail() as mail:
        anna = mail.phone("Anna")
        await mail.posts(anna, "one", "two")
        await mail.until(lambda: len(anna.answers()) == 2)
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from telegram.ext import AIORateLimiter, ExtBot
from telegram.request import HTTPXRequest

from noctule.channels.telegram.delivery.chat_ref import CHANNEL, ChatRef
from noctule.channels.telegram.delivery.outbox import Outbox
from noctule.channels.telegram.delivery.outgoing import OutgoingMessage, plain
from noctule.channels.telegram.delivery.sender import Sender
from noctule.channels.telegram.delivery.throttle import Pace
from noctule.core.clock import ManualClock, SystemClock
from noctule.core.messaging.messages import OutboxMessage
from noctule.core.ports.database import Database
from tests.support.scratch import scratch_database
from tests.support.telegram.phone import Phone
from tests.support.telegram.server import TelegramServer

_REAL = SystemClock()
_ROUNDS = 4000
_ROUND_S = 0.002


@dataclass
class Mail:
    """An outbox, the emulator it sends to, and the clock both go by.

    Args:
        telegram: the emulator.
        clock: stands still but for ``until``.
        database: what is stored.
        bot: who calls.
        outbox: begun.
    """

    telegram: TelegramServer
    clock: ManualClock
    database: Database
    bot: ExtBot[Any]
    outbox: Outbox
    _keys: int = field(default=0)

    def phone(self, name: str) -> Phone:
        """Return the phone of somebody who has begun to talk to the bot."""
        phone = self.telegram.phone(name)
        phone.says("/start")
        return phone

    def letter(self, phone: Phone, text: str, **changes: Any) -> OutgoingMessage:
        """Return a reply to somebody; ``changes`` are arguments of ``OutgoingMessage``."""
        self._keys += 1
        given = {"key": f"key-{self._keys}", "purpose": "reply", "body": plain(text)} | changes
        return OutgoingMessage(ChatRef(phone.chat.id), **given)

    async def posts(self, phone: Phone, *texts: str) -> None:
        """Post replies, one after another."""
        for text in texts:
            await self.outbox.post(self.letter(phone, text))

    async def stored(self, key: str) -> OutboxMessage:
        """Return a message as it is stored."""
        async with self.database.read() as work:
            found = await work.outbox.by_key(CHANNEL, key)
        assert found is not None
        return found

    async def until(self, seen: Callable[[], Any], *, step: float = 0.25) -> None:
        """Let time pass until something is so; at most four thousand steps of some seconds."""
        for _ in range(_ROUNDS):
            if seen():
                return
            await self.clock.advance(step)
            await _REAL.sleep(_ROUND_S)
        raise AssertionError(f"it never happened; calls: {self.telegram.calls.all[-5:]}")

    async def passes(self, seconds: float, *, step: float = 1.0) -> None:
        """Let time pass."""
        end = self.clock.monotonic() + seconds
        await self.until(lambda: self.clock.monotonic() >= end, step=step)

    async def restart(self) -> None:
        """End the outbox as a kill does, and begin another over the same database."""
        await self.outbox.close()
        self.outbox = _outbox(self.bot, self.database, self.clock)
        await self.outbox.start()


@asynccontextmanager
async def open_mail(*, answer_within_s: float = 0.3) -> AsyncIterator[Mail]:
    """Open an outbox over an emulator.

    Args:
        answer_within_s: real seconds until a call runs into its time-out.
    """
    clock, database = ManualClock(), scratch_database()
    async with TelegramServer(clock=clock) as telegram:
        request = HTTPXRequest(
            connection_pool_size=16, read_timeout=answer_within_s, httpx_kwargs={"trust_env": False}
        )
        bot: ExtBot[Any] = ExtBot(
            telegram.token,
            base_url=telegram.base_url,
            request=request,
            rate_limiter=AIORateLimiter(max_retries=0),
        )
        mail = Mail(telegram, clock, database, bot, _outbox(bot, database, clock))
        await request.initialize()
        await mail.outbox.start()
        try:
            yield mail
        finally:
            await mail.outbox.close()
            await request.shutdown()


def _outbox(bot: ExtBot[Any], database: Database, clock: ManualClock) -> Outbox:
    return Outbox(database, Sender(bot), Pace(clock), clock)
