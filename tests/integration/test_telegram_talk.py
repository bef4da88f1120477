"""Conversations with the bot: real channel, real worker, real HTTP on both sides."""

import asyncio
import re
from pathlib import Path

import pytest

from noctule.core.sessions.sessions import Rating
from tests.support.provider import Provider, Reply
from tests.support.telegram.messages import Message
from tests.support.telegram_rig import Bot, open_bot

pytestmark = pytest.mark.process


async def the_answer(bot: Bot, after: Message, words: str = "") -> Message:
    """Return the finished answer to a message: the one with buttons."""
    return await bot.owner.until(
        lambda seen: next(
            (
                one
                for one in reversed(seen)
                if one.from_bot and one.button_texts and words in one.text and one.id > after.id
            ),
            None,
        )
    )


async def until_said(bot: Bot, session_id: str, text: str) -> None:
    """Wait until the last turn of a session says something."""
    async with asyncio.timeout(20):
        async for _ in bot.records.database.changes():
            async with bot.records.database.read() as work:
                turns = await work.turns.of_session(session_id)
            if turns and turns[-1].text == text:
                return


async def test_a_message_is_answered_with_who_answered_and_buttons(tmp_path: Path) -> None:
    """Formatting becomes entities, the line under it says role, model, cost and time."""
    async with (
        Provider(default=Reply(text="It is **noon** in `UTC`.")) as provider,
        open_bot(tmp_path, provider) as bot,
    ):
        said = bot.owner.says("hello")
        answer = await the_answer(bot, said)
    first, last = answer.text.split("\n\n")
    assert first == "It is noon in UTC."
    assert re.fullmatch(r"chat · loop · \$0\.00 · [\d.]+ m?s", last)
    assert [entity["type"] for entity in answer.entities] == ["bold", "code", "italic"]
    assert answer.button_texts == ["👍", "👎", "try another model …"]
    assert bot.said == ["Telegram: I am @noctule_test_bot, Noctule. Write to me."]


async def test_an_answer_grows_in_one_message(tmp_path: Path) -> None:
    """While the model writes there is one message, edited; at its end it is complete."""
    slow = Reply(text=" ".join(f"word{n}" for n in range(40)), between_tokens=0.1)
    async with (
        Provider(default=slow) as provider,
        open_bot(tmp_path, provider, settings={"edit_interval": "300ms"}) as bot,
    ):
        said = bot.owner.says("hello")
        answer = await the_answer(bot, said)
        answers = bot.owner.answers()
    assert answers == [answer]
    assert "word0" in answer.versions[0].text
    assert "word39" not in answer.versions[0].text
    assert answer.text.startswith(slow.text)
    assert len(answer.versions) > 2
    assert all(
        later.text != earlier.text
        for earlier, later in zip(answer.versions[1:-1], answer.versions[:-2], strict=True)
    )


async def test_a_full_message_is_left_as_it_is_and_the_next_one_grows(tmp_path: Path) -> None:
    """Nothing jumps back: what was to be read above stays there while the rest is written."""
    text = "\n\n".join(f"Paragraph {n}. " + "word " * 60 for n in range(36))
    slow = Reply(text=text, between_tokens=0.004)
    async with (
        Provider(default=slow) as provider,
        open_bot(tmp_path, provider, settings={"edit_interval": "300ms"}) as bot,
    ):
        said = bot.owner.says("hello")
        await bot.owner.until(lambda seen: any(m.button_texts for m in seen), within=150)
        answers = [m for m in bot.owner.answers() if m.id > said.id]
    assert len(answers) >= 3
    back = [
        (number, version.text[:40])
        for number, message in enumerate(answers)
        for version in message.versions
        if not version.text.startswith(message.versions[0].text[:40])
    ]
    assert back == []
    assert len(answers[1].versions) > 1
    whole = "\n".join(message.text for message in answers)
    assert [n for n in range(36) if whole.count(f"Paragraph {n}. ") != 1] == []


async def test_messages_are_answered_one_by_one_in_order(tmp_path: Path) -> None:
    """Three messages at once become three turns of one session."""
    async with (
        Provider(
            decide=lambda request: Reply(text=f"You said {request.last_user_text}.")
        ) as provider,
        open_bot(tmp_path, provider) as bot,
    ):
        for word in ("one", "two", "three"):
            last = bot.owner.says(f"hello {word}")
        del last
        await bot.owner.until(lambda seen: sum(bool(m.button_texts) for m in seen) == 3)
        texts = [m.text for m in bot.owner.answers() if m.button_texts]
        async with bot.records.database.read() as work:
            sessions = await work.sessions.list()
    assert [text.split(".")[0].split()[-1] for text in texts] == ["one", "two", "three"]
    assert len(sessions) == 1


