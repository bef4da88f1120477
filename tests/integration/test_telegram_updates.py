"""Updates: stored before they are confirmed, handled once, in order, whatever the polls do."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from telegram.error import NetworkError
from telegram.ext import ExtBot
from telegram.request import HTTPXRequest

from noctule.channels.telegram.inbound.inbox import (
    CUT_OFFS,
    TRIES,
    Inbox,
)
from noctule.channels.telegram.inbound.poller import Poller
from noctule.channels.telegram.inbound.raw_updates import UnreadableError
from noctule.channels.telegram.inbound.webhook import Webhook
from noctule.core.clock import ManualClock, SystemClock
from noctule.core.errors import DatabaseBusyError, StorageUnavailableError, UsageError
from noctule.core.messaging.messages import InboxUpdate
from noctule.core.settings import TelegramSettings
from storage.sqlite.database import SqliteDatabase
from tests.support.provider import Provider, Reply
from tests.support.scratch import scratch_database
from tests.support.telegram.faults import Fault, Trouble
from tests.support.telegram.refusals import Refusal, conflict
from tests.support.telegram.server import TelegramServer
from tests.support.telegram_rig import OWNER, open_bot

_REAL = SystemClock()
BOT = "telegram:1"


@dataclass
class Post:
    """An inbox, a poller over it, and what became of the updates.

    Args:
        telegram: the emulator; its time is real.
        clock: of inbox and poller; stands still.
        database: what is stored.
        said: what was told on the terminal.
        handled: the texts that were handled, in order.
        gave_up: the updates given up, with the reason.
        meddle: called with each update before it counts as handled.
        bundles: the numbers of what was handled together.
    """

    telegram: TelegramServer
    clock: ManualClock = field(default_factory=ManualClock)
    database: SqliteDatabase = field(default_factory=scratch_database)
    said: list[str] = field(default_factory=list)
    handled: list[str] = field(default_factory=list)
    gave_up: list[tuple[int, str]] = field(default_factory=list)
    meddle: Callable[[InboxUpdate], Awaitable[None]] | None = None
    bundles: list[list[int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.inbox = Inbox(BOT, self.database, self._handle, self._give_up, self.clock)

    async def _handle(self, updates: Sequence[InboxUpdate]) -> None:
        for update in updates:
            if self.meddle is not None:
                await self.meddle(update)
            self.handled.append(str(update.payload["message"]["text"]))
        self.bundles.append([update.number for update in updates])

    async def _give_up(self, update: InboxUpdate, why: str) -> None:
        self.gave_up.append((update.number, why))

    @asynccontextmanager
    async def polling(self, **settings: Any) -> AsyncIterator[None]:
        """Poll while the block runs."""
        request = HTTPXRequest(read_timeout=1, httpx_kwargs={"trust_env": False})
        await request.initialize()
        bot: ExtBot[None] = ExtBot(
            self.telegram.token, base_url=self.telegram.base_url, get_updates_request=request
        )
        poller = Poller(
            bot,
            self.inbox,
            clock=self.clock,
            say=self.said.append,
            settings=TelegramSettings(**settings),
        )
        await self.inbox.start()
        task = asyncio.create_task(poller.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.inbox.close()
            await request.shutdown()

    async def until(self, seen: Callable[[], Any], *, step: float = 0.5) -> None:
        """Let time pass until something is so."""
        for _ in range(2000):
            if seen():
                return
            await self.clock.advance(step)
            await _REAL.sleep(0.005)
        raise AssertionError(f"it never happened; handled: {self.handled}, said: {self.said}")

    async def waiting(self) -> list[int]:
        """Return the numbers of what is stored and not handled."""
        async with self.database.read() as work:
            return [update.number for update in await work.inbox.waiting(BOT)]


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server


@pytest.fixture
def post(telegram: TelegramServer) -> Post:
    return Post(telegram)


def an_update(number: int, text: str = "hi", chat: int = 7) -> dict[str, Any]:
    """Return an update as Telegram sends it."""
    message = {"message_id": number, "date": 0, "chat": {"id": chat, "type": "private"}}
    return {"update_id": number, "message": {**message, "text": text}}


async def test_what_was_said_before_the_start_is_handled(post: Post) -> None:
    """Pending updates are never dropped."""
    anna = post.telegram.phone("Anna")
    for text in ("one", "two", "three"):
        anna.says(text)
    async with post.polling():
        await post.until(lambda: len(post.handled) == 3)
    assert post.handled == ["one", "two", "three"]


async def test_updates_twice_and_backwards_are_handled_once_in_order(post: Post) -> None:
    """The number decides, not the delivery."""
    anna = post.telegram.phone("Anna")
    post.telegram.updates.reverse_next()
    for text in ("one", "two", "three"):
        anna.says(text)
    async with post.polling():
        await post.until(lambda: len(post.handled) == 3)
        post.telegram.updates.repeat(*post.telegram.updates.history)
        anna.says("four")
        await post.until(lambda: len(post.handled) == 4)
    assert post.handled == ["one", "two", "three", "four"]


async def test_an_update_is_stored_before_it_is_confirmed(post: Post) -> None:
    """While the database refuses, Telegram keeps the updates; afterwards they are handled."""
    anna = post.telegram.phone("Anna")
    anna.says("one")
    busy = count()
    take = post.inbox.take

    async def stumbles(payloads: Any) -> int | None:
        if next(busy) < 3:
            raise DatabaseBusyError("The database is busy. Try again.")
        return await take(payloads)

    post.inbox.take = stumbles  # type: ignore[method-assign]  # a database that is busy for a while
    async with post.polling():
        await post.until(lambda: next(busy) > 8)
        await post.until(lambda: post.handled)
    assert post.handled == ["one"]
    assert len([said for said in post.said if "cannot be stored" in said]) == 1


async def test_after_a_week_of_silence_lower_numbers_are_not_lost(post: Post) -> None:
    """Telegram may begin its numbers anew, anywhere (Bot API, Update)."""
    anna = post.telegram.phone("Anna")
    async with post.polling():
        anna.says("old")
        await post.until(lambda: post.handled == ["old"])
        post.clock.jump(timedelta(days=8).total_seconds())
        post.telegram.updates._ids = count(1000)
        await post.telegram.updates.until_confirmed()
        anna.says("first poll after the silence, with the old number")
        await post.until(lambda: len(post.handled) == 2)
        anna.says("next")
        await post.until(lambda: len(post.handled) == 3)
    again = Post(post.telegram, database=post.database)
    anna.says("after a restart")
    async with again.polling():
        await again.until(lambda: again.handled)
    assert post.handled[-1] == "next"
    assert again.handled == ["after a restart"]


async def test_two_who_poll_are_told_once_and_polling_goes_on(post: Post) -> None:
    """A conflict is said plainly, not every half minute, and ends by itself."""
    anna = post.telegram.phone("Anna")
    refusal = conflict("terminated by other getUpdates request")
    post.telegram.faults.add(Fault.refuse(refusal, method="getUpdates", times=3))
    post.telegram.faults.add(Fault.refuse(refusal, method="getUpdates", times=2, skip=2))
    anna.says("one")
    async with post.polling(poll_timeout="1s"):
        await post.until(lambda: post.handled == ["one"])
        await post.until(lambda: len(post.telegram.calls.of("getUpdates")) > 7, step=0.1)
    assert [said for said in post.said if "another program polls" in said] == post.said[:1]


@pytest.mark.parametrize(
    "fault",
    [
        Fault.flood(60, method="getUpdates", times=2),
        Fault(Trouble.REFUSE, method="getUpdates", times=3),
        Fault(Trouble.DROP_BEFORE, method="getUpdates", times=3),
        Fault(Trouble.DROP_AFTER, method="getUpdates", times=3),
        Fault.refuse(Refusal(401, "Unauthorized"), method="getUpdates", times=2),
        Fault.refuse(Refusal(404, "Not Found"), method="getUpdates", times=2),
    ],
    ids=lambda fault: f"{fault.trouble.value}-{fault.code}",
)
async def test_polling_outlives_whatever_comes(post: Post, fault: Fault) -> None:
    """What was said meanwhile is handled, once; trouble is told once."""
    post.telegram.faults.add(fault)
    anna = post.telegram.phone("Anna")
    anna.says("one")
    async with post.polling(poll_timeout="1s"):
        await post.until(lambda: post.handled)
        anna.says("two")
        await post.until(lambda: len(post.handled) == 2)
    assert post.handled == ["one", "two"]
    assert len(post.said) in {0, 2}
    assert post.said[1:] in ([], ["Telegram answers again."])


async def test_an_update_that_fails_is_tried_again_and_then_told(post: Post) -> None:
    """A few times, with its reason in the end; the next one is handled."""
    tries = count(1)

    async def fails(update: InboxUpdate) -> None:
        if update.number == 1 and next(tries):
            raise UsageError("It cannot be. Do something else.")

    post.meddle = fails
    await post.inbox.take([an_update(1), an_update(2, "two")])
    await post.until(lambda: post.handled)
    assert post.gave_up == [(1, "It cannot be. Do something else.")]
    assert next(tries) == TRIES + 1
    assert await post.waiting() == []


async def test_what_a_break_says_is_in_no_log(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    """An error may quote a message: its kind and its place are logged, its words are not."""
    caplog.set_level(logging.DEBUG)

    async def breaks(update: InboxUpdate) -> None:
        raise ValueError(f"bad value {update.payload['message']['text']!r}")

    post.meddle = breaks
    await post.inbox.take([an_update(1, "my secret wish")])
    await post.until(lambda: post.gave_up)
    assert "ValueError in breaks" in caplog.text
    assert "secret wish" not in caplog.text
    assert "ValueError" in post.gave_up[0][1]


async def test_a_database_that_is_busy_or_away_costs_an_update_no_try(post: Post) -> None:
    """It is no fault of the update's."""
    tries = count()

    async def busy(_: InboxUpdate) -> None:
        number = next(tries)
        if number < TRIES * 2:
            raise DatabaseBusyError("The database is busy. Try again.")
        if number < TRIES * 4:
            raise StorageUnavailableError("The database is away. Start it.")

    post.meddle = busy
    await post.inbox.take([an_update(1, "one")])
    await post.until(lambda: post.handled)
    assert post.gave_up == []


