"""Chats, inbox and outbox of messengers, on every database."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from noctule.core.llm.events import EventKind
from noctule.core.messaging.chats import Chat, Pairing, Person, Subscription, WatchKind
from noctule.core.messaging.messages import InboxUpdate, OutboxMessage, OutgoingKind, OutgoingState
from noctule.core.ports.database import Database
from noctule.core.sessions.lifecycle import Status
from tests.support.stored_records import NOON, a_turn, later, with_turns

TELEGRAM = "telegram"


def an_update(number: int, **changes: Any) -> InboxUpdate:
    """Return an update that was not handled yet."""
    return replace(InboxUpdate(TELEGRAM, number, "7", {"text": "hi 🦇"}, NOON), **changes)


def a_message(name: str, **changes: Any) -> OutboxMessage:
    """Return a message that waits to be sent."""
    message = OutboxMessage(
        name, TELEGRAM, "7", f"key-{name}", OutgoingKind.TEXT, "reply", {"text": "hello"}, NOON
    )
    return replace(message, **changes)


async def test_updates_are_stored_once_and_wait_in_order(database: Database) -> None:
    """The same number again changes nothing; the next number follows the highest ever stored."""
    async with database.work() as work:
        assert await work.inbox.next_number(TELEGRAM) is None
        assert await work.inbox.add([an_update(12), an_update(11), an_update(11)]) == 2
        assert await work.inbox.add([an_update(12, payload={"text": "other"})]) == 0
        assert await work.inbox.next_number(TELEGRAM) == 13
        assert await work.inbox.next_number("other") is None
        assert await work.inbox.newest_at("other") is None
        assert await work.inbox.newest_at(TELEGRAM) == NOON
        assert await work.inbox.waiting(TELEGRAM) == [an_update(11), an_update(12)]


async def test_a_handled_update_waits_no_more(database: Database) -> None:
    """Its tries and why it was abandoned are kept, the first end counts, and old ones go."""
    async with database.work() as work:
        await work.inbox.add([an_update(1), an_update(2)])
        await work.inbox.begin(TELEGRAM, 1)
        await work.inbox.begin(TELEGRAM, 1)
        assert [update.tries for update in await work.inbox.waiting(TELEGRAM)] == [2, 0]
        await work.inbox.handled(TELEGRAM, 1, at=later(1), error="broke three times")
        await work.inbox.handled(TELEGRAM, 1, at=later(9))
        assert [update.number for update in await work.inbox.waiting(TELEGRAM)] == [2]
        await work.inbox.handled(TELEGRAM, 2, at=later(2))
        assert await work.inbox.prune(TELEGRAM, before=NOON) == 0
        assert await work.inbox.prune(TELEGRAM, before=later(60)) == 1
        assert await work.inbox.next_number(TELEGRAM) == 3


async def test_a_message_is_stored_once_by_its_key(database: Database) -> None:
    """A second one with the same key is not stored, even after the first was sent."""
    async with database.work() as work:
        assert await work.outbox.add(a_message("m1"))
        assert not await work.outbox.add(a_message("m2", key="key-m1"))
        await work.outbox.sending("m1")
        await work.outbox.sent("m1", sent_as="501", at=later(1))
        assert not await work.outbox.add(a_message("m3", key="key-m1"))
        assert await work.outbox.waiting(TELEGRAM) == []
        found = await work.outbox.by_message(TELEGRAM, "7", "501")
        assert found is not None
        assert (found.id, found.tries, found.sent_at) == ("m1", 1, later(1))
        assert await work.outbox.by_key(TELEGRAM, "key-m1") == found
        assert await work.outbox.by_message(TELEGRAM, "8", "501") is None


async def test_a_newer_edit_takes_the_place_of_a_pending_one(database: Database) -> None:
    """One that is being sent or was sent is followed by a new one instead."""
    edit = a_message("e1", key="status", kind=OutgoingKind.EDIT, edits="key-m1")
    async with database.work() as work:
        assert await work.outbox.add(edit)
        assert await work.outbox.add(replace(edit, id="e2", body={"text": "newer"}))
        waiting = await work.outbox.waiting(TELEGRAM)
        assert [(one.id, one.body) for one in waiting] == [("e1", {"text": "newer"})]
        await work.outbox.sending("e1")
        assert await work.outbox.add(replace(edit, id="e3", body={"text": "newest"}))
        waiting = await work.outbox.waiting(TELEGRAM)
        assert [one.id for one in waiting] == ["e1", "e3"]
        assert await work.outbox.first(TELEGRAM, "7") == waiting[0]
        assert await work.outbox.first(TELEGRAM, "8") is None


async def test_a_message_that_waits_says_why(database: Database) -> None:
    """One in flight at a kill is marked; one given up is counted."""
    async with database.work() as work:
        await work.outbox.add(a_message("m1"))
        await work.outbox.add(a_message("m2"))
        await work.outbox.sending("m1")
        await work.outbox.later("m1", not_before=later(30), error="flood control")
        await work.outbox.sending("m2", repeated=True)
        one, two = await work.outbox.waiting(TELEGRAM)
        assert (one.state, one.not_before, one.error) == (
            OutgoingState.PENDING,
            later(30),
            "flood control",
        )
        assert (two.state, two.repeated) == (OutgoingState.SENDING, True)
        await work.outbox.rewrite("m1", {"text": "plain"})
        await work.outbox.failed("m2", error="the bot was blocked")
        await work.inbox.add([an_update(1, received_at=later(-5))])
        backlog = await work.outbox.backlog(TELEGRAM)
        assert (backlog.incoming, backlog.outgoing, backlog.failed) == (1, 1, 1)
        assert backlog.oldest_at == later(-5)
        assert (await work.outbox.waiting(TELEGRAM))[0].body == {"text": "plain"}


async def test_old_mail_goes(database: Database) -> None:
    """What is still under way, or was given up, stays."""
    async with database.work() as work:
        for name in ("m1", "m2", "m3"):
            await work.outbox.add(a_message(name))
        await work.outbox.sent("m1", sent_as="1", at=later(1))
        await work.outbox.failed("m2", error="no")
        assert await work.outbox.prune(TELEGRAM, before=NOON) == 0
        assert await work.outbox.prune(TELEGRAM, before=later(1)) == 1
        assert await work.outbox.by_key(TELEGRAM, "key-m1") is None
        assert await work.outbox.by_key(TELEGRAM, "key-m2") is not None


async def test_a_chat_and_what_it_watches_come_back(database: Database) -> None:
    """What was told moves forward only; a group that became a supergroup keeps everything."""
    await with_turns(database, "t1")
    chat = Chat(TELEGRAM, "-7", "local", "s1", {"footer": False}, later(1))
    watch = Subscription(TELEGRAM, "-7", "s1", WatchKind.WORK, 3)
    async with database.work() as work:
        await work.chats.put(replace(chat, session_id=None))
        await work.chats.put(chat)
        await work.chats.watch(watch)
        await work.chats.saw(TELEGRAM, "-7", "s1", 9)
        await work.chats.saw(TELEGRAM, "-7", "s1", 5)
        await work.outbox.add(a_message("m1", place="-7"))
        await work.chats.move(TELEGRAM, "-7", "-1007")
        moved = replace(chat, place="-1007")
        assert await work.chats.everywhere(TELEGRAM) == [moved]
        assert await work.chats.get(TELEGRAM, "-7") is None
        assert await work.chats.watches(TELEGRAM) == [replace(watch, place="-1007", seen_seq=9)]
        assert await work.chats.watches(TELEGRAM, place="-7") == []
        assert (await work.outbox.waiting(TELEGRAM))[0].place == "-1007"
        await work.chats.unwatch(TELEGRAM, "-1007", "s1")
        assert await work.chats.watches(TELEGRAM) == []


async def test_people_are_admitted_once_and_strangers_pair(database: Database) -> None:
    """The first name stays; a pairing is replaced and dropped."""
    first = Person(TELEGRAM, "7", "local", "Ada", NOON)
    second = Person(TELEGRAM, "8", "telegram:8", "Bob", later(1))
    pairing = Pairing(TELEGRAM, "9", "9", "Eve", "d1g35t", NOON, NOON + timedelta(hours=1))
    async with database.work() as work:
        await work.chats.admit(second)
        await work.chats.admit(first)
        await work.chats.admit(replace(first, name="Not Ada"))
        assert await work.chats.persons(TELEGRAM) == [first, second]
        await work.chats.put_pairing(pairing)
        tried = replace(pairing, wrong=5, locked_until=later(3600))
        await work.chats.put_pairing(tried)
        assert await work.chats.pairings(TELEGRAM) == [tried]
        await work.chats.drop_pairing(TELEGRAM, "9")
        assert await work.chats.pairings(TELEGRAM) == []


async def test_a_message_makes_one_turn(database: Database) -> None:
    """A turn is found by the message it came from, with the files that came along."""
    await with_turns(database, "t1")
    turn = a_turn("t2", origin="telegram:7:12", attachments=("in/photo.jpg", "in/a b.pdf"))
    async with database.work() as work:
        await work.turns.add(turn)
        assert await work.turns.by_origin("telegram:7:12") == turn
        assert await work.turns.by_origin("telegram:7:13") is None


async def test_what_nobody_has_read_can_be_said_anew(database: Database) -> None:
    """Once it runs it stays as it is, also when it ends."""
    await with_turns(database, "t1")
    async with database.work() as work:
        assert await work.turns.reword("t1", "first")
        assert await work.turns.reword("t1", "second")
        await work.turns.move("t1", Status.RUNNING, at=NOON)
        assert not await work.turns.reword("t1", "third")
        await work.turns.move("t1", Status.DONE, at=NOON, reply="Fine.")
        assert not await work.turns.reword("t1", "fourth")
        assert (await work.turns.get("t1")).text == "second"


async def test_the_last_numbers_of_several_sessions_are_read_at_once(database: Database) -> None:
    """Sessions without an event are missing; lists may be long."""
    await with_turns(database, "t1")
    async with database.work() as work:
        await work.events.append("s1", "t1", [(EventKind.NOTICE, {"text": "x"})] * 3, at=NOON)
        many = ["s1", *(f"none{n}" for n in range(1200))]
        assert await work.events.last_seqs(many) == {"s1": 3}
        assert await work.events.last_seqs([]) == {}


async def test_the_events_of_a_turn_are_read_by_kind(database: Database) -> None:
    """In order, and none of another kind or turn."""
    await with_turns(database, "t1", "t2")
    async with database.work() as work:
        both = [(EventKind.NOTICE, {"n": 1}), (EventKind.QUESTION, {"n": 2})]
        await work.events.append("s1", "t1", [*both, (EventKind.NOTICE, {"n": 3})], at=NOON)
        await work.events.append("s1", "t2", both, at=NOON)
        found = await work.events.of_turn("t1", [EventKind.NOTICE])
        assert [event.data["n"] for event in found] == [1, 3]
        found = await work.events.of_turn("t1", [EventKind.NOTICE, EventKind.QUESTION])
        assert [event.data["n"] for event in found] == [1, 2, 3]
