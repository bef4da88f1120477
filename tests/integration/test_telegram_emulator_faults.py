import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    NetworkError,
    RetryAfter,
    TimedOut,
)

from noctule.core.clock import ManualClock
from tests.support.telegram.faults import Fault, Trouble
from tests.support.telegram.flood import Flood, Limits
from tests.support.telegram.refusals import Refusal, bad_request, conflict, forbidden
from tests.support.telegram.remote import RemoteTelegram
from tests.support.telegram.server import TelegramServer
from tests.support.telegram.threaded import ThreadedTelegram
from tests.support.telegram.world import TOKEN


@pytest.fixture(autouse=True)
def times_are_timedeltas(monkeypatch):
    """Without this python-telegram-bot warns when it makes a RetryAfter: an error in tests."""
    monkeypatch.setenv("PTB_TIMEDELTA", "true")


@pytest.fixture
def clock():
    """Stands still: what takes seconds here takes none."""
    return ManualClock()


@pytest.fixture
async def telegram(clock) -> AsyncIterator[TelegramServer]:
    async with TelegramServer(clock=clock) as server:
        yield server


@pytest.fixture
async def bot(telegram: TelegramServer) -> AsyncIterator[Bot]:
    async with Bot(telegram.token, base_url=telegram.base_url) as bot:
        yield bot


@pytest.fixture
def anna(telegram):
    phone = telegram.phone("Anna")
    phone.says("/start")
    return phone


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (Refusal(500, "Internal Server Error"), NetworkError),
        (Refusal(502, "Bad Gateway"), NetworkError),
        (bad_request("can't parse entities: odd"), BadRequest),
        (forbidden("bot was blocked by the user"), Forbidden),
        (conflict("terminated by other getUpdates request"), Conflict),
    ],
)
async def test_refusals_come_once_each(telegram, bot, anna, refusal, error):
    """A queued refusal is answered to the next call that fits; the one after it goes well."""
    telegram.faults.add(Fault.refuse(refusal, method="sendMessage", chat=anna.chat.id))
    await bot.send_chat_action(anna.chat.id, "typing")
    with pytest.raises(error):
        await bot.send_message(anna.chat.id, "lost")
    refused = telegram.calls.all[-1]
    assert (refused.code, refused.said, refused.took_effect) == (
        refusal.code,
        refusal.description,
        False,
    )
    await bot.send_message(anna.chat.id, "sent")
    assert [message.text for message in anna.answers()] == ["sent"]
    assert telegram.faults.waiting == []


async def test_flood_control_says_how_long_to_wait(telegram, bot, anna):
    """A 429 carries its seconds; faults come in order and for as many calls as they say."""
    telegram.faults.add(Fault.flood(60, times=2, skip=1, method="sendMessage"))
    await bot.send_message(anna.chat.id, "goes well")
    for _ in range(2):
        with pytest.raises(RetryAfter, match="Retry in 0:01:00"):
            await bot.send_message(anna.chat.id, "too fast")
    await bot.send_message(anna.chat.id, "goes well again")
    assert len(anna.answers()) == 2


@pytest.mark.parametrize(
    ("trouble", "error", "arrives"),
    [
        (Trouble.HANG_BEFORE, TimedOut, False),
        (Trouble.HANG_AFTER, TimedOut, True),
        (Trouble.DROP_BEFORE, NetworkError, False),
        (Trouble.DROP_AFTER, NetworkError, True),
    ],
)
async def test_an_answer_may_be_lost(telegram, bot, anna, trouble, error, arrives):
    """Time-outs and dropped connections come before or after the message was sent."""
    telegram.faults.add(Fault(trouble, method="sendMessage"))
    with pytest.raises(error):
        await bot.send_message(anna.chat.id, "perhaps", read_timeout=0.1)
    assert [message.text for message in anna.answers()] == ["perhaps"] * arrives
    (call,) = await telegram.calls.until("sendMessage")
    assert (call.code, call.took_effect) == (None, arrives)
    await bot.send_message(anna.chat.id, "surely")
    assert anna.answers()[-1].text == "surely"


async def test_an_answer_may_be_late(telegram, bot, anna, clock):
    """A slow call is carried out at once and answered after its seconds."""
    telegram.faults.add(Fault(Trouble.SLOW, seconds=4))
    sending = asyncio.ensure_future(bot.send_message(anna.chat.id, "late"))
    await anna.hears("late")
    assert not sending.done()
    await clock.advance(4)
    await sending
    (call,) = telegram.calls.of("sendMessage")
    assert (call.ended - call.at, anna.answers()[0].sent_at - call.at) == (4, 0)