async def test_an_outage_while_handling_is_waited_out(post: Post) -> None:
    """Files are fetched from Telegram: a minute without it loses no message."""
    tries = count()

    async def unreachable(_: InboxUpdate) -> None:
        if next(tries) < 60:
            raise NetworkError("nobody there")

    post.meddle = unreachable
    await post.inbox.take([an_update(1, "one")])
    await post.until(lambda: post.handled)
    assert post.gave_up == []


async def test_an_update_that_ends_the_process_each_time_ends_once(post: Post) -> None:
    """Kills do not use up its tries quickly; only after a dozen it is given up, and said."""
    async with post.database.work() as work:
        cut = InboxUpdate(BOT, 1, "7", an_update(1, "killer"), post.clock.now(), tries=CUT_OFFS)
        often = InboxUpdate(
            BOT, 2, "7", an_update(2, "unlucky"), post.clock.now(), tries=CUT_OFFS - 1
        )
        await work.inbox.add([cut, often])
        await work.commit()
    await post.inbox.start()
    await post.until(lambda: post.handled)
    assert post.handled == ["unlucky"]
    assert [number for number, _ in post.gave_up] == [1]


def a_part(number: int, text: str, *, at: int = 100, by: int = 7, **more: Any) -> dict[str, Any]:
    """Return an update with a text of somebody, said at a second."""
    update = an_update(number, text)
    sender = {"id": by, "is_bot": False, "first_name": "A"}
    update["message"] |= {"date": at, "from": sender, **more}
    return update


