import asyncio
from collections.abc import AsyncIterator

import pytest
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram.error import BadRequest, Conflict
from telegram.ext import ApplicationBuilder, CallbackQueryHandler, MessageHandler, filters

from tests.support.telegram.server import TelegramServer


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server


@pytest.fixture
async def bot(telegram: TelegramServer) -> AsyncIterator[Bot]:
    made = Bot(telegram.token, base_url=telegram.base_url, base_file_url=telegram.file_url)
    async with made as bot:
        yield bot


async def test_a_real_application_talks_with_a_person(telegram):
    """Updates reach an Application by long polling; its answers, edits and buttons are seen."""

    async def greet(update: Update, context) -> None:
        key = InlineKeyboardButton("More", callback_data="more")
        markup = InlineKeyboardMarkup([[key]])
        await update.message.reply_text(f"You said {update.message.text}", reply_markup=markup)

    async def more(update: Update, context) -> None:
        await update.callback_query.answer("Coming")
        await update.callback_query.edit_message_text("And more")

    builder = ApplicationBuilder().token(telegram.token).base_url(telegram.base_url)
    app = builder.build()
    app.add_handler(MessageHandler(filters.TEXT, greet))
    app.add_handler(CallbackQueryHandler(more))
    anna = telegram.phone("Anna")
    async with app:
        await app.start()
        await app.updater.start_polling()
        anna.says("hello")
        answer = await anna.hears("You said hello")
        press = await anna.answered(anna.presses(answer, "More"))
        assert press.answer == "Coming"
        await anna.hears("And more")
        assert [version.text for version in answer.versions] == ["You said hello", "And more"]
        await app.updater.stop()
        await app.stop()


async def test_updates_stay_until_a_later_offset_is_asked_for(telegram, bot):
    """An update is delivered again and again until the bot asks for the one after it."""
    anna = telegram.phone("Anna")
    anna.says("one")
    anna.says("two")
    first, second = await bot.get_updates()
    assert [first.message.text, second.message.text] == ["one", "two"]
    assert len(await bot.get_updates()) == 2
    assert await bot.get_updates(offset=first.update_id + 1) == (second,)
    assert await bot.get_updates(offset=second.update_id + 1) == ()


async def test_a_second_poller_ends_the_first(telegram, bot):
    """A poll that waits is ended with a conflict when another one comes."""
    waiting = asyncio.ensure_future(bot.get_updates(timeout=10))
    await telegram.updates.until_polled()
    async with Bot(telegram.token, base_url=telegram.base_url) as another:
        assert await another.get_updates(timeout=0) == ()
    with pytest.raises(Conflict, match="terminated by other getUpdates"):
        await waiting


async def test_sendmessage_refuses_what_the_real_one_refuses(telegram, bot):
    """Empty and too long texts and strange chats are refused in the API's own words."""
    anna = telegram.phone("Anna")
    with pytest.raises(BadRequest, match="Chat not found"):
        await bot.send_message(anna.owner.id, "hi")
    anna.says("/start")
    with pytest.raises(BadRequest, match="Message text is empty"):
        await bot.send_message(anna.owner.id, "  ")
    with pytest.raises(BadRequest, match="Message is too long"):
        await bot.send_message(anna.owner.id, "😀" * 2049)
    sent = await bot.send_message(anna.owner.id, "😀" * 2048)
    with pytest.raises(BadRequest, match="Message is not modified"):
        await sent.edit_text("😀" * 2048)
