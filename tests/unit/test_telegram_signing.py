"""Buttons: what they send back is believed only when we wrote it, for that chat, lately."""

import string
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noctule.channels.telegram.base.callback_tokens import LIFE, Pressed, Signer
from noctule.channels.telegram.delivery.chat_ref import ChatRef
from noctule.core.base.ids import new_id
from noctule.core.clock import ManualClock
from noctule.core.errors import OurBugError

HERE = ChatRef(7)
VERBS = st.text(string.ascii_lowercase, min_size=1, max_size=8)
ARGUMENTS = st.text(string.ascii_letters + string.digits + ":-", max_size=30)


@given(VERBS, ARGUMENTS)
def test_what_was_written_is_read(verb: str, argument: str) -> None:
    """Verb and argument come back, colons in the argument included, within 64 bytes."""
    signer = Signer("1:token", ManualClock())
    data = signer.button(HERE, "text", verb, argument).data
    assert len(data.encode()) <= 64
    assert signer.read(HERE, data) == Pressed(verb, argument)


@given(st.text(max_size=64))
def test_what_nobody_wrote_is_nothing(data: str) -> None:
    """Whatever a forged app sends."""
    assert Signer("1:token", ManualClock()).read(HERE, data) is None


@given(st.integers(0, 63), st.characters(codec="ascii"))
def test_one_changed_character_is_enough(place: int, other: str) -> None:
    """Verb, argument and expiry are all signed."""
    clock = ManualClock()
    signer = Signer("1:token", clock)
    data = signer.button(HERE, "text", "allow", new_id(clock)).data
    place %= len(data)
    changed = data[:place] + other + data[place + 1 :]
    if changed != data:
        assert signer.read(HERE, changed) is None


def test_a_button_of_another_chat_or_another_bot_is_nothing() -> None:
    """Data copied from one chat means nothing in another; a topic of the same chat is the chat."""
    clock = ManualClock()
    data = Signer("1:token", clock).button(HERE, "text", "stop", "x").data
    assert Signer("1:token", clock).read(ChatRef(8), data) is None
    assert Signer("2:token", clock).read(HERE, data) is None
    assert Signer("1:token", clock).read(ChatRef(7, topic=3), data) == Pressed("stop", "x")


async def test_a_button_expires() -> None:
    """After its life it is nothing; a restart before that changes nothing."""
    clock = ManualClock()
    data = Signer("1:token", clock).button(HERE, "text", "stop").data
    await clock.advance((LIFE - timedelta(minutes=2)).total_seconds())
    assert Signer("1:token", clock).read(HERE, data) == Pressed("stop", "")
    await clock.advance(180)
    assert Signer("1:token", clock).read(HERE, data) is None


def test_what_does_not_fit_is_our_bug() -> None:
    """Telegram takes 64 bytes."""
    with pytest.raises(OurBugError):
        Signer("1:token", ManualClock()).button(HERE, "text", "verb", "x" * 60)