async def test_a_long_answer_is_split_and_long_code_is_a_file(tmp_path: Path) -> None:
    """No part is over what Telegram takes, nothing is left out, the code comes as a document."""
    paragraphs = "\n\n".join(f"Paragraph {n}. " + "word " * 120 for n in range(12))
    code = "\n".join(f"print({n})  # a line of a long program" for n in range(120))
    text = f"{paragraphs}\n\n```python\n{code}\n```\n\nThat is all."
    async with (
        Provider(default=Reply(text=text)) as provider,
        open_bot(tmp_path, provider) as bot,
    ):
        bot.owner.says("hello")
        await bot.owner.until(lambda seen: any("document" in m.content for m in seen))
        answers = bot.owner.answers()
        document = next(m for m in answers if "document" in m.content)
        name = document.content["document"]["file_name"]
    whole = "\n".join(m.text for m in answers)
    assert len([m for m in answers if m.text]) > 1
    assert all(f"Paragraph {n}." in whole for n in range(12))
    assert name == "code-1.py"
    assert "That is all." in whole
    assert "a line of a long program" not in whole


async def test_a_reply_takes_the_message_as_context(tmp_path: Path) -> None:
    """What it replies to stands in what the model is asked."""
    async with (
        Provider(default=Reply(text="The answer.")) as provider,
        open_bot(tmp_path, provider) as bot,
    ):
        first = await the_answer(bot, bot.owner.says("hello"))
        second = bot.owner.says("hello, why?", reply_to=first)
        await the_answer(bot, second)
        asked = provider.requests[-1].last_user_text
    assert "> The answer." in asked
    assert asked.endswith("hello, why?")


async def test_a_document_goes_to_the_workspace(tmp_path: Path) -> None:
    """Under a name without a path, and the model is told of it."""
    async with (
        Provider(default=Reply(text="Read.")) as provider,
        open_bot(tmp_path, provider) as bot,
    ):
        said = bot.owner.sends_document("../../etc/my table.csv", b"a,b\n1,2\n", caption="hello")
        await the_answer(bot, said)
        async with bot.records.database.read() as work:
            (session,) = await work.sessions.list()
            (turn,) = await work.turns.of_session(session.id)
        folder = bot.records.home / "workspaces" / session.id
    assert turn.attachments == ("in/my_table.csv",)
    assert (folder / "in" / "my_table.csv").read_bytes() == b"a,b\n1,2\n"
    assert "in/my_table.csv" in provider.requests[-1].last_user_text


async def test_an_album_is_one_message(tmp_path: Path) -> None:
    """Three pictures with one caption make one turn with three files."""
    async with (
        Provider(default=Reply(text="Nice.")) as provider,
        open_bot(tmp_path, provider) as bot,
    ):
        sent = bot.owner.sends_album(3, caption="hello, look")
        await the_answer(bot, sent[-1])
        async with bot.records.database.read() as work:
            (session,) = await work.sessions.list()
            (turn,) = await work.turns.of_session(session.id)
    assert len(turn.attachments) == 3
    assert turn.text.startswith("hello, look")


@pytest.mark.parametrize(
    ("send", "words"),
    [
        (lambda phone: phone.sends_voice(), "no transcriber"),
        (lambda phone: phone.sends_sticker("🦇"), "🦇"),
    ],
)
async def test_what_it_cannot_read_gets_an_honest_answer(tmp_path, send, words) -> None:
    """No model is asked, no turn is made."""
    async with (
        Provider(default=Reply(text="no")) as provider,
        open_bot(tmp_path, provider) as bot,
    ):
        sent = send(bot.owner)
        await bot.owner.hears(words, after=sent)
        assert provider.requests == []
        async with bot.records.database.read() as work:
            assert await work.sessions.list() == []


async def test_an_edit_that_comes_too_late_is_said(tmp_path: Path) -> None:
    """A message that was read is not read again."""
    async with (
        Provider(default=Reply(text="Fine.")) as provider,
        open_bot(tmp_path, provider) as bot,
    ):
        said = bot.owner.says("hello")
        await the_answer(bot, said)
        bot.owner.edits(said, "hello world")
        await bot.owner.hears("as a new message")
        assert len(provider.requests) == 1


async def test_an_edit_in_time_is_what_is_read(tmp_path: Path) -> None:
    """A message that waits behind another is changed as often as one likes, and read once."""
    gate = asyncio.Event()
    async with (
        Provider(default=Reply(text="Fine.", gate=gate)) as provider,
        open_bot(tmp_path, provider) as bot,
    ):
        bot.owner.says("hello first")
        await provider.until(lambda one: one.busy == 1)
        waits = bot.owner.says("hello secnd")
        bot.owner.edits(waits, "hello secod")
        bot.owner.edits(waits, "hello second")
        await bot.telegram.updates.until_confirmed()
        async with bot.records.database.read() as work:
            (session,) = await work.sessions.list()
        await until_said(bot, session.id, "hello second")
        gate.set()
        await bot.owner.until(lambda seen: sum(bool(m.button_texts) for m in seen) == 2)
    assert [r.last_user_text for r in provider.requests] == ["hello first", "hello second"]