async def test_polls_fail_only_when_they_are_named(telegram, bot, anna):
    """A fault without a method leaves getUpdates alone; one for it ends the next poll."""
    telegram.faults.add(Fault.refuse(Refusal(500, "Internal Server Error")))
    assert len(await bot.get_updates()) == 1
    telegram.faults.clear()
    telegram.faults.add(Fault(Trouble.DROP_BEFORE, method="getupdates"))
    with pytest.raises(NetworkError):
        await bot.get_updates()
    assert len(await bot.get_updates()) == 1


async def test_an_optional_method_may_be_missing(telegram, bot, anna):
    """On an older server a method is not found, however often it is asked for."""
    telegram.faults.add(Fault.missing("sendMessageDraft"))
    for _ in range(2):
        with pytest.raises(Exception, match="method not found"):
            await bot.send_message_draft(anna.chat.id, 1, "x")
    assert telegram.calls.all[-1].code == 404
    assert anna.draft() is None


async def test_updates_may_come_twice_and_out_of_order(telegram, bot, anna):
    """A confirmed update is delivered again on demand; a batch may begin with its latest."""
    (first,) = await bot.get_updates()
    assert await bot.get_updates(offset=first.update_id + 1) == ()
    telegram.updates.repeat(telegram.updates.history[0])
    anna.says("two")
    again = await bot.get_updates(offset=first.update_id + 1)
    assert [update.update_id for update in again] == [first.update_id, first.update_id + 1]
    anna.says("three")
    telegram.updates.reverse_next()
    backwards = await bot.get_updates(offset=first.update_id + 1)
    assert [update.message.text for update in backwards] == ["three", "two"]
    assert len(await bot.get_updates()) == 2


async def test_a_person_who_blocks_the_bot_gets_nothing(telegram, bot, anna):
    """Blocking is told and refuses everything until the person unblocks or writes again."""
    anna.blocks()
    member = (await bot.get_updates())[-1].my_chat_member
    assert member.new_chat_member.status == "kicked"
    with pytest.raises(Forbidden, match="bot was blocked by the user"):
        await bot.send_message(anna.chat.id, "hello?")
    anna.unblocks()
    await bot.send_message(anna.chat.id, "hello!")
    anna.blocks()
    anna.says("back")
    await bot.send_message(anna.chat.id, "hello again")


async def test_a_group_that_became_a_supergroup_has_another_id(telegram, bot, anna):
    """Messages to the old id are refused with the new one, which works."""
    old = telegram.chats.group("Team", anna.owner)
    new = anna.upgrades(old)
    told = [update.message for update in await bot.get_updates()][-2:]
    assert told[0].migrate_to_chat_id == new.id
    assert told[1].migrate_from_chat_id == old.id
    with pytest.raises(ChatMigrated) as moved:
        await bot.send_message(old.id, "x")
    assert moved.value.new_chat_id == new.id
    await bot.send_message(new.id, "x")
    assert [message.text for message in anna.answers(new)] == ["x"]


async def test_a_bot_is_put_into_a_group_and_thrown_out(telegram, bot, anna):
    """The bot is told both, and what it writes afterwards is refused."""
    group = telegram.chats.group("Team", anna.owner)
    anna.adds_bot(group)
    assert (await bot.get_updates())[-1].my_chat_member.new_chat_member.status == "member"
    await bot.send_message(group.id, "Hello, all.")
    anna.removes_bot(group)
    assert (await bot.get_updates())[-1].my_chat_member.new_chat_member.status == "kicked"
    with pytest.raises(Forbidden, match="bot was kicked from the group chat"):
        await bot.send_message(group.id, "x")


async def test_too_many_messages_are_refused_when_told_so(anna, telegram, bot):
    """With limits enforced the sixth message at once gets a 429; without, it is only counted."""
    for number in range(6):
        await bot.send_message(anna.chat.id, f"message {number}")
    assert len(telegram.flood.over) == 1
    assert telegram.flood.peak(1.0, anna.chat.id) == 6
    telegram.flood.enforced = True
    with pytest.raises(RetryAfter):
        await bot.send_message(anna.chat.id, "one too many")
    assert len(anna.answers()) == 6


