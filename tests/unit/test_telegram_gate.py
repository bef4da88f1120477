"""The gate: who may talk, and how a stranger becomes somebody who may."""

import asyncio
import re

import pytest

from noctule.channels.telegram.base.access import (
    MOST_PENDING,
    WRONG_TRIES,
    AccessControl,
    Heard,
    Invitation,
    UnknownUser,
)
from noctule.channels.telegram.delivery.chat_ref import CHANNEL, ChatRef
from noctule.core.clock import ManualClock
from noctule.core.settings import TelegramSettings
from tests.support.scratch import scratch_database

_MINUTE = 60.0
_HOUR = 3600.0


class Door:
    """A gate, and what the terminal shows."""

    def __init__(self, **settings: object) -> None:
        self.clock = ManualClock()
        self.database = scratch_database()
        self.shown: list[str] = []
        self.settings = TelegramSettings(**settings)
        self.gate = self.again()

    def again(self) -> AccessControl:
        """Return the gate of the next process."""
        self.gate = AccessControl(self.settings, self.database, self.clock, self.shown.append)
        return self.gate

    async def knock(self, said: str, person: int = 1) -> Heard:
        """Let a stranger say something."""
        name = f"Stranger{person}\x1b[2J"
        return await self.gate.knock(UnknownUser(person, ChatRef(person), name, said))

    def code(self) -> str:
        """Return the code that was shown last."""
        return re.findall(r"\b\d{6}$", self.shown[-1])[0]


def wrong(code: str) -> str:
    """Return another code."""
    return f"{(int(code) + 1) % 1_000_000:06}"


async def test_the_first_who_repeats_the_code_is_the_owner_and_the_next_is_not() -> None:
    """Over restarts; the code stands on the terminal and nowhere else."""
    door = Door()
    told = await door.knock("hello")
    assert door.code() not in told.told
    assert "\x1b" not in door.shown[-1]
    assert (await door.knock(f"it is {door.code()[:3]} {door.code()[3:]}")).in_reply
    assert door.gate.is_head(1)
    assert door.gate.owner_of(1) == "local"
    await door.knock("hello", person=2)
    await door.knock(door.code(), person=2)
    assert door.gate.owner_of(2) == "telegram:2"
    assert not door.gate.is_head(2)
    again = door.again()
    await again.open()
    assert (again.owner_of(1), again.owner_of(2)) == ("local", "telegram:2")
    assert again.heads == [1]


async def test_two_with_right_codes_at_once_are_one_owner() -> None:
    """Whoever comes second is a guest."""
    door = Door()
    codes = {}
    for person in (1, 2):
        await door.knock("hello", person)
        codes[person] = door.code()
    await asyncio.gather(*(door.knock(codes[person], person) for person in (1, 2)))
    assert len(door.gate.heads) == 1


async def test_a_code_counts_for_an_hour_and_for_its_person() -> None:
    """Later, or from somebody else, it is nothing."""
    door = Door()
    await door.knock("hello")
    await door.knock("hello", person=2)
    code = door.code()
    await door.knock(code)
    assert door.gate.owner_of(1) is None
    await door.clock.advance(_HOUR + 1)
    await door.knock(code, person=2)
    assert door.gate.owner_of(2) is None


async def test_there_is_one_code_in_ten_minutes() -> None:
    """Asking again shows no other; afterwards it does, and the old one is void."""
    door = Door()
    for _ in range(5):
        await door.knock("hello")
    assert len(door.shown) == 1
    first = door.code()
    await door.clock.advance(10 * _MINUTE + 1)
    await door.knock("hello")
    assert len(door.shown) == 2
    if door.code() != first:
        await door.knock(first)
        assert door.gate.owner_of(1) is None
    await door.knock(door.code())
    assert door.gate.owner_of(1) == "local"


async def test_three_may_wait_and_a_fourth_is_told_to_come_later() -> None:
    """Nobody fills the terminal with codes."""
    door = Door()
    for person in range(1, MOST_PENDING + 3):
        told = await door.knock("hello", person)
    assert len([line for line in door.shown if "this code" in line]) == MOST_PENDING
    assert "too many strangers" in told.told
    (crowded,) = [line for line in door.shown if "gets no code" in line]
    assert "telegram.allow: [4]" in crowded
    await door.clock.advance(_HOUR + 1)
    await door.knock("hello", 99)
    assert "this code" in door.shown[-1]


async def test_five_wrong_codes_lock_a_person_out_for_an_hour() -> None:
    """The right one does not count any more, also after a restart and with a new request."""
    door = Door()
    await door.knock("hello")
    code = door.code()
    for left in range(WRONG_TRIES - 1, -1, -1):
        told = await door.knock(wrong(code))
        assert told.in_reply
        assert str(left) in told.told or left == 0
    assert await door.knock(code) == Heard("Too many wrong codes. Try again in an hour.")
    await door.again().open()
    await door.clock.advance(11 * _MINUTE)
    assert not (await door.knock(code)).in_reply
    assert door.gate.owner_of(1) is None
    assert len(door.shown) == 1
    await door.clock.advance(_HOUR)
    await door.knock("hello")
    await door.knock(door.code())
    assert door.gate.owner_of(1) == "local"


