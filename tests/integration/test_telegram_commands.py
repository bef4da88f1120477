"""The commands of the bot, as people use them."""

from pathlib import Path
from typing import Any

import pytest

from noctule.channels.telegram.commands import COMMANDS, menu
from tests.support.command_line import ROLES
from tests.support.provider import Provider, Reply
from tests.support.replies import ToolCall
from tests.support.telegram.messages import Message
from tests.support.telegram_rig import Bot, fast_telegram, open_bot

pytestmark = pytest.mark.process


def near_and_far(provider: Provider) -> dict[str, Any]:
    """Return a configuration with a priced hosted model and a local one behind it."""
    price = {"input": 1000, "output": 2000}
    return {
        "endpoints": {
            "shop": {"kind": "openai", "url": provider.openai_url, "local": False},
            "near": {"kind": "openai", "url": provider.openai_url, "local": True},
        },
        "models": {
            "far": {"endpoint": "shop", "name": "far", "context": 32000, "price": price},
            "home": {"endpoint": "near", "name": "home", "context": 32000},
        },
        "roles": {role: {"primary": "far", "fallback": "home"} for role in ROLES},
    }


async def answered(bot: Bot, text: str, **where: Any) -> Message:
    """Say something and return the finished answer of a model."""
    said = bot.owner.says(text, **where)
    return await bot.owner.until(
        lambda seen: next(
            (m for m in seen if m.from_bot and m.id > said.id and "👍" in m.button_texts), None
        )
    )


def test_every_command_has_a_place_in_the_menu_and_help() -> None:
    """In the bounds of the Bot API: 32 letters, 256 characters."""
    assert {entry.command for entry in menu()} == set(COMMANDS)
    expected = "start help new status sessions run park resume stop cost why model role private"
    assert set(expected.split()) < set(COMMANDS)
    for command in COMMANDS.values():
        assert command.name.isalnum()
        assert len(command.name) <= 32
        assert 0 < len(command.does) <= 256
        assert command.help


async def test_role_and_model_are_forced_for_one_turn_or_until_new(tmp_path: Path) -> None:
    """The next message only; with always every one; auto and /new end it."""
    async with (
        Provider(default=Reply(text="Yes.")) as provider,
        open_bot(tmp_path, provider, **near_and_far(provider)) as bot,
    ):
        assert (await bot.owner.asks("/model home")).text == "home answers your next message."
        assert "home" in (await answered(bot, "hello")).text
        assert "far" in (await answered(bot, "hello")).text
        await bot.owner.asks("/role writer always")
        assert "writer · far" in (await answered(bot, "hello")).text
        assert "writer · far" in (await answered(bot, "hello")).text
        await bot.owner.asks("/new")
        assert "chat · far" in (await answered(bot, "hello")).text
        unknown = await bot.owner.asks("/model nothing")
        offered = await bot.owner.asks("/model")
        await bot.owner.answered(bot.owner.presses(offered, "home"))
        assert "home" in (await answered(bot, "hello")).text
    assert unknown.text == "There is no model 'nothing'. Use one of: far, home."
    assert offered.button_texts == ["far", "home", "auto"]


async def test_private_keeps_everything_on_local_models(tmp_path: Path) -> None:
    """Conversation and work alike, until it is taken back."""
    async with (
        Provider(default=Reply(text="Yes.")) as provider,
        open_bot(tmp_path, provider, **near_and_far(provider)) as bot,
    ):
        told = await bot.owner.asks("/private")
        await answered(bot, "hello")
        await answered(bot, "/run role engineer Secret work")
        foreseen = await bot.owner.hears("It would stop and ask you for this")
        refused = await bot.owner.asks("/model far")
        asked = {request.model for request in provider.requests}
        off = await bot.owner.asks("/private off")
        await answered(bot, "/new hello")
    assert "home" in told.text
    assert "although the session is private" in foreseen.text
    assert "far is not local" in refused.text
    assert asked == {"home"}
    assert "stays private; /new starts another" in off.text
    assert provider.requests[-1].model == "far"


async def test_sessions_are_listed_and_switched_with_buttons(tmp_path: Path) -> None:
    """What is said after the press belongs to the old conversation."""
    async with (
        Provider(default=Reply(text="Yes.")) as provider,
        open_bot(tmp_path, provider) as bot,
    ):
        await answered(bot, "hello first")
        await answered(bot, "/new hello second")
        listed = await bot.owner.asks("/sessions")
        press = bot.owner.presses(listed, "hello first")
        await bot.owner.answered(press)
        told = await bot.owner.hears("Your next message continues: hello first")
        await answered(bot, "hello third")
        async with bot.records.database.read() as work:
            sessions = {s.title: s for s in await work.sessions.list()}
            turns = await work.turns.of_session(sessions["hello first"].id)
        guest = await bot.guest.answered(
            bot.guest.presses_data(
                bot.guest.says("/sessions"), str(listed.button("hello first").data)
            )
        )
    assert told.id > listed.id
    assert listed.text.splitlines()[0] == "1. hello second"
    assert [turn.text for turn in turns] == ["hello first", "hello third"]
    assert guest.answer == "This button has expired."


