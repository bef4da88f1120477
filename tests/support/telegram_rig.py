"""A bot on loopback: the emulator, a provider, a worker and the channel, all in the test's loop.

In a test::

    async with Provider(default=Reply(text="Hello.")) as provider:
        async with open_bot(tmp_path, provider) as bot:
            anna = bot.owner
            answer = await anna.asks("hi")

A clock that runs faster, real HTTP on both sides; ``Rig`` and ``RemoteTelegram`` are for whole
processes.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from noctule.bootstrap import Records, open_records, open_runtime, open_worker
from noctule.channels.telegram.channel import open_telegram
from noctule.config import load
from noctule.core.clock import ScaledClock
from tests.support.command_line import ROLES, CommandLine
from tests.support.provider import Provider
from tests.support.telegram.people import Person
from tests.support.telegram.phone import Phone
from tests.support.telegram.server import TelegramServer

FASTER = 20.0
"""The bot paces itself in seconds: an edit a second, a look every four. No test waits for that."""

OWNER = Person(1001, "Anna", "anna")
GUEST = Person(1002, "Bert", "bert")


@dataclass
class Bot:
    """A bot at work.

    Args:
        telegram: the emulator.
        records: the database behind it.
        owner: the phone of the first on the list.
        guest: the phone of the second.
        said: what was shown on the terminal.
    """

    telegram: TelegramServer
    records: Records
    owner: Phone
    guest: Phone
    said: list[str] = field(default_factory=list)


def fast_telegram(**given: Any) -> TelegramServer:
    """Return an emulator on the rig's clock, for a bot that ends before it does."""
    return TelegramServer(clock=ScaledClock(FASTER), **given)


@asynccontextmanager
async def open_bot(
    folder: Path,
    provider: Provider,
    *,
    telegram: TelegramServer | None = None,
    settings: dict[str, Any] | None = None,
    works: bool = True,
    **config: Any,
) -> AsyncIterator[Bot]:
    """Open one.

    Args:
        folder: the data folder, empty or from an earlier one.
        provider: who answers.
        telegram: an emulator that outlives the bot, with the clock of both; None starts one.
        settings: of the section ``telegram``, over those of the rig.
        works: whether a worker runs.
        config: further sections of the configuration.
    """
    if telegram is None:
        async with (
            fast_telegram() as server,
            _open(folder, provider, server, settings or {}, works=works, **config) as bot,
        ):
            yield bot
    else:
        async with _open(folder, provider, telegram, settings or {}, works=works, **config) as bot:
            yield bot


@asynccontextmanager
async def _open(
    folder: Path,
    provider: Provider,
    telegram: TelegramServer,
    settings: dict[str, Any],
    *,
    works: bool,
    **config: Any,
) -> AsyncIterator[Bot]:
    owner, guest = telegram.phone(OWNER), telegram.phone(GUEST)
    line = CommandLine(folder)
    line.env["NOCTULE_TEST_TOKEN"] = telegram.token
    path = line.configure(
        {
            "endpoints": {"shop": {"kind": "openai", "url": provider.openai_url, "local": True}},
            "models": {"loop": {"endpoint": "shop", "name": "loop", "context": 32000}},
            "roles": {role: {"primary": "loop"} for role in ROLES},
            "limits": {"queue_timeout": "0s"},
            "telegram": {
                "token": "${NOCTULE_TEST_TOKEN}",
                "base_url": telegram.base_url,
                "allow": [OWNER.id, GUEST.id],
                **settings,
            },
            **config,
        }
    )
    said: list[str] = []
    async with (
        open_records(load(path, environ=line.env), clock=telegram.clock) as records,
        open_runtime(records) as runtime,
    ):
        bot = Bot(telegram, records, owner, guest, said)
        if not works:
            async with open_telegram(records, said.append):
                yield bot
            return
        async with open_worker(runtime), open_telegram(records, said.append):
            yield bot