FORWARD: dict[str, Any] = {
    "forward_origin": {"type": "hidden_user", "sender_user_name": "M", "date": 1}
}


async def test_what_belongs_together_is_handled_together(post: Post) -> None:
    """A paste the app cut, an album, several forwards, a comment and its forward; nothing else."""
    full, long, rest = "x" * 4096, "y" * 2500, "z" * 1700
    album: dict[str, Any] = {"media_group_id": "55"}
    samples: dict[str, tuple[list[dict[str, Any]], list[list[int]]]] = {
        "a paste": ([a_part(1, full), a_part(2, full), a_part(3, "rest")], [[1, 2, 3]]),
        "cut at a paragraph": ([a_part(1, long), a_part(2, rest)], [[1, 2]]),
        "dated a second apart": ([a_part(1, full), a_part(2, "rest", at=101)], [[1, 2]]),
        "much later": ([a_part(1, full), a_part(2, "more", at=160)], [[1], [2]]),
        "two that fit": ([a_part(1, "x" * 2100), a_part(2, "y" * 900)], [[1], [2]]),
        "two short ones": ([a_part(1, "one"), a_part(2, "two")], [[1], [2]]),
        "two people": ([a_part(1, full), a_part(2, "mine", by=8)], [[1], [2]]),
        "another between": (
            [a_part(1, full), a_part(2, "mine", by=8), a_part(3, "rest")],
            [[1, 3], [2]],
        ),
        "an album": ([a_part(n, "", at=100 + n, **album) for n in (1, 2, 3)], [[1, 2, 3]]),
        "an album and a word": ([a_part(1, "", **album), a_part(2, "word")], [[1], [2]]),
        "forwards": ([a_part(n, f"f{n}", **FORWARD) for n in (1, 2, 3)], [[1, 2, 3]]),
        "a comment": ([a_part(1, "what is it?"), a_part(2, "f", **FORWARD)], [[1, 2]]),
        "a command": ([a_part(1, "/run it"), a_part(2, "f", **FORWARD)], [[1], [2]]),
        "a forward and a word": ([a_part(1, "f", **FORWARD), a_part(2, "no")], [[1], [2]]),
    }
    wrong = {}
    for name, (updates, expected) in samples.items():
        again = Post(post.telegram)
        await again.inbox.take(updates)
        await again.until(lambda: sum(map(len, again.bundles)) == len(updates))  # noqa: B023 - awaited at once
        if again.bundles != expected:
            wrong[name] = again.bundles
    assert wrong == {}


