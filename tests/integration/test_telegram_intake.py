"""What people send, in every form apps send it in: one turn of all of it, or an honest sentence."""

from pathlib import Path
from typing import Any

import pytest

from noctule.core.sessions.sessions import Turn
from tests.support.provider import Provider, Reply
from tests.support.telegram_rig import Bot, open_bot

pytestmark = pytest.mark.process


async def turns_of(bot: Bot) -> list[Turn]:
    """Return all turns there are, oldest first."""
    async with bot.records.database.read() as work:
        sessions = await work.sessions.list()
        found = [turn for one in sessions for turn in await work.turns.of_session(one.id)]
    return sorted(found, key=lambda turn: turn.id)


async def test_a_paste_the_app_cut_is_one_turn(tmp_path: Path) -> None:
    """Nine thousand characters come in three messages and are answered once, whole."""
    text = "".join(f"{number:05d} line of a log\n" for number in range(410))[:9000].rstrip()
    async with (
        Provider(default=Reply(text="Read.")) as provider,
        open_bot(tmp_path, provider) as bot,
    ):
        for at in range(0, len(text), 4096):
            bot.owner.says(text[at : at + 4096])
        await bot.owner.hears("Read.")
        (turn,) = await turns_of(bot)
    assert turn.text == text


async def test_an_album_with_a_run_is_one_run_with_all_of_it(tmp_path: Path) -> None:
    """The caption is the command, under whichever picture it stands."""
    async with (
        Provider(default=Reply(text="Sorted.")) as provider,
        open_bot(tmp_path, provider) as bot,
    ):
        sent = bot.owner.sends_album(3, caption="/run role engineer Sort them")
        await bot.owner.hears("Sorted.", after=sent[-1])
        (turn,) = await turns_of(bot)
    assert turn.text.startswith("Sort them")
    assert len(turn.attachments) == 3


async def test_files_of_one_name_all_stay(tmp_path: Path) -> None:
    """Later and within an album: what was there is never overwritten; the same is kept once."""
    async with (
        Provider(default=Reply(text="Got it.")) as provider,
        open_bot(tmp_path, provider) as bot,
    ):
        for content in (b"one", b"two", b"one"):
            sent = bot.owner.sends_document("report.csv", content, caption="hello")
            await bot.owner.hears("Got it.", after=sent)
        for content in (b"three", b"four"):
            document = bot.owner._attachments.document("report.csv", content, "text/csv", None)
            sent = bot.owner.sends(document, media_group_id="77")
        await bot.owner.hears("Got it.", after=sent)
        turns = await turns_of(bot)
        folder = bot.records.home / "workspaces" / turns[0].session_id / "in"
        stored = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert [turn.attachments for turn in turns] == [
        ("in/report.csv",),
        ("in/report-2.csv",),
        ("in/report.csv",),
        ("in/report-3.csv", "in/report-4.csv"),
    ]
    assert stored == {
        "report.csv": b"one",
        "report-2.csv": b"two",
        "report-3.csv": b"three",
        "report-4.csv": b"four",
    }


RICH: dict[str, Any] = {
    "blocks": [
        {"type": "heading", "size": 2, "text": "Night report"},
        {"type": "paragraph", "text": ["All ", {"type": "bold", "text": "green"}, " but one."]},
        {"type": "list", "items": [{"blocks": [{"type": "paragraph", "text": "Disk at 91 %"}]}]},
        {"type": "table", "cells": [[{"text": "host"}, {"text": "load"}], [{"text": "a1"}]]},
        {"type": "details", "summary": "More", "blocks": [{"type": "pre", "text": "df -h"}]},
        {"type": "photo", "photo": [], "caption": {"text": "A chart", "credit": "Grafana"}},
        {"type": "mathematical_expression", "expression": "x^2"},
        {"type": "something of 2031", "blocks": [{"type": "new", "text": {"text": "Still read"}}]},
    ]
}


async def test_the_text_of_a_rich_message_is_read(tmp_path: Path) -> None:
    """Forwarded from a bot that writes pages (Bot API 10.1): every word of it."""
    async with (
        Provider(default=Reply(text="I see.")) as provider,
        open_bot(tmp_path, provider) as bot,
    ):
        origin = {"type": "hidden_user", "sender_user_name": "Monitor", "date": 1}
        sent = bot.owner.sends({"rich_message": RICH}, forward_origin=origin)
        await bot.owner.hears("I see.", after=sent)
        (turn,) = await turns_of(bot)
    expected = ["Forwarded from Monitor", "Night report", "All green but one.", "Disk at 91 %"]
    expected += ["host | load", "a1", "More", "df -h", "A chart", "Grafana", "x^2", "Still read"]
    assert [words for words in expected if words not in turn.text] == []


async def test_captions_of_what_cannot_be_seen_are_read(tmp_path: Path) -> None:
    """The person is told what was not seen, the model too, and the words count."""
    async with (
        Provider(default=Reply(text="Understood.")) as provider,
        open_bot(tmp_path, provider) as bot,
    ):
        video = {"file_id": "v", "file_unique_id": "v", "width": 1, "height": 1, "duration": 1}
        sent = bot.owner.sends({"video": video, "caption": "Is this hinge broken?"})
        told = await bot.owner.hears("can't watch videos", after=sent)
        await bot.owner.hears("Understood.", after=told)
        (turn,) = await turns_of(bot)
    assert "use the rest of what you sent" in told.text
    assert "Is this hinge broken?" in turn.text
    assert "video, which cannot be read" in turn.text


async def test_a_mistyped_command_asks_no_model(tmp_path: Path) -> None:
    """It says what may have been meant; a path at the beginning is no command."""
    async with (
        Provider(default=Reply(text="A path.")) as provider,
        open_bot(tmp_path, provider) as bot,
    ):
        wrong = await bot.owner.asks("/staus")
        unlike = await bot.owner.asks("/xyzzy now")
        assert provider.requests == []
        said = bot.owner.says("/etc/hosts is what?")
        await bot.owner.hears("A path.", after=said)
    assert "Did you mean /status" in wrong.text
    assert "no command /xyzzy" in unlike.text
    assert "Did you mean" not in unlike.text


async def test_a_mention_counts_in_any_case(tmp_path: Path) -> None:
    """Telegram's names know no case, and it is taken out of what was said."""
    async with (
        Provider(default=Reply(text="Yes.")) as provider,
        open_bot(tmp_path, provider) as bot,
    ):
        name = str(bot.telegram.world.bot.username)
        sent = bot.owner.says(f"@{name.upper()} hello")
        await bot.owner.hears("Yes.", after=sent)
        (turn,) = await turns_of(bot)
    assert turn.text == "hello"
