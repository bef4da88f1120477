"""Work in Telegram: begun from a chat, watched in one message, steered, stopped, approved."""

import asyncio
from pathlib import Path

import pytest

from noctule.core.sessions.lifecycle import Status
from tests.support.provider import Provider, Request
from tests.support.replies import Reply, ToolCall
from tests.support.telegram.messages import Message
from tests.support.telegram_rig import Bot, open_bot

ASKS = {"permissions": {"shell": "ask"}}

pytestmark = pytest.mark.process


async def the_status(bot: Bot, title: str) -> Message:
    """Return the status message of a piece of work."""
    return await bot.owner.until(
        lambda seen: next(
            (m for m in seen if m.from_bot and title in m.text and "step" in m.text), None
        )
    )


def calls(name: str, **arguments: object) -> Reply:
    """Return a reply that calls one tool."""
    return Reply(text="", tool_calls=(ToolCall(name, dict(arguments)),))


async def test_a_run_has_a_status_message_and_ends_with_a_new_one(tmp_path: Path) -> None:
    """One message is changed in place; the result, with cost and duration, comes below it."""
    async with (
        Provider(default=Reply(text="The logs are tidy.")) as provider,
        open_bot(tmp_path, provider) as bot,
    ):
        anna = bot.owner
        said = anna.says("/run budget 2 role engineer Tidy the logs")
        result = await anna.hears("The logs are tidy.", after=said)
        status = await the_status(bot, "Tidy the logs")
        await anna.until(lambda _: status.text.startswith("✅"))
    assert status.id < result.id
    assert status.button_texts == []
    assert "of $2.00" in status.text
    assert result.text.startswith("The logs are tidy.")
    assert [m for m in anna.sees() if m.from_bot and m.id > said.id] == [status, result]
    assert result.button_texts == ["👍", "👎", "try another model …"]


async def test_files_of_a_run_come_as_documents(tmp_path: Path) -> None:
    """What an agent made is sent with the result."""
    async with Provider(default=Reply(text="Written.")) as provider:
        provider.enqueue(calls("write_file", path="notes.txt", content="one\n"))
        async with open_bot(tmp_path, provider) as bot:
            said = bot.owner.says("/run role engineer allow files Write notes")
            await bot.owner.hears("Written.", after=said)
            file = await bot.owner.until(
                lambda seen: next((m for m in seen if m.from_bot and "document" in m.content), None)
            )
    assert file.content["document"]["file_name"] == "notes.txt"


async def test_an_approval_has_buttons_and_says_who_answered(tmp_path: Path) -> None:
    """The press lets the work go on; the buttons go."""
    async with Provider(default=Reply(text="It says hi.")) as provider:
        provider.enqueue(calls("shell", command="echo hi"))
        async with open_bot(tmp_path, provider, tools=ASKS) as bot:
            anna = bot.owner
            said = anna.says("/run role engineer Say hi in the shell")
            question = await anna.hears("May engineer use shell", after=said)
            assert question.button_texts == [
                "✓ once",
                "✓ this session",
                "✓ always",
                "✗ no",
                "✓ all commands",
            ]
            press = await anna.answered(anna.presses(question, "once"))
            result = await anna.hears("It says hi.", after=said)
            await anna.until(lambda _: not question.button_texts)
    assert press.answer == "✓ once"
    assert question.text.endswith("→ ✓ once (the owner).")
    assert result.id > question.id


async def test_an_approval_answered_at_the_terminal_is_said_in_the_chat(tmp_path: Path) -> None:
    """The desk is one for all: the chat's buttons go."""
    async with Provider(default=Reply(text="I did without.")) as provider:
        provider.enqueue(calls("shell", command="echo hi"))
        async with open_bot(tmp_path, provider, tools=ASKS) as bot:
            said = bot.owner.says("/run role engineer Say hi in the shell")
            question = await bot.owner.hears("May engineer use shell", after=said)
            once = question.button("once").data
            (open_one,) = await bot.records.service.questions()
            await bot.records.service.answer(open_one.id, "no")
            await bot.owner.until(lambda _: not question.button_texts)
            await bot.owner.hears("I did without.", after=said)
            late = await bot.owner.answered(bot.owner.presses_data(question, str(once)))
    assert "→ ✗ no" in question.text
    assert "answered before" in late.answer


async def test_only_the_owner_approves_what_a_guest_works_on(tmp_path: Path) -> None:
    """The guest is told so, the owner is asked where the owner is."""
    async with Provider(default=Reply(text="It says hi.")) as provider:
        provider.enqueue(calls("shell", command="echo hi"))
        async with open_bot(tmp_path, provider, tools=ASKS) as bot:
            said = bot.guest.says("/run role engineer Say hi in the shell")
            bot.owner.says("/status")  # so that the bot may write to the owner
            told = await bot.guest.hears("May engineer use shell", after=said)
            question = await bot.owner.hears("May engineer use shell")
            await bot.owner.answered(bot.owner.presses(question, "once"))
            await bot.guest.hears("It says hi.", after=said)
            await bot.owner.until(lambda _: not question.button_texts)
            refused = await bot.guest.asks("/run allow shell Anything")
    assert told.button_texts == []
    assert "Only my owner can allow that, and I've asked" in told.text
    assert "/stop all ends it" in told.text
    assert "Only my owner" in refused.text
    first = question.versions[0].text
    assert "This comes from a guest's task, not yours: \u201cBert bert (id 1002)\u201d." in first
    assert "They want: \u201cSay hi in the shell\u201d" in first
    assert "under your account, at your cost" in first
    assert "in every session of Bert bert (id 1002)" in first
    assert "of mine" not in first