async def test_a_part_that_comes_with_the_next_poll_is_waited_for(post: Post) -> None:
    """A moment: then what there is, is handled."""
    full = "x" * 4096
    await post.inbox.take([a_part(1, full)])
    await post.clock.advance(0.5)
    await post.inbox.take([a_part(2, full)])
    await post.clock.advance(0.5)
    assert post.bundles == []
    await post.inbox.take([a_part(3, "rest")])
    await post.until(lambda: post.bundles)
    assert post.bundles == [[1, 2, 3]]
    await post.inbox.take([a_part(4, full, at=200)])
    await post.until(lambda: len(post.bundles) == 2)
    assert post.bundles[1] == [4]


async def test_parts_belong_together_after_a_restart(post: Post) -> None:
    """Stored and not handled yet: the next process handles them as one, and at once."""
    await post.inbox.take([a_part(1, "x" * 4096)])
    await post.clock.advance(0.2)
    await post.inbox.close()
    assert post.bundles == []
    again = Post(post.telegram, clock=post.clock, database=post.database)
    await again.inbox.start()
    await again.inbox.take([a_part(2, "rest")])
    await again.until(lambda: again.bundles)
    assert again.bundles == [[1, 2]]


async def test_a_chat_that_takes_long_holds_up_no_other(post: Post) -> None:
    """Updates of one chat wait for each other, those of two do not."""
    go = asyncio.Event()

    async def slow(update: InboxUpdate) -> None:
        if update.place == "7":
            await go.wait()

    post.meddle = slow
    await post.inbox.take([an_update(1, "a", 7), an_update(2, "b", 8), an_update(3, "c", 7)])
    await post.until(lambda: post.handled)
    assert post.handled == ["b"]
    go.set()
    await post.until(lambda: len(post.handled) == 3)
    assert post.handled == ["b", "a", "c"]


async def test_taking_while_handling_handles_nothing_twice(post: Post) -> None:
    """A look at what waits that began before something was over does not bring it back."""
    for number in range(1, 60):
        await post.inbox.take([an_update(number, str(number), chat=number % 5 + 1)])
        await _REAL.sleep(0)
    await post.until(lambda: len(post.handled) >= 59)
    assert sorted(post.handled, key=int) == [str(number) for number in range(1, 60)]


@asynccontextmanager
async def listening(post: Post) -> AsyncIterator[httpx.AsyncClient]:
    """Open a webhook and a client that knows where it is."""
    webhook = Webhook(post.inbox, port=0, secret="s3cret")
    webhook.start()
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{webhook.port}", trust_env=False
        ) as client:
            yield client
    finally:
        await webhook.close()


HEADER = {"X-Telegram-Bot-Api-Secret-Token": "s3cret"}


