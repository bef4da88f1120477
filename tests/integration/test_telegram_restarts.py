"""A bot that is ended and begun again at awkward moments: what was said is still answered, once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from noctule.core.clock import SystemClock
from tests.support.provider import Provider, Reply
from tests.support.telegram.messages import Message
from tests.support.telegram.phone import Phone
from tests.support.telegram.server import TelegramServer
from tests.support.telegram_rig import OWNER, fast_telegram, open_bot

pytestmark = pytest.mark.process

_REAL = SystemClock()


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with fast_telegram() as server:
        yield server


@pytest.fixture
def anna(telegram: TelegramServer) -> Phone:
    return telegram.phone(OWNER)


async def the_answers(phone: Phone, count: int) -> list[Message]:
    """Wait for so many finished answers."""

    def finished(seen: list[Message]) -> list[Message] | None:
        found = [one for one in seen if one.from_bot and one.button_texts]
        return found if len(found) >= count else None

    found = await phone.until(finished)
    assert found is not None
    return found


async def test_an_album_that_was_cut_off_is_one_message_after_the_start(
    tmp_path: Path, telegram: TelegramServer, anna: Phone
) -> None:
    """Its parts count as handled only when the turn is made of them."""
    async with Provider(default=Reply(text="Nice.")) as provider:
        async with open_bot(tmp_path, provider, telegram=telegram):
            await telegram.updates.until_polled()
            anna.sends_album(3, caption="hello, look")
            await telegram.updates.until_confirmed()
        assert anna.answers() == []
        async with open_bot(tmp_path, provider, telegram=telegram) as bot:
            (answer,) = await the_answers(anna, 1)
            async with bot.records.database.read() as work:
                (session,) = await work.sessions.list()
                (turn,) = await work.turns.of_session(session.id)
    assert answer.text.startswith("Nice.")
    assert len(turn.attachments) == 3


async def test_what_was_said_while_the_bot_was_off_is_answered_in_order(
    tmp_path: Path, telegram: TelegramServer, anna: Phone
) -> None:
    """Also with updates delivered twice at the start."""

    async with Provider(
        decide=lambda request: Reply(text=f"To {request.last_user_text}.")
    ) as provider:
        async with open_bot(tmp_path, provider, telegram=telegram):
            anna.says("hello one")
            await the_answers(anna, 1)
        anna.says("hello two")
        anna.says("hello three")
        telegram.updates.repeat(*telegram.updates.history)
        async with open_bot(tmp_path, provider, telegram=telegram):
            answers = await the_answers(anna, 3)
    assert [answer.text.splitlines()[0] for answer in answers] == [
        "To hello one.",
        "To hello two.",
        "To hello three.",
    ]


async def test_an_answer_that_came_while_the_bot_could_not_send_is_sent_after_the_start(
    tmp_path: Path, telegram: TelegramServer, anna: Phone
) -> None:
    """Stored before it is sent, in flood control, over an end and a start."""
    async with Provider(default=Reply(text="Here you are.")) as provider:
        async with open_bot(tmp_path, provider, telegram=telegram) as bot:
            telegram.close_chat(anna.chat, 120)
            anna.says("hello")
            for _ in range(200):
                async with bot.records.database.read() as work:
                    waiting = await work.outbox.waiting("telegram")
                if any(message.purpose == "reply" for message in waiting):
                    break
                await _REAL.sleep(0.05)
            assert anna.answers() == []
        async with open_bot(tmp_path, provider, telegram=telegram):
            (answer,) = await the_answers(anna, 1)
    assert answer.text.startswith("Here you are.")
    assert len([m for m in anna.answers() if "Here you are." in m.text]) == 1