async def test_a_question_is_answered_by_a_reply(tmp_path: Path) -> None:
    """Free text reaches the agent as the answer."""
    heard: list[Request] = []

    def decide(request: Request) -> Reply | None:
        heard.append(request)
        return calls("ask", question="Which colour?") if len(heard) == 1 else None

    async with (
        Provider(decide=decide, default=Reply(text="Painted.")) as provider,
        open_bot(tmp_path, provider) as bot,
    ):
        said = bot.owner.says("/run role engineer Paint the shed")
        question = await bot.owner.hears("Which colour?", after=said)
        bot.owner.says("dark green", reply_to=question)
        await bot.owner.hears("Painted.", after=said)
        await bot.owner.until(lambda _: "→" in question.text)
    assert "dark green" in str(heard[-1].body["messages"])
    assert "→ dark green" in question.text


async def test_a_reply_to_the_status_message_steers(tmp_path: Path) -> None:
    """What is said reaches the next step; after the end it becomes the next task."""
    gate = asyncio.Event()
    async with Provider(default=Reply(text="All done.")) as provider:
        provider.enqueue(Reply(text="", tool_calls=(ToolCall("list_files", {}),), gate=gate))
        async with open_bot(tmp_path, provider) as bot:
            anna = bot.owner
            anna.says("/run role engineer Look at the files")
            status = await the_status(bot, "Look at the files")
            await provider.until(lambda it: len(it.requests) == 1)
            remark = anna.says("Only the Python ones", reply_to=status)
            await anna.hears("will see this before its next step", after=remark)
            gate.set()
            result = await anna.hears("All done.")
            assert "Only the Python ones" in str(provider.requests[-1].body["messages"])
            more = anna.says("Now count them", reply_to=status)
            await anna.hears("this starts its next task", after=more)
            await anna.hears("All done.", after=more)
            sessions = {turn.session_id for turn in await _turns(bot)}
    assert len(sessions) == 1
    assert result.id < more.id


async def test_stop_keeps_what_there_is(tmp_path: Path) -> None:
    """What was written so far comes with the end."""
    slow = Reply(text=" ".join(f"word{n}" for n in range(400)), between_tokens=0.05)
    async with Provider(default=slow) as provider, open_bot(tmp_path, provider) as bot:
        anna = bot.owner
        said = anna.says("/run role writer Write much")
        status = await the_status(bot, "Write much")
        await anna.until(lambda _: "writes" in status.text)
        order = anna.says("/stop")
        told = await anna.hears("Stopped: Write much", after=order)
        end = await anna.hears("What it had written:", after=said)
        await anna.until(lambda _: status.text.startswith("⏹"))
        (turn,) = await _turns(bot)
    assert told
    assert "word0" in end.text
    assert turn.status is Status.CANCELLED


async def test_the_chat_stays_usable_while_it_works(tmp_path: Path) -> None:
    """A message in between is answered before the work ends."""
    gate = asyncio.Event()

    def decide(request: Request) -> Reply | None:
        return Reply(text="Work.", gate=gate) if "Long" in str(request.body) else None

    async with (
        Provider(decide=decide, default=Reply(text="Hello to you.")) as provider,
        open_bot(tmp_path, provider) as bot,
    ):
        work = bot.owner.says("/run role engineer Long work")
        await the_status(bot, "Long work")
        said = bot.owner.says("hello")
        await bot.owner.hears("Hello to you.", after=said)
        gate.set()
        await bot.owner.hears("Work.", after=work)


async def _turns(bot: Bot):
    async with bot.records.database.read() as work:
        return [
            turn
            for session in await work.sessions.list()
            for turn in await work.turns.of_session(session.id)
        ]


async def test_a_forward_approves_and_answers_nothing(tmp_path: Path) -> None:
    """Also as a reply to the question: the words are somebody else's."""
    async with Provider(default=Reply(text="Noted.")) as provider:
        provider.enqueue(calls("shell", command="echo hi"))
        async with open_bot(tmp_path, provider, tools=ASKS) as bot:
            said = bot.owner.says("/run role engineer Say hi in the shell")
            question = await bot.owner.hears("May engineer use shell", after=said)
            origin = {"type": "hidden_user", "sender_user_name": "Mallory", "date": 1}
            bot.owner.sends({"text": "always"}, reply_to=question, forward_origin=origin)
            await bot.owner.hears("Noted.", after=question)
            async with bot.records.database.read() as work:
                (open_question,) = await work.questions.open()
                grants = await work.grants.list(None)
    assert open_question.answer is None
    assert grants == []


async def test_what_is_nearly_an_option_is_asked_about_and_then_runs(tmp_path: Path) -> None:
    """Nothing begins before the press, and what came along is there after it."""
    async with (
        Provider(default=Reply(text="Tidied.")) as provider,
        open_bot(tmp_path, provider) as bot,
    ):
        anna = bot.owner
        sent = anna.sends_document("log.txt", b"x", caption="/run budget 2x role engineer Tidy it")
        asked = await anna.hears("not a valid USD amount", after=sent)
        async with bot.records.database.read() as work:
            assert await work.sessions.list() == []
        assert asked.button_texts == ["budget 2", "now: all of it is the task", "✕ don't start"]
        foreign = await bot.guest.answered(
            bot.guest.presses_data(asked, str(asked.button("budget 2").data))
        )
        await anna.answered(anna.presses(asked, "budget 2"))
        await anna.hears("Tidied.", after=sent)
        await anna.until(lambda _: not asked.button_texts)
        async with bot.records.database.read() as work:
            (session,) = await work.sessions.list()
            (turn,) = await work.turns.of_session(session.id)
    assert session.budget_usd == 2
    assert turn.attachments == ("in/log.txt",)
    assert "→ /run budget 2 role engineer Tidy it" in asked.text
    assert foreign.answer