async def test_a_webhook_takes_only_posts_with_its_secret(post: Post) -> None:
    """Whoever finds the address can do nothing with it."""
    async with listening(post) as client:
        for headers in ({}, {"X-Telegram-Bot-Api-Secret-Token": "s3cre"}):
            response = await client.post("/", json=an_update(1), headers=headers)
            assert response.status_code == 403
        assert await post.waiting() == []
        assert (await client.get("/")).status_code == 405
        response = await client.post("/", json=an_update(1, "one"), headers=HEADER)
        assert response.status_code == 200
        await post.until(lambda: post.handled)
    assert post.handled == ["one"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"update_id": "x"}', b"\xff\xfe", b"null"])
async def test_a_webhook_takes_what_is_no_update_and_drops_it(
    post: Post, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Telegram would post anything but a 200 again, before all that comes after it."""
    async with listening(post) as client:
        response = await client.post("/", content=body, headers=HEADER)
    assert response.status_code == 200
    assert "holds no update" in caplog.text
    assert await post.waiting() == []


async def test_an_update_that_cannot_be_read_is_given_up_at_once(post: Post) -> None:
    """Trying again would change nothing; the ones behind it are handled."""
    tries = count(1)

    async def cannot(update: InboxUpdate) -> None:
        if update.number == 1 and next(tries):
            raise UnreadableError("its chat is none")

    post.meddle = cannot
    await post.inbox.take([an_update(1), an_update(2, "two")])
    await post.until(lambda: post.handled)
    assert [number for number, _ in post.gave_up] == [1]
    assert next(tries) == 2
    assert await post.waiting() == []


async def test_a_glance_that_breaks_keeps_nothing_from_being_stored(post: Post) -> None:
    """What is seen of an update before it is stored may be lost, the update may not."""

    def breaks(payload: Any) -> None:
        raise KeyError(payload["update_id"])

    post.inbox = Inbox(BOT, post.database, post._handle, post._give_up, post.clock, glance=breaks)
    assert await post.inbox.take([an_update(1, "one")]) == 2
    await post.until(lambda: post.handled)
    assert post.handled == ["one"]


async def test_what_0_1_stored_is_still_handled(tmp_path: Path) -> None:
    """It stored updates as python-telegram-bot wrote them out, with defaults filled in."""
    stored = {
        "update_id": 41,
        "message": {
            "channel_chat_created": False,
            "delete_chat_photo": False,
            "group_chat_created": False,
            "supergroup_chat_created": False,
            "chat": {"first_name": "Anna", "id": OWNER.id, "type": "private", "username": "anna"},
            "date": 1_700_000_000,
            "from": {"first_name": "Anna", "id": OWNER.id, "is_bot": False, "username": "anna"},
            "message_id": 12,
            "text": "said before the upgrade",
        },
    }
    async with Provider(default=Reply(text="Here.")) as provider:
        async with open_bot(tmp_path, provider) as bot:
            await bot.telegram.updates.until_polled()
            channel = f"telegram:{bot.telegram.token.partition(':')[0]}"
        async with (
            open_bot(tmp_path, provider, works=False) as bot,
            bot.records.database.work() as work,
        ):
            old = InboxUpdate(channel, 41, str(OWNER.id), stored, bot.records.clock.now())
            await work.inbox.add([old])
            await work.commit()
        async with open_bot(tmp_path, provider) as bot:
            bot.owner.says("/start")
            await bot.owner.until(lambda seen: any("Here." in message.text for message in seen))


async def test_a_webhook_that_cannot_store_has_it_sent_again(post: Post) -> None:
    """Telegram posts again what was answered with 503, and twice the same is stored once."""

    async def busy(_: Any) -> None:
        raise DatabaseBusyError("The database is busy. Try again.")

    take, post.inbox.take = post.inbox.take, busy  # type: ignore[method-assign,assignment]  # busy for a while
    async with listening(post) as client:
        assert (await client.post("/", json=an_update(1), headers=HEADER)).status_code == 503
        post.inbox.take = take  # type: ignore[method-assign]  # likewise
        for _ in range(2):
            assert (await client.post("/", json=an_update(1), headers=HEADER)).status_code == 200
        await post.until(lambda: post.handled)
    assert post.handled == ["hi"]
