"""Sleep and wake in Telegram: the card, its buttons, the line at the wake, the morning report."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from noctule.channels.telegram.base.callback_tokens import Signer
from noctule.channels.telegram.base.context import BotContext
from noctule.channels.telegram.delivery.outbox import Outbox
from noctule.channels.telegram.delivery.throttle import Pace
from noctule.channels.telegram.views.countdown import Countdown
from noctule.channels.telegram.views.daily_digest import Mornings
from noctule.core.base.ids import new_id
from noctule.core.clock import Clock
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.suspensions import Suspension
from tests.support.command_line import ROLES
from tests.support.provider import Provider, Request
from tests.support.replies import Reply, ToolCall, Usage
from tests.support.telegram.messages import Message
from tests.support.telegram_rig import Bot, open_bot

pytestmark = pytest.mark.process

REFUSED = "You have used up your five hours."


def two_models(provider: Provider) -> dict[str, Any]:
    """Return a configuration in which a second model stands by, and the first keeps its work."""
    return {
        "endpoints": {
            "shop": {"kind": "openai", "url": provider.openai_url},
            "near": {"kind": "openai", "url": provider.openai_url, "local": True},
        },
        "models": {
            "loop": {"endpoint": "shop", "name": "loop", "context": 32000},
            "spare": {"endpoint": "near", "name": "spare", "context": 32000},
        },
        "roles": {
            role: {"primary": "loop", "fallback": "spare", "on_limit": "park"} for role in ROLES
        },
    }


def refusal(seconds: int) -> Reply:
    """Return what a provider says that wants to be left alone."""
    return Reply.refusal(429, REFUSED, headers={"Retry-After": str(seconds)})


async def the_card(bot: Bot) -> Message:
    """Return the card of what sleeps."""
    return await bot.owner.until(
        lambda seen: next((m for m in seen if m.from_bot and REFUSED in m.text), None)
    )


async def test_a_card_says_why_and_until_when_and_a_line_that_it_woke(tmp_path: Path) -> None:
    """It wakes by itself, the card says so, and the answer comes."""
    async with Provider(default=Reply(text="Here it is.")) as provider:
        provider.enqueue(refusal(3))
        async with open_bot(tmp_path, provider, **two_models(provider)) as bot:
            said = bot.owner.says("hello")
            card = await the_card(bot)
            first = card.versions[0].text
            woke = await bot.owner.hears("resumed after", after=said)
            await bot.owner.hears("Here it is.", after=said)
            await bot.owner.until(lambda _: "Was parked until" in card.text)
    assert "Parked until" in first
    assert f"loop: {REFUSED} (source: header)" in first
    assert "So far $0.00." in first
    assert card.button_texts == []
    assert woke.id > card.id


async def test_the_first_button_names_who_would_answer_and_goes_on_with_it(tmp_path: Path) -> None:
    """The work is done by the other model, at once."""
    async with Provider(default=Reply(text="The spare one did it.")) as provider:
        provider.enqueue(refusal(3600))
        async with open_bot(tmp_path, provider, **two_models(provider)) as bot:
            said = bot.owner.says("/run role engineer Do it")
            card = await the_card(bot)
            assert card.button_texts == [
                "▶ now on spare",
                "⏳ wait",
                "✕ cancel",
                "🌙 not at night",
            ]
            press = await bot.owner.answered(bot.owner.presses(card, "now on spare"))
            await bot.owner.hears("The spare one did it.", after=said)
    assert press.answer == "Resuming with spare."
    assert provider.requests[-1].model == "spare"


async def test_wait_takes_its_button_away_and_cancel_ends_it(tmp_path: Path) -> None:
    """The other buttons stay; a cancelled turn says so."""
    async with Provider() as provider:
        provider.enqueue(refusal(3600))
        async with open_bot(tmp_path, provider, **two_models(provider)) as bot:
            bot.owner.says("/run role engineer Do it")
            card = await the_card(bot)
            cancel = str(card.button("cancel").data)
            await bot.owner.answered(bot.owner.presses(card, "wait"))
            await bot.owner.until(lambda _: "⏳ wait" not in card.button_texts)
            assert card.button_texts == ["▶ now on spare", "✕ cancel", "🌙 not at night"]
            assert "Parked until" in card.text
            press = await bot.owner.answered(bot.owner.presses_data(card, cancel))
            await bot.owner.until(lambda _: "Cancelled while it was parked." in card.text)
            late = await bot.owner.answered(bot.owner.presses_data(card, cancel))
    assert press.answer == "Cancelled."
    assert late.answer


async def test_not_at_night_moves_the_wake_behind_the_quiet_hours(tmp_path: Path) -> None:
    """All day is quiet but the minute before midnight: it wakes there."""
    async with Provider() as provider:
        provider.enqueue(refusal(3600))
        async with open_bot(tmp_path, provider, **two_models(provider)) as bot:
            await bot.owner.asks("/settings quiet 00:00 23:59")
            bot.owner.says("/run role engineer Do it")
            card = await the_card(bot)
            press = await bot.owner.answered(bot.owner.presses(card, "not at night"))
            await bot.owner.until(lambda _: "23:59" in card.text)
            (turn,) = await _unfinished(bot)
    assert card.silent
    assert "23:59" in press.answer
    assert turn.wake_at is not None
    assert turn.wake_at.astimezone(bot.records.zone).strftime("%H:%M") == "23:59"


async def test_a_card_counts_down_and_keeps_what_was_chosen(tmp_path: Path) -> None:
    """Its words change when they are no longer right, and only then."""
    async with Provider() as provider:
        provider.enqueue(refusal(7200))
        async with open_bot(tmp_path, provider, **two_models(provider)) as bot:
            anna = bot.owner
            anna.says("/run role engineer Do it")
            card = await the_card(bot)
            before = card.text
            await anna.answered(anna.presses(card, "wait"))
            await anna.until(lambda _: "⏳ wait" not in card.button_texts)
            countdown = Countdown(an_office(bot))
            await countdown.look()
            await anna.asks("/status")
            assert card.text == before
            (turn,) = await _unfinished(bot)
            assert turn.wake_at is not None
            async with bot.records.database.work() as work:
                sooner = turn.wake_at - timedelta(hours=1)
                sleeping = await work.parkings.open_of_turn(turn.id)
                await work.parkings.reschedule([parking.id for parking in sleeping], sooner)
                await work.turns.wake_at(turn.id, sooner)
                await work.commit()
            await countdown.look()
            anna.says("/status")  # the outbox of the test's own office is closed
            await anna.until(lambda _: card.text != before)
    assert "(in about 60 min)" in card.text
    assert "⏳ wait" not in card.button_texts
    assert "✕ cancel" in card.button_texts


async def test_a_run_out_of_its_budget_asks_for_more(tmp_path: Path) -> None:
    """The card offers another dollar, and the work goes on with it."""
    look = Reply(text="", tool_calls=(ToolCall("list_files", {}),), usage=Usage(24_500, 1))
    async with Provider(default=Reply(text="It was worth it.")) as provider:
        provider.enqueue(look)
        config = two_models(provider)
        config["models"]["loop"]["price"] = {"input": 1, "output": 2}
        async with open_bot(tmp_path, provider, **config) as bot:
            said = bot.owner.says("/run budget 0.025 role engineer model loop Do it")
            card = await bot.owner.until(
                lambda seen: next((m for m in seen if "+ $1" in m.button_texts), None)
            )
            assert "It has reached its spending limit and needs you." in card.text
            press = bot.owner.presses(card, "+ $1")
            again = bot.owner.presses(card, "+ $1")
            await bot.owner.answered(press)
            await bot.owner.answered(again)
            await bot.owner.hears("It was worth it.", after=said)
            async with bot.records.database.read() as work:
                (session,) = await work.sessions.list()
    assert press.answer == "Its limit is now $1.025; resuming."
    assert again.answer in {
        "Its limit is already $1.025.",
        "It is no longer parked.",
    }
    assert session.budget_usd == Decimal("1.025")


async def test_giving_up_is_said_with_its_reason(tmp_path: Path) -> None:
    """A wait longer than the longest is no sleep: the person is asked."""
    async with Provider(default=Reply(text="Now it works.")) as provider:
        provider.enqueue(refusal(7200))
        async with open_bot(
            tmp_path, provider, **two_models(provider), parking={"longest_wait": "1h"}
        ) as bot:
            said = bot.owner.says("hello")
            card = await the_card(bot)
            assert "It gave up waiting and needs you." in card.text
            assert card.button_texts == ["▶ now on spare", "✕ cancel"]
            await bot.owner.asks("/resume")
            await bot.owner.hears("Now it works.", after=said)


async def test_the_first_message_of_a_day_is_preceded_by_a_report(tmp_path: Path) -> None:
    """What ran, what sleeps, what it cost; and once."""
    async with (
        Provider(default=Reply(text="Done at night.")) as provider,
        open_bot(tmp_path, provider, **two_models(provider)) as bot,
    ):
        anna = bot.owner
        await anna.hears("Done at night.", after=anna.says("hello"))
        provider.enqueue(refusal(7200))
        anna.says("/run role engineer Sleepy work")
        await the_card(bot)
        await _heard_a_day_ago(bot)
        now = bot.records.clock.now()
        nap = Suspension(new_id(bot.records.clock), "m", now - timedelta(hours=1.5), now)
        async with bot.records.database.work() as work:
            await work.suspensions.add(nap)
            await work.commit()
        said = anna.says("good morning")
        report = await anna.hears("🌅", after=said)
        answer = await anna.hears("together with the tasks on the card above", after=report)
        again = anna.says("hello again")
        await anna.hears("queued behind your earlier message", after=again)
        reports = [m for m in anna.answers() if "🌅" in m.text]
    assert "💤 Sleepy work: parked until" in report.text
    assert "😴 The machine itself slept between" in report.text
    assert "no work was done for 1 h 30 min." in report.text
    assert report.id < answer.id
    assert reports == [report]


async def test_the_report_comes_by_itself_at_the_time_that_was_chosen(tmp_path: Path) -> None:
    """Once a day, and then not with the first message; its questions have buttons."""
    ask = Reply(text="", tool_calls=(ToolCall("shell", {"command": "echo hi"}),))
    async with Provider(default=Reply(text="Done at night.")) as provider:
        asks = {"permissions": {"shell": "ask"}}
        async with open_bot(tmp_path, provider, tools=asks, timezone="UTC") as bot:
            anna = bot.owner
            now = bot.records.clock.now()
            await anna.asks(f"/settings zone Etc/GMT{now.hour - 12:+d}")  # it is noon there
            at = now.replace(hour=12) - timedelta(minutes=5)
            await anna.asks(f"/settings morning {at:%H:%M}")
            await anna.hears("Done at night.", after=anna.says("hello"))
            provider.enqueue(ask)
            anna.says("/run role engineer Say hi")
            await anna.hears("May engineer use shell")
            await _heard_a_day_ago(bot)
            mornings = Mornings(an_office(bot))
            await mornings.look()
            await mornings.look()
            again = anna.says("hello")
            await anna.hears("Done at night.", after=again)
            reports = [m for m in anna.answers() if "🌅" in m.text]
    assert len(reports) == 1
    assert "✓ once" in reports[0].button_texts


def an_office(bot: Bot) -> BotContext:
    """Return one that only stores what it sends."""
    clock: Clock = bot.records.clock
    token = bot.records.settings.telegram.token
    assert token is not None
    unused: Any = None
    pace = Pace(clock)
    return BotContext(
        records=bot.records,
        bot=unused,
        quick=unused,
        me=unused,
        outbox=Outbox(bot.records.database, unused, pace, clock),
        pace=pace,
        gate=unused,
        signer=Signer(token.get_secret_value(), clock),
        signs=unused,
        watching=unused,
    )


async def _heard_a_day_ago(bot: Bot) -> None:
    async with bot.records.database.work() as work:
        (chat,) = await work.chats.everywhere("telegram")
        assert chat.heard_at is not None
        await work.chats.put(replace(chat, heard_at=chat.heard_at - timedelta(days=1)))
        await work.commit()


async def _unfinished(bot: Bot):
    async with bot.records.database.read() as work:
        return [t for t in await work.turns.unfinished() if t.status is Status.PARKED]


async def test_what_sleeps_on_one_limit_has_one_card(tmp_path: Path) -> None:
    """Jobs behind one limit: a status message each, one card, a line when they wake."""

    def decide(request: Request) -> Reply | None:
        return refusal(6000) if request.model == "loop" else None

    async with (
        Provider(decide=decide, default=Reply(text="Finished.")) as provider,
        open_bot(tmp_path, provider, **two_models(provider)) as bot,
    ):
        anna = bot.owner
        said = [anna.says(f"/run role engineer Job {number}") for number in range(3)]
        card = await the_card(bot)
        await anna.until(lambda _: "3 pieces of work" in card.text, within=60)
        await anna.until(lambda seen: sum("parked" in m.text for m in seen) == 3, within=60)
        asleep = [m for m in anna.answers() if m.id > said[0].id]
        shown = card.text
        await anna.answered(anna.presses(card, "▶ all now on spare"))
        await anna.until(lambda _: "Was parked until" in card.text, within=60)
        await anna.until(lambda seen: sum("Finished." in m.text for m in seen) == 3, within=60)
        lines = [m for m in anna.answers() if "resumed after" in m.text]
    assert len(asleep) == 4
    assert [m for m in asleep if not m.silent] == [card]
    assert [f"Job {n}" for n in range(3) if f"• Job {n}" not in shown] == []
    assert len(lines) <= 2