async def test_wrong_tries_are_not_forgotten_by_asking_for_a_new_code() -> None:
    """Five in all, whatever codes they were for."""
    door = Door()
    await door.knock("hello")
    for _ in range(WRONG_TRIES - 1):
        await door.knock(wrong(door.code()))
    await door.clock.advance(10 * _MINUTE + 1)
    await door.knock("hello")
    await door.knock(wrong(door.code()))
    await door.knock(door.code())
    assert door.gate.owner_of(1) is None


async def test_with_a_list_nobody_pairs() -> None:
    """Those on it may talk, the first is the owner, and no code is ever shown."""
    door = Door(allow=(5, 6))
    await door.gate.open()
    assert "list" in (await door.knock("hello")).told
    assert "list" in (await door.knock("123456")).told
    assert door.shown == []
    assert (door.gate.owner_of(5), door.gate.owner_of(6)) == ("local", "telegram:6")
    assert door.gate.heads == [5]


async def test_the_code_is_not_stored() -> None:
    """Only its digest is: whoever reads the database cannot pair with it."""
    door = Door()
    await door.knock("hello")
    async with door.database.read() as work:
        (pairing,) = await work.chats.pairings(CHANNEL)
    assert door.code() not in repr(pairing)


@pytest.mark.parametrize("said", ["", "12345", "1234567", "l23456", "🦇" * 5000])
async def test_what_is_no_code_is_no_try(said: str) -> None:
    """Chatting with the bot locks nobody out."""
    door = Door()
    await door.knock("hello")
    assert not (await door.knock(said)).in_reply


async def test_groups_are_answered_in_when_they_are_listed_also_under_a_new_id() -> None:
    """A listed group that became a supergroup stays listed, over restarts and twice over."""
    door = Door(groups=(-5,))
    assert door.gate.answers_in(ChatRef(-5, topic=3))
    assert not door.gate.answers_in(ChatRef(-6))
    await door.gate.follow(ChatRef(-6), ChatRef(-1006))
    assert not door.gate.answers_in(ChatRef(-1006))
    await door.gate.follow(ChatRef(-5), ChatRef(-1005))
    await door.gate.follow(ChatRef(-1005), ChatRef(-2005))
    again = door.again()
    await again.open()
    assert again.answers_in(ChatRef(-1005))
    assert again.answers_in(ChatRef(-2005))


async def test_a_link_lets_in_whoever_uses_it_first_without_typing() -> None:
    """In private, within an hour, once; its code is not stored, and a new one replaces it."""
    door = Door()
    first = await door.gate.invite()
    code = await door.gate.invite()
    assert re.fullmatch(r"[A-Za-z0-9_-]{20,64}", code)
    async with door.database.read() as work:
        stored = await work.chats.pairings(CHANNEL)
    assert code not in repr(stored)
    for said in (f"/start {first}", "/start", f"/start {code}x", f"/start x {code}", code):
        assert door.gate.owner_of(1) is None
        await door.knock(said)
    group = UnknownUser(1, ChatRef(-100), "Somebody", f"/start {code}")
    await door.gate.knock(group)
    assert door.gate.owner_of(1) is None
    assert "owner" in (await door.knock(f"/start {code}", person=2)).told
    assert door.gate.is_head(2)
    await door.knock(f"/start {code}", person=3)
    assert door.gate.owner_of(3) is None
    assert await door.gate.invite() is None


async def test_a_link_counts_for_an_hour_and_over_restarts() -> None:
    """It is as good as a code of six digits for as long, and takes nobody's place in the line."""
    door = Door()
    code = await door.gate.invite()
    for person in range(10, 10 + MOST_PENDING):
        await door.knock("hello", person=person)
    assert len([line for line in door.shown if "this code" in line]) == MOST_PENDING
    await door.again().open()
    await door.clock.advance(_HOUR + 1)
    await door.knock(f"/start {code}")
    assert door.gate.owner_of(1) is None
    code = await door.gate.invite()
    await door.again().open()
    assert (await door.knock(f"/start@noctule_bot {code}")).in_reply
    assert door.gate.is_head(1)


async def test_with_a_list_there_is_no_link() -> None:
    """Who may talk is settled."""
    door = Door(allow=[7])
    await door.gate.open()
    assert await door.gate.invite() is None


async def test_the_link_of_init_outlives_a_start_of_serve_and_counts_for_a_day() -> None:
    """Each has its own; once one was used the other is worth nothing."""
    door = Door()
    first = await door.gate.invite(Invitation.OF_INIT)
    await door.clock.advance(23 * _HOUR)
    second = await door.gate.invite()
    assert (await door.knock(f"/start {first}")).in_reply
    assert door.gate.is_head(1)
    await door.knock(f"/start {second}", person=2)
    assert door.gate.owner_of(2) is None
    late = Door()
    code = await late.gate.invite(Invitation.OF_INIT)
    await late.clock.advance(24 * _HOUR + 1)
    await late.knock(f"/start {code}")
    assert late.gate.owner_of(1) is None