async def test_why_explains_the_reply_it_answers(tmp_path: Path) -> None:
    """Route, who was asked and what came of it, cost."""
    async with Provider(default=Reply(text="Yes.")) as provider:
        provider.enqueue(Reply.refusal(401, "This key is no good."))
        async with open_bot(tmp_path, provider, **near_and_far(provider)) as bot:
            reply = await answered(bot, "hello")
            why = await bot.owner.asks("/why", reply_to=reply)
            nothing = await bot.guest.asks("/why")
    assert "Route: chat, simple; by rule: a greeting" in why.text
    assert "asked far: auth" in why.text
    assert "it said: This key is no good." in why.text
    assert "asked home instead of far: answered" in why.text
    assert "Cost: $0.00" in why.text
    assert nothing.text.startswith("Nothing to explain here yet.")


async def test_cost_comes_with_budgets_and_a_picture(tmp_path: Path) -> None:
    """Guests see their own spend, and no budgets."""
    async with (
        Provider(default=Reply(text="Yes.")) as provider,
        open_bot(
            tmp_path,
            provider,
            **near_and_far(provider),
            budgets={"daily": {"usd": 50, "window": "24h", "scope": "global"}},
        ) as bot,
    ):
        await answered(bot, "hello")
        cost = await bot.owner.asks("/cost")
        picture = await bot.owner.until(
            lambda seen: next((m for m in seen if m.from_bot and "photo" in m.content), None)
        )
        guest = await bot.guest.asks("/cost")
    assert "Today: $0.018, 1 answers" in cost.text
    assert "By role: chat $0.018" in cost.text
    assert "daily: $0.018 of $50.00, resets tomorrow" in cost.text
    assert picture.id > cost.id
    assert (
        guest.text == "Today: $0.00, 0 answers\n7 days: $0.00, 0 answers\n14 days: $0.00, 0 answers"
    )


async def test_settings_are_changed_by_buttons_and_words(tmp_path: Path) -> None:
    """The message shows what holds; the next answer keeps to it."""
    async with (
        Provider(default=Reply(text="Yes.")) as provider,
        open_bot(tmp_path, provider) as bot,
    ):
        settings = await bot.owner.asks("/settings zone europe/paris")
        for label in ("line off", "22:00-07:00"):
            await bot.owner.answered(bot.owner.presses(settings, label))
        await bot.owner.until(lambda _: "22:00 to 07:00" in settings.text)
        assert (await answered(bot, "hello")).text == "Yes."
        await bot.owner.answered(bot.owner.presses(settings, "buttons off"))
        said = bot.owner.says("hello")
        bare = await bot.owner.hears("Yes.", after=said)
        refused = await bot.owner.asks("/settings zone Atlantis")
    assert "Time zone: Europe/Paris" in settings.text
    assert "Line under answers: off" in settings.text
    assert bare.button_texts == []
    assert "no time zone 'Atlantis'" in refused.text


async def test_status_tells_what_goes_on_and_stop_all_ends_it(tmp_path: Path) -> None:
    """Work that begins later is listed with its time, and never begins."""
    async with (
        Provider(default=Reply(text="Yes.")) as provider,
        open_bot(tmp_path, provider) as bot,
    ):
        said = bot.owner.says("/run at +2h Later work")
        await bot.owner.hears("Starts ", after=said)
        status = await bot.owner.asks("/status")
        stopped = await bot.owner.hears("Stopped: ", after=bot.owner.says("/stop"))
        empty = await bot.owner.hears("parked here", after=bot.owner.says("/status"))
    assert "Later work: queued until" in status.text
    assert stopped.text == "Stopped: Later work."
    assert empty.text == "Nothing is running or parked here."
    assert provider.requests == []


async def test_a_question_of_stopped_work_is_no_longer_asked(tmp_path: Path) -> None:
    """Its buttons go, and a late press is told so."""

    async with Provider(default=Reply(text="Yes.")) as provider:
        provider.enqueue(Reply(text="", tool_calls=(ToolCall("shell", {"command": "make"}),)))
        ask = {"permissions": {"shell": "ask"}}
        async with open_bot(tmp_path, provider, tools=ask) as bot:
            bot.owner.says("/run role engineer Build it")
            question = await bot.owner.hears("May engineer use shell")
            once = str(question.button("once").data)
            still = await bot.owner.asks("/stop")
            await bot.owner.asks("/stop all")
            await bot.owner.until(lambda _: "No longer asked" in question.text)
            late = await bot.owner.answered(bot.owner.presses_data(question, once))
    assert "Still waiting for you: Build it." in still.text
    assert question.button_texts == []
    assert "no longer asked" in late.answer


async def test_work_goes_on_being_told_after_a_restart(tmp_path: Path) -> None:
    """The same status message, one result."""

    async with (
        Provider(default=Reply(text="All done.")) as provider,
        fast_telegram() as telegram,
    ):
        async with open_bot(tmp_path, provider, telegram=telegram, works=False) as bot:
            anna = bot.owner
            anna.says("/run role engineer Slow work")
            status = await anna.hears("Slow work")
        async with open_bot(tmp_path, provider, telegram=telegram) as bot:
            await anna.hears("All done.")
            await anna.until(lambda _: status.text.startswith("✅"))
            results = [m for m in anna.answers() if "All done." in m.text]
            others = [m for m in anna.answers() if "step" in m.text]
    assert len(results) == 1
    assert others == [status]
