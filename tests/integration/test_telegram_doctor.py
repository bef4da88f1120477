"""What the doctor says of the bot, asked of the emulator; nothing that waits is lost by asking."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from telegram import Bot
from telegram.error import Conflict, TelegramError

from noctule.core.clock import SystemClock
from noctule.core.settings import TelegramSettings
from noctule.doctor.finding import Finding, Level
from noctule.doctor.telegram import BotQuestions
from tests.support.shell import Shell
from tests.support.small_config import CONFIG
from tests.support.telegram.faults import Fault
from tests.support.telegram.refusals import Refusal
from tests.support.telegram.server import TelegramServer

_REAL = SystemClock()
SECRET = "s3cret-of-the-webhook"


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server


async def asked(
    telegram: TelegramServer, *, people: int | None = 1, served: bool = False, **settings: Any
) -> list[Finding]:
    """Return what is found."""
    given = {"token": telegram.token, "base_url": telegram.base_url, **settings}
    return await BotQuestions(
        TelegramSettings(**given), people, served=served, listen_s=1
    ).findings()


def trouble(found: list[Finding]) -> list[tuple[Level, str]]:
    """Return level and sentence of what is not as it should be; each of it has a fix."""
    bad = [finding for finding in found if finding.level is not Level.OK]
    assert all(finding.fix for finding in bad)
    return [(finding.level, finding.sentence) for finding in bad]


async def test_a_sound_bot_says_its_name(telegram: TelegramServer) -> None:
    """And what waits for it goes on waiting."""
    telegram.phone("Anna").says("hello")
    found = await asked(telegram)
    assert [finding.sentence for finding in found] == ["The bot is @noctule_test_bot."]
    assert len(telegram.updates.pending) == 1


async def test_without_a_token_there_is_nothing_to_say() -> None:
    """No bot is no fault."""
    assert await BotQuestions(TelegramSettings(), 0, served=False).findings() == []


async def test_a_wrong_token_is_told_without_it(telegram: TelegramServer) -> None:
    """And how to get the right one."""
    found = await asked(telegram, token="7:wrong")
    assert trouble(found) == [(Level.ERROR, "Telegram refuses the token.")]
    assert "7:wrong" not in repr(found)


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:9/bot", "http://[::1/bot"])
async def test_a_base_url_that_is_nowhere_is_told(telegram: TelegramServer, base_url: str) -> None:
    """The token, which stands behind it, is not repeated."""
    found = await asked(telegram, base_url=base_url)
    ((level, sentence),) = trouble(found)
    assert level is Level.ERROR
    assert sentence.startswith("The Bot API cannot be reached (")
    assert telegram.token not in repr(found)


async def test_a_base_url_of_something_else_is_told(telegram: TelegramServer) -> None:
    """Whatever answers there, it is no Bot API."""
    telegram.faults.add(Fault.refuse(Refusal(502, "Bad Gateway"), method="getMe"))
    ((level, sentence),) = trouble(await asked(telegram))
    assert level is Level.ERROR
    assert "it is failing (HTTP 502)" in sentence


async def test_a_webhook_left_over_is_told(telegram: TelegramServer) -> None:
    """With it nobody can poll; the configured one is none."""
    async with Bot(telegram.token, base_url=telegram.base_url) as bot:
        await bot.set_webhook("https://old.example/hook")
    ((level, sentence),) = trouble(await asked(telegram))
    assert (level, "old webhook" in sentence) == (Level.WARNING, True)
    mine = {"url": "https://old.example/hook", "secret": SECRET}
    assert trouble(await asked(telegram, webhook=mine)) == []
    other = {"url": "https://new.example/hook", "secret": SECRET}
    ((level, sentence),) = trouble(await asked(telegram, webhook=other))
    assert (level, "a different address" in sentence) == (Level.WARNING, True)


async def test_a_webhook_telegram_cannot_use_is_told(telegram: TelegramServer) -> None:
    """It posts to https only, and sends along only letters, digits, _ and -."""
    found = await asked(telegram, webhook={"url": "http://x.example", "secret": "ö"})
    assert [level for level, _ in trouble(found)] == [Level.ERROR] * 2
    assert "ö" not in repr(found)


async def test_a_second_one_who_polls_is_told(telegram: TelegramServer) -> None:
    """Unless it is this folder's own `noctule serve`."""

    async def polls() -> None:
        async with Bot(telegram.token, base_url=telegram.base_url) as bot:
            while True:
                try:
                    await bot.get_updates(timeout=10)
                except Conflict:
                    await _REAL.sleep(0.1)
                except TelegramError:
                    return

    other = asyncio.create_task(polls())
    await telegram.updates.until_polled()
    try:
        ((level, sentence),) = trouble(await asked(telegram))
        assert (level, "Another program" in sentence) == (Level.ERROR, True)
        assert trouble(await asked(telegram, served=True)) == []
    finally:
        other.cancel()
        await asyncio.gather(other, return_exceptions=True)


async def test_who_may_talk_is_told_when_nobody_may(telegram: TelegramServer) -> None:
    """With a list, or once somebody paired, there is nothing to say."""
    assert [level for level, _ in trouble(await asked(telegram, people=0))] == [Level.ADVICE]
    assert trouble(await asked(telegram, people=0, allow=[7])) == []
    assert trouble(await asked(telegram, people=None)) == []


@pytest.mark.process
async def test_the_command_says_it_and_never_the_token(
    telegram: TelegramServer, tmp_path: Any
) -> None:
    """`noctule doctor` on a configuration with a bot."""
    config = CONFIG + f'telegram: {{token: "${{BOT}}", base_url: "{telegram.base_url}"}}\n'
    shell = Shell(tmp_path, config, BOT=telegram.token)
    done = await shell("doctor")
    assert "telegram: The bot is @noctule_test_bot." in done.out
    assert "telegram: The bot has no owner yet." in done.out
    assert telegram.token not in done.out + done.err