async def test_a_chat_that_is_closed_opens_by_itself(telegram, bot, anna, clock):
    """After a flood everything to the chat is refused until the time is over, other chats not."""
    ben = telegram.phone("Ben")
    ben.says("/start")
    telegram.close_chat(anna.chat, 30)
    with pytest.raises(RetryAfter, match="Retry in 0:00:30"):
        await bot.send_message(anna.chat.id, "not yet")
    await clock.advance(20)
    with pytest.raises(RetryAfter, match="Retry in 0:00:10"):
        await bot.send_message(anna.chat.id, "not yet")
    await bot.send_message(ben.chat.id, "open")
    await clock.advance(10)
    await bot.send_message(anna.chat.id, "open again")
    assert [message.text for message in anna.answers()] == ["open again"]


async def test_limits_hold_per_chat_group_and_in_all(clock):
    """One a second in a chat, 20 a minute in a group, 30 a second in all, counted by the clock."""

    def refused(flood: Flood, chat: int) -> int | None:
        try:
            flood.count("sendMessage", chat, clock.monotonic())
        except Refusal as refusal:
            return refusal.parameters["retry_after"]
        return None

    flood = Flood(enforced=True, limits=Limits(burst=1))
    assert refused(flood, 1) is None
    assert refused(flood, 1) == 1
    await clock.advance(0.5)
    assert refused(flood, 1) == 1
    await clock.advance(1.0)
    assert refused(flood, 1) is None
    flood.count("sendChatAction", 1, clock.monotonic())

    group = Flood(enforced=True, limits=Limits(burst=100))
    assert [refused(group, -5) for _ in range(21)] == [None] * 20 + [60]
    await clock.advance(60)
    assert refused(group, -5) is None

    crowd = Flood(enforced=True)
    assert [refused(crowd, chat) for chat in range(1, 32)] == [None] * 30 + [1]
    assert (crowd.peak(1.0), len(crowd.over)) == (31, 1)


async def test_a_client_that_hangs_up_ends_its_poll(telegram, bot):
    """A poll whose client has gone does not take the next update with it."""
    anna = telegram.phone("Anna")
    waiting = asyncio.ensure_future(bot.get_updates(timeout=20))
    await telegram.updates.until_polled()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await telegram.calls.pulse.until(lambda: telegram.calls.all[-1].ended is not None, 5)
    anna.says("still there")
    (update,) = await bot.get_updates()
    assert update.message.text == "still there"


def test_it_runs_in_a_thread_for_tests_that_are_not_asynchronous():
    """Everything is done in the server's thread, and waited for from outside."""

    async def answer(token: str, base_url: str) -> None:
        async with Bot(token, base_url=base_url) as bot:
            (update,) = await bot.get_updates(timeout=10)
            await bot.send_message(update.message.chat_id, f"heard {update.message.text}")

    with ThreadedTelegram() as telegram:
        ben = telegram.do(telegram.server.phone, "Ben")
        telegram.do(ben.says, "hello")
        asyncio.run(answer(telegram.server.token, telegram.server.base_url))
        assert telegram.wait(ben.hears("heard hello")).from_bot


@pytest.mark.process
async def test_it_runs_in_a_process_of_its_own(tmp_path):
    """A person is driven from another process; calls are logged, without the token."""
    log = tmp_path / "calls.jsonl"
    async with RemoteTelegram("--log", str(log)) as telegram:
        anna = telegram.phone("Anna")
        await anna.says("hello")
        async with Bot(telegram.token, base_url=telegram.base_url) as bot:
            (update,) = await bot.get_updates()
            markup = InlineKeyboardMarkup.from_button(InlineKeyboardButton("Go", callback_data="g"))
            waiting = asyncio.ensure_future(anna.until(lambda seen: seen[-1]["from_bot"] and seen))
            await bot.send_message(update.message.chat_id, "hi", reply_markup=markup)
            answer = (await waiting)[-1]
            assert (answer["text"], answer["buttons"]) == ("hi", ["Go"])
            query = await anna.do("presses", message=answer["message_id"], button="Go")
            await bot.answer_callback_query(query, "Gone")
            assert await telegram.ask("press", id=query) == {"answered": True, "answer": "Gone"}
            refusal = {"trouble": "refuse", "code": 500, "method": "sendMessage"}
            assert await telegram.ask("faults", faults=[refusal]) == 1
            with pytest.raises(NetworkError):
                await bot.send_message(update.message.chat_id, "lost")
        assert "Noctule: hi" in await anna.do("transcript", times=False)
        with pytest.raises(ValueError, match="no dance; there are: person"):
            await telegram.ask("dance")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["code"] for line in lines if line["method"] == "sendMessage"] == [200, 500]
    assert TOKEN not in log.read_text()
