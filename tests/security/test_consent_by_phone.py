"""Who may answer by phone: nothing that somebody else wrote, in whatever way it arrives."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from noctule.channels.telegram.base.callback_tokens import Signer
from noctule.channels.telegram.delivery.chat_ref import ChatRef
from noctule.channels.telegram.views.feedback import ON
from noctule.core.errors import UsageError
from noctule.core.sessions.questions import Question
from noctule.sessions.service.service import Request
from tests.integration.test_telegram_safety import handled
from tests.integration.test_telegram_work import ASKS, calls
from tests.support.provider import Provider
from tests.support.replies import Reply
from tests.support.telegram_rig import GUEST, OWNER, Bot, fast_telegram, open_bot

pytestmark = pytest.mark.process

BOT = {"id": 8, "is_bot": True, "first_name": "B"}
CHANNEL = {"id": -1006, "type": "channel", "title": "News"}
OTHERS: list[dict[str, Any]] = [
    {"forward_origin": {"type": "hidden_user", "date": 1, "sender_user_name": "Mallory"}},
    {"forward_origin": {"type": "channel", "date": 1, "message_id": 4, "chat": CHANNEL}},
    {"forward_date": 1},
    {"forward_sender_name": "Mallory"},
    {"via_bot": BOT},
    {"is_automatic_forward": True, "forward_origin": 7},
]


async def open_question(bot: Bot) -> Question:
    (question,) = await bot.records.service.questions()
    return question


def odd_update(kind, content, number):
    return {"update_id": number, kind: content}


async def test_no_word_of_somebody_else_answers_an_approval(tmp_path: Path) -> None:
    """Forwarded, by another bot, edited into it, posted in a channel, quoted: none is a yes."""
    async with Provider(default=Reply(text="It says hi.")) as provider:
        provider.enqueue(calls("shell", command="echo hi"))
        async with open_bot(tmp_path, provider, tools=ASKS) as bot:
            anna = bot.owner
            said = anna.says("/run role engineer Say hi in the shell")
            question = await anna.hears("May engineer use shell", after=said)
            for extra in OTHERS:
                anna.sends({"text": "once"}, reply_to=question, **extra)
                await handled(bot)
                assert (await open_question(bot)).answer is None
            harmless = anna.says("hello there")
            await handled(bot)
            anna.edits(harmless, "once")
            bot.guest.says("once", chat=bot.guest.chat)
            quote = {"text": "once", "position": 0, "is_manual": True}
            anna.sends({"text": "what is this?"}, reply_to=question, quote=quote)
            await handled(bot)
            post = {"message_id": 1, "date": 1, "chat": CHANNEL, "text": "once"}
            by_anna = post | {"from": anna.owner.document, "reply_to_message": {"message_id": 1}}
            for kind in ("channel_post", "edited_channel_post", "business_message"):
                bot.telegram.updates.publish_odd(partial(odd_update, kind, by_anna))
            await handled(bot)
            assert (await open_question(bot)).answer is None
            anna.says("once", reply_to=question)
            await anna.hears("It says hi.", after=said)


async def test_a_guest_s_words_are_spelt_out_on_the_owner_s_card(tmp_path: Path) -> None:
    """What a guest wants is quoted, in plain sight, and stands behind whose work asks."""
    want = "Say hi\u202e\u2066 \ufe0f\u3164 to all"
    async with Provider(default=Reply(text="It says hi.")) as provider:
        provider.enqueue(calls("shell", command="echo hi"))
        async with open_bot(tmp_path, provider, tools=ASKS) as bot:
            bot.owner.says("/status")
            bot.guest.says(f"/run role engineer {want}")
            question = await bot.owner.hears("May engineer use shell")
    text = question.versions[0].text
    assert "This comes from a guest's task, not yours: \u201cBert bert (id 1002)\u201d." in text
    assert "They want: \u201cSay hi\\u202e\\u2066 \\ufe0f\\u3164 to all\u201d" in text
    assert "(In a session of telegram:1002; it acts under the account of" in text


async def test_a_guest_in_a_group_says_and_presses_nothing_in_the_owners_session(
    tmp_path: Path,
) -> None:
    """Each has a session of their own there: what one was allowed is not allowed to the other."""
    async with fast_telegram() as telegram, Provider(default=Reply(text="Hi.")) as provider:
        anna, bert = telegram.phone(OWNER), telegram.phone(GUEST)
        team = telegram.chats.group("Team", anna.owner, bert.owner)
        me = f"@{telegram.world.bot.username}"
        one = {"endpoint": "shop", "local": True, "context": 32000}
        more = {name: {**one, "name": name} for name in ("loop", "other")}
        settings = {"groups": [team.id], "allow": [OWNER.id, bert.owner.id]}
        async with open_bot(
            tmp_path, provider, telegram=telegram, settings=settings, works=False, models=more
        ) as bot:
            anna.says("/private on", chat=team)
            told = await anna.hears("leaves your machines", chat=team)
            for phone, words in (
                (anna, "one"),
                (bert, "two"),
                (bert, "/private off"),
                (anna, "three"),
                (bert, "/new"),
                (bert, "four"),
                (anna, "five"),
            ):
                phone.says(words if words[0] == "/" else f"{me} {words}", chat=team)
                await handled(bot)
            async with bot.records.database.read() as work:
                sessions = await work.sessions.list()
                turns = {s.id: await work.turns.of_session(s.id) for s in sessions}
            said = {(s.owner, *(t.text for t in turns[s.id])) for s in sessions}
            signer = Signer(telegram.token, bot.records.clock)
            mine = next(t for some in turns.values() for t in some if t.text == "one")
            press = signer.button(ChatRef(team.id), "text", ON, f"{mine.id}.0").data
            refused = await bert.answered(bert.presses_data(told, str(press)))
            with pytest.raises(UsageError, match="someone else"):
                await bot.records.service.submit(
                    Request("obey", session_id=mine.session_id, owner=f"telegram:{GUEST.id}")
                )
    guest = f"telegram:{GUEST.id}"
    assert said == {("local", "one", "three", "five"), (guest, "two"), (guest, "four")}
    assert all(turn.private for some in turns.values() for turn in some)
    assert refused.answer == "I no longer have that message."


async def test_what_work_would_ask_for_is_allowed_with_one_button(tmp_path: Path) -> None:
    """By the owner alone, with what it means; it holds for that piece of work."""
    async with (
        Provider(default=Reply(text="Done.")) as provider,
        open_bot(tmp_path, provider, tools={"sandbox": "none"}) as bot,
    ):
        said = bot.owner.says("/run tomorrow 9:00 role engineer Tidy the logs")
        offer = await bot.owner.hears("It would stop and ask you for this:", after=said)
        assert "shell: commands and code run as you, because no sandbox works here" in offer.text
        assert offer.button_texts == ["\u2713 allow all of it"]
        data = str(offer.button("allow").data)
        forged = await bot.guest.answered(bot.guest.presses_data(offer, data))
        assert await bot.records.service.grants() == []
        press = await bot.owner.answered(bot.owner.presses(offer, "allow"))
        await bot.owner.until(lambda _: not offer.button_texts)
        (grant,) = await bot.records.service.grants()
        bot.guest.says("/run tomorrow 9:00 role engineer Tidy mine")
        bot.owner.says("/run tomorrow 9:00 allow shell role engineer Tidy more")
        await handled(bot)
        offers = [m for m in bot.owner.answers() if "It would stop" in m.text]
        to_guest = [m for m in bot.guest.answers() if "It would stop" in m.text]
    assert (press.answer, forged.answer) == ("Allowed.", "Only my owner can use this button.")
    assert (grant.rule, grant.is_rule, grant.despite_outside) == ("shell", True, True)
    assert "Allowed for this task: shell." in offer.text
    assert (offers, to_guest) == ([], [])