async def test_thumbs_and_again_feed_the_ratings(tmp_path: Path) -> None:
    """Again asks another model and counts against the first."""
    models = {
        name: {"endpoint": "shop", "name": name, "context": 32000} for name in ("loop", "other")
    }
    async with (
        Provider(default=Reply(text="An answer.")) as provider,
        open_bot(tmp_path, provider, models=models) as bot,
    ):
        first = await the_answer(bot, bot.owner.says("hello"))
        press = await bot.owner.answered(bot.owner.presses(first, "👍"))
        assert press.answer == "Noted: good."
        await bot.owner.until(lambda _: first.button_texts == ["👍 ✓", "👎", "try another model …"])
        bot.owner.presses(first, "try another model …")
        await bot.owner.until(lambda seen: "other" in (first.button_texts or []))
        bot.owner.presses(first, "other")
        second = await the_answer(bot, first)
        async with bot.records.database.read() as work:
            (session,) = await work.sessions.list()
            turns = await work.turns.of_session(session.id)
    assert second.id > first.id
    assert [turn.verdict for turn in turns] == [Rating.AGAIN, None]
    assert provider.requests[-1].model == "other"


async def test_a_failure_is_one_sentence(tmp_path: Path) -> None:
    """What went wrong and what to do, and no traceback."""
    async with (
        Provider(default=Reply(status=401, body={"error": {"message": "bad key"}})) as provider,
        open_bot(tmp_path, provider) as bot,
    ):
        said = bot.owner.says("hello")
        told = await bot.owner.hears("", after=said)
    assert "bad key" in told.text
    assert "Traceback" not in told.text


async def test_typing_is_shown_until_the_answer(tmp_path: Path) -> None:
    """From the first moment, and kept up while the model thinks."""
    gate = asyncio.Event()
    async with (
        Provider(default=Reply(text="Done.", gate=gate)) as provider,
        open_bot(tmp_path, provider) as bot,
    ):
        said = bot.owner.says("hello")
        await bot.telegram.calls.until("sendChatAction", times=2)
        gate.set()
        await the_answer(bot, said)
    kinds = [call.method for call in bot.telegram.calls.all]
    assert kinds.index("sendChatAction") < kinds.index("sendMessage")


async def test_a_model_that_sees_is_shown_the_picture(tmp_path: Path) -> None:
    """It is sent beside the words; a role without such a model says that it cannot see."""
    seeing = {"loop": {"endpoint": "shop", "name": "loop", "context": 32000, "vision": True}}
    blind = {"loop": {"endpoint": "shop", "name": "loop", "context": 32000}}
    said = []
    for folder, models in (("seeing", seeing), ("blind", blind)):
        (tmp_path / folder).mkdir()
        async with (
            Provider(default=Reply(text="A bat.")) as provider,
            open_bot(tmp_path / folder, provider, models=models) as bot,
        ):
            await the_answer(bot, bot.owner.sends_photo(caption="hello, what is it?"))
            said.append(provider.requests[-1].body["messages"][-1]["content"])
    shown, told = said
    assert [block["type"] for block in shown] == ["text", "image_url"]
    assert shown[1]["image_url"]["url"].startswith("data:image/jpeg;base64,")
    assert "can see pictures" in told


async def test_a_reaction_to_an_answer_is_a_rating(tmp_path: Path) -> None:
    """As people rate anyway, without a button."""
    async with (
        Provider(default=Reply(text="An answer.")) as provider,
        open_bot(tmp_path, provider) as bot,
    ):
        answer = await the_answer(bot, bot.owner.says("hello"))
        assert bot.owner.reacts(answer, "👎") is not None
        bot.guest.says("/start")
        await bot.owner.asks("/status")
        async with bot.records.database.read() as work:
            (session,) = await work.sessions.list()
            (turn,) = await work.turns.of_session(session.id)
    assert turn.verdict is Rating.BAD


async def test_a_message_that_waits_for_its_turn_is_seen(tmp_path: Path) -> None:
    """A sign under it until its turn comes; no message more."""
    slow = Reply(text=" ".join(["word"] * 60), between_tokens=0.05)
    async with (
        Provider(default=slow) as provider,
        open_bot(tmp_path, provider) as bot,
    ):
        first = bot.owner.says("hello one")
        await bot.owner.hears("word", after=first)
        second = bot.owner.says("hello two")
        await bot.owner.until(lambda _: bot.telegram.calls.of("setMessageReaction"))
        (sign, *_) = bot.telegram.calls.of("setMessageReaction")
        await bot.owner.until(lambda seen: sum(bool(m.button_texts) for m in seen) == 2, within=60)
        later = bot.telegram.calls.of("setMessageReaction")
    assert str(sign.params["message_id"]) == str(second.id)
    assert len(later) == 2
