import asyncio
import math
from collections.abc import AsyncIterator
from io import BytesIO

import pytest
from telegram import (
    Bot,
    BotCommand,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaPhoto,
    MessageEntity,
    ReplyParameters,
    Update,
)
from telegram.constants import ChatAction, ParseMode
from telegram.error import BadRequest, Conflict, InvalidToken
from telegram.ext import ApplicationBuilder, CallbackQueryHandler, MessageHandler, filters

from noctule.core.clock import ManualClock
from tests.support.telegram.pictures import png
from tests.support.telegram.server import TelegramServer
from tests.support.telegram.signs import first_sign, longest_silence


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server


@pytest.fixture
async def bot(telegram: TelegramServer) -> AsyncIterator[Bot]:
    made = Bot(telegram.token, base_url=telegram.base_url, base_file_url=telegram.file_url)
    async with made as bot:
        yield bot


@pytest.fixture
def anna(telegram):
    phone = telegram.phone("Anna", last_name="Arendt", username="anna")
    phone.says("/start")
    return phone


async def greet(update: Update, context) -> None:
    markup = InlineKeyboardMarkup([[InlineKeyboardButton("More", callback_data="more")]])
    await update.message.reply_text(f"You said {update.message.text}", reply_markup=markup)


async def more(update: Update, context) -> None:
    await update.callback_query.answer("Coming")
    await update.callback_query.edit_message_text("And more")


def application(telegram):
    builder = ApplicationBuilder().token(telegram.token).base_url(telegram.base_url)
    made = builder.build()
    made.add_handler(MessageHandler(filters.TEXT, greet))
    made.add_handler(CallbackQueryHandler(more))
    return made


async def test_a_real_application_talks_with_a_person(telegram):
    """Updates reach an Application by long polling; its answers, edits and buttons are seen."""
    anna = telegram.phone("Anna")
    async with application(telegram) as app:
        await app.start()
        await app.updater.start_polling()
        answer = await anna.asks("hello")
        assert (answer.text, answer.button_texts) == ("You said hello", ["More"])
        press = await anna.answered(anna.presses(answer, "More"))
        assert (press.answer, press.alert) == ("Coming", False)
        await anna.hears("And more")
        assert [version.text for version in answer.versions] == ["You said hello", "And more"]
        assert answer.edit_times[0] > answer.sent_at
        assert answer.buttons == []
        await app.updater.stop()
        await app.stop()
    assert [call.code for call in telegram.calls.of("editMessageText", anna.chat.id)] == [200]


async def test_updates_come_to_a_webhook_with_its_secret(telegram):
    """A webhook gets updates with the secret in a header, and again until it takes them."""
    anna = telegram.phone("Anna")
    taken: list[tuple[str, str]] = []
    answers = iter([500, 200, 200])

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        body = await reader.readexactly(int(headers["Content-Length"]))
        taken.append((headers["X-Telegram-Bot-Api-Secret-Token"], body.decode()))
        writer.write(f"HTTP/1.1 {next(answers)} x\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    async with server, Bot(telegram.token, base_url=telegram.base_url) as bot:
        anna.says("one")
        assert await bot.set_webhook(url, secret_token="s3cret")
        with pytest.raises(Conflict, match="webhook is active"):
            await bot.get_updates()
        await telegram.updates.until_confirmed()
        anna.says("two")
        await telegram.updates.until_confirmed()
        info = await bot.get_webhook_info()
        assert (info.url, info.last_error_message) == (
            url,
            "Wrong response from the webhook: 500 x",
        )
        assert await bot.delete_webhook()
        assert (await bot.get_webhook_info()).url == ""
    assert [secret for secret, _ in taken] == ["s3cret"] * 3
    assert ["one" in body for _, body in taken] == [True, True, False]


async def test_a_real_application_listens_for_a_webhook(telegram, unused_tcp_port):
    """An Application that serves a webhook gets its updates there, and its secret is right."""
    anna = telegram.phone("Anna")
    where = f"http://127.0.0.1:{unused_tcp_port}/hook"
    async with application(telegram) as app:
        await app.start()
        await app.updater.start_webhook(
            "127.0.0.1", unused_tcp_port, "hook", webhook_url=where, secret_token="s3cret"
        )
        assert (await anna.asks("hello")).text == "You said hello"
        await app.updater.stop()
        await app.stop()
    assert telegram.calls.of("getUpdates") == []


async def test_updates_stay_until_a_later_offset_is_asked_for(telegram, bot):
    """An update is delivered again and again until the bot asks for the one after it."""
    anna = telegram.phone("Anna")
    anna.says("one")
    anna.says("two")
    first, second = await bot.get_updates()
    assert [first.message.text, second.message.text] == ["one", "two"]
    assert len(await bot.get_updates()) == 2
    assert await bot.get_updates(limit=1) == (first,)
    assert await bot.get_updates(offset=first.update_id + 1) == (second,)
    assert await bot.get_updates(offset=second.update_id + 1) == ()
    anna.says("three")
    anna.says("four")
    (last,) = await bot.get_updates(offset=-1)
    assert last.message.text == "four"
    assert telegram.updates.pending[0].payload["text"] == "four"


async def test_a_poll_waits_for_the_next_update(telegram, bot):
    """A long poll answers when something happens, not before."""
    anna = telegram.phone("Anna")
    waiting = asyncio.ensure_future(bot.get_updates(timeout=20))
    await telegram.updates.until_polled()
    anna.says("now")
    (update,) = await waiting
    assert update.message.text == "now"
    call = telegram.calls.of("getUpdates")[-1]
    assert (call.code, call.params["timeout"]) == (200, "20")


async def test_only_the_kinds_asked_for_are_delivered(telegram, bot, anna):
    """Reactions come when asked for; what is not asked for is never queued."""
    sent = await bot.send_message(anna.chat.id, "hi")
    message = anna.sees()[-1]
    assert anna.reacts(message) is None
    await bot.get_updates(offset=-1, allowed_updates=["message_reaction"])
    anna.says("not wanted")
    anna.reacts(message, "👎")
    update = (await bot.get_updates())[-1]
    assert update.message_reaction.message_id == sent.message_id
    assert update.message_reaction.new_reaction[0].emoji == "👎"
    assert "not wanted" not in str([update.payload for update in telegram.updates.pending])


async def test_a_second_poller_ends_the_first(telegram, bot):
    """A poll that waits is ended with a conflict when another one comes."""
    waiting = asyncio.ensure_future(bot.get_updates(timeout=10))
    await telegram.updates.until_polled()
    async with Bot(telegram.token, base_url=telegram.base_url) as another:
        assert await another.get_updates(timeout=0) == ()
    with pytest.raises(Conflict, match="terminated by other getUpdates"):
        await waiting


async def test_a_wrong_token_is_refused(telegram):
    """Another token is unauthorized; an unknown method is not found."""
    with pytest.raises(InvalidToken):
        async with Bot("1:wrong", base_url=telegram.base_url):
            pass
    assert telegram.calls.all[-1].code == 401
    async with Bot(telegram.token, base_url=telegram.base_url) as bot:
        assert (bot.username, bot.can_read_all_group_messages) == ("noctule_test_bot", False)
        with pytest.raises(Exception, match="not found"):
            await bot.do_api_request("noSuchThing")
    assert telegram.calls.all[-1].said == "Not Found: method not found"


async def test_texts_are_refused_as_the_real_one_refuses_them(telegram, bot, anna):
    """Empty and too long texts and strange chats are refused in the API's own words."""
    stranger = telegram.phone("Ben")
    with pytest.raises(BadRequest, match="Chat not found"):
        await bot.send_message(stranger.owner.id, "hi")
    with pytest.raises(BadRequest, match="Message text is empty"):
        await bot.send_message(anna.chat.id, " \n ")
    with pytest.raises(BadRequest, match="Message is too long"):
        await bot.send_message(anna.chat.id, "😀" * 2049)
    sent = await bot.send_message(anna.chat.id, "😀" * 2048)
    with pytest.raises(BadRequest, match="Message is not modified"):
        await sent.edit_text("😀" * 2048)
    with pytest.raises(BadRequest, match="Message_too_long"):
        await sent.edit_text("😀" * 2049)
    with pytest.raises(BadRequest, match="Message to edit not found"):
        await bot.edit_message_text("x", anna.chat.id, 4711)
    with pytest.raises(BadRequest, match="Message can't be edited"):
        await bot.edit_message_text("x", anna.chat.id, anna.sees()[0].id)
    key = InlineKeyboardMarkup([[InlineKeyboardButton("x", callback_data="ä" * 33)]])
    with pytest.raises(BadRequest, match="Button_data_invalid"):
        await bot.send_message(anna.chat.id, "x", reply_markup=key)


async def test_messages_carry_what_they_were_sent_with(telegram, bot, anna):
    """Replies, silence and keyboards arrive; a reply to nothing is refused unless allowed."""
    question = anna.says("Why?")
    await bot.send_message(
        anna.chat.id,
        "Because.",
        reply_parameters=ReplyParameters(question.id),
        disable_notification=True,
    )
    answer = anna.answers()[-1]
    assert (answer.reply_to, answer.silent) == (question, True)
    with pytest.raises(BadRequest, match="Message to be replied not found"):
        await bot.send_message(anna.chat.id, "x", reply_parameters=ReplyParameters(999))
    allowed = ReplyParameters(999, allow_sending_without_reply=True)
    assert (await bot.send_message(anna.chat.id, "x", reply_parameters=allowed)).text == "x"


@pytest.mark.parametrize(
    ("text", "mode", "why"),
    [
        ("<b>x", "HTML", 'Can\'t find end tag corresponding to start tag "b"'),
        ("<b>x</i>", "HTML", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("1 < 2", "HTML", 'Unsupported start tag "" at byte offset 2'),
        ("ä<table>", "HTML", 'Unsupported start tag "table" at byte offset 2'),
        ("x</i>", "HTML", "Unexpected end tag at byte offset 1"),
        ("x<b", "HTML", "Unclosed start tag at byte offset 1"),
        ("*x", "MarkdownV2", "Can't find end of Bold entity at byte offset 0"),
        ("v1.2", "MarkdownV2", "Character '.' is reserved and must be escaped"),
        ("x = {}", "MarkdownV2", "Character '=' is reserved and must be escaped"),
        ("```py\nx", "MarkdownV2", "Can't find end of PreCode entity at byte offset 0"),
        ("[x](y", "MarkdownV2", "Can't find end of a URL at byte offset 4"),
    ],
)
async def test_broken_markup_is_refused(telegram, bot, anna, text, mode, why):
    """Markup that does not parse is refused with tdlib's reason, and nothing is sent."""
    with pytest.raises(BadRequest, match="Can't parse entities"):
        await bot.send_message(anna.chat.id, text, parse_mode=mode)
    said = telegram.calls.all[-1].said
    assert said.startswith(f"Bad Request: can't parse entities: {why}")
    assert anna.answers() == []


async def test_markup_becomes_entities(telegram, bot, anna):
    """HTML and MarkdownV2 give the same text and the same entities, counted in UTF-16."""
    html = '😀 <b>bold <i>both</i></b> <pre><code class="language-py">a&lt;b</code></pre>'
    markdown = "😀 *bold _both_* ```py\na<b```"
    first = await bot.send_message(anna.chat.id, html, parse_mode=ParseMode.HTML)
    second = await bot.send_message(anna.chat.id, markdown, parse_mode=ParseMode.MARKDOWN_V2)
    assert first.text == second.text == "😀 bold both a<b"
    assert first.entities == second.entities
    kinds = [(e.type, e.offset, e.length, e.language) for e in first.entities]
    assert kinds == [("bold", 3, 9, None), ("italic", 8, 4, None), ("pre", 13, 3, "py")]


async def test_entities_have_to_be_within_the_text(telegram, bot, anna):
    """An entity beyond the end is refused; URLs and commands are found without being marked."""
    with pytest.raises(BadRequest, match="ends after the end of the text at utf-16 offset 9"):
        await bot.send_message(anna.chat.id, "text", entities=[MessageEntity("bold", 0, 9)])
    sent = await bot.send_message(anna.chat.id, " see https://noctule.example/x or /help ")
    found = [(entity.type, sent.parse_entity(entity)) for entity in sent.entities]
    assert found == [("url", "https://noctule.example/x"), ("bot_command", "/help")]


async def test_files_go_in_both_directions(telegram, bot, anna):
    """A person's document is downloaded as it was sent; the bot's files arrive as they were."""
    anna.sends_document("plan.txt", b"sleep, wake", caption="read", media_type="text/plain")
    received = (await bot.get_updates())[-1].message
    assert (received.document.file_name, received.caption) == ("plan.txt", "read")
    file = await received.document.get_file()
    assert bytes(await file.download_as_bytearray()) == b"sleep, wake"
    table = BytesIO(b"a,b\n1,2\n")
    await bot.send_document(
        anna.chat.id, table, filename="table.csv", caption="<b>x</b>", parse_mode="HTML"
    )
    stored = telegram.files.get(anna.answers()[-1].content["document"]["file_id"])
    assert (stored.name, stored.content, stored.media_type) == (
        "table.csv",
        b"a,b\n1,2\n",
        "text/csv",
    )
    assert anna.answers()[-1].text == "x"
    photo = await bot.send_photo(anna.chat.id, png(40, 30))
    assert (photo.photo[-1].width, photo.photo[-1].height) == (40, 30)
    await bot.send_photo(anna.chat.id, photo.photo[-1].file_id)
    with pytest.raises(BadRequest, match="Image_process_failed"):
        await bot.send_photo(anna.chat.id, b"this is text")
    with pytest.raises(BadRequest, match="File must be non-empty"):
        await bot.send_document(anna.chat.id, b"")
    with pytest.raises(BadRequest, match="Message caption is too long"):
        await bot.send_photo(anna.chat.id, png(), caption="x" * 1025)


async def test_a_file_of_more_than_20_mb_cannot_be_downloaded(telegram, bot, anna):
    """Telegram lets bots download 20 MB; the size may be claimed without so many bytes."""
    anna.sends_document("film.mkv", b"...", size=21 * 1024 * 1024)
    document = (await bot.get_updates())[-1].message.document
    with pytest.raises(BadRequest, match="File is too big"):
        await document.get_file()


async def test_albums_are_messages_that_belong_together(telegram, bot, anna):
    """Both sides send albums; each photo is a message and all share an id."""
    anna.sends_album(3, caption="holiday")
    received = [update.message for update in (await bot.get_updates())[-3:]]
    assert len({message.media_group_id for message in received}) == 1
    assert [message.caption for message in received] == ["holiday", None, None]
    media = [InputMediaPhoto(png(grey=1), caption="<i>one</i>", parse_mode="HTML")]
    media.append(InputMediaPhoto(png(grey=2)))
    sent = await bot.send_media_group(anna.chat.id, media)
    assert [message.caption for message in sent] == ["one", None]
    assert telegram.files.get(sent[1].photo[-1].file_id).content == png(grey=2)


async def test_stickers_voices_and_forwards_arrive(telegram, bot, anna):
    """What a bot may not expect comes with the fields that tell what it is."""
    anna.sends_sticker("🦇")
    anna.sends_voice(seconds=7)
    anna.forwards("news", by="Carl")
    anna.edits(anna.says("frist"), "first")
    sticker, voice, forwarded, _, edited = (await bot.get_updates())[-5:]
    assert sticker.message.sticker.emoji == "🦇"
    assert voice.to_dict()["message"]["voice"]["duration"] == 7
    assert forwarded.message.forward_origin.sender_user_name == "Carl"
    assert edited.edited_message.text == "first"


async def test_signs_of_life_are_seen(telegram, bot, anna):
    """Typing, drafts, reactions and pins are what a person sees of a bot at work."""
    await bot.send_chat_action(anna.chat.id, ChatAction.TYPING)
    assert anna.action().action == "typing"
    await bot.send_message_draft(anna.chat.id, 7, "I th")
    await bot.send_message_draft(anna.chat.id, 7, "I think", entities=[])
    assert (anna.draft().text, len(anna.chat.drafts)) == ("I think", 2)
    with pytest.raises(BadRequest, match="Draft_id must be non-zero"):
        await bot.send_message_draft(anna.chat.id, 0, "x")
    sent = await bot.send_message(anna.chat.id, "I think so.")
    assert (anna.action(), anna.draft()) == (None, None)
    await bot.set_message_reaction(anna.chat.id, anna.sees()[0].id, "👀")
    assert anna.sees()[0].reactions[bot.id][0]["emoji"] == "👀"
    with pytest.raises(BadRequest, match="Reaction_invalid"):
        await bot.set_message_reaction(anna.chat.id, sent.message_id, "🦇")
    await sent.pin()
    assert anna.chat.pinned == [sent.message_id]
    await sent.delete()
    with pytest.raises(BadRequest, match="Message to delete not found"):
        await sent.delete()
    assert anna.answers() == []


async def test_silence_is_measured():
    """The first sign of life and the longest time without one are counted from a message on."""
    clock = ManualClock()
    async with (
        TelegramServer(clock=clock) as telegram,
        Bot(telegram.token, base_url=telegram.base_url) as bot,
    ):
        anna = telegram.phone("Anna")
        question = anna.says("Well?")
        assert (first_sign(question), longest_silence(question)) == (None, math.inf)
        await clock.advance(0.25)
        await bot.send_chat_action(anna.chat.id, ChatAction.TYPING)
        await clock.advance(4)
        sent = await bot.send_message(anna.chat.id, "W")
        await clock.advance(6)
        await sent.edit_text("Well.")
    assert first_sign(question) == 0.25
    assert (longest_silence(question, anna.answers()[0]), longest_silence(question)) == (4, 6)
    assert anna.action() is None


async def test_a_press_is_answered_while_it_is_fresh(telegram, bot, anna):
    """Queries that do not exist or are old cannot be answered; forged data arrives as it is."""
    message = anna.says("no buttons")
    press = anna.presses_data(message, "forged")
    query = (await bot.get_updates())[-1].callback_query
    assert (query.data, query.from_user.id, query.message.message_id) == (
        "forged",
        anna.owner.id,
        message.id,
    )
    await query.answer("No.", show_alert=True)
    assert (press.answer, press.alert) == ("No.", True)
    with pytest.raises(BadRequest, match="Query is too old"):
        await bot.answer_callback_query("4711")
    telegram.world.presses.lifetime_seconds = 0
    with pytest.raises(BadRequest, match="Query is too old"):
        await query.answer()


async def test_the_menu_and_the_profile_are_kept(telegram, bot, anna):
    """Commands, descriptions and the menu button are read back as they were set."""
    commands = [BotCommand("help", "What I can do"), BotCommand("stop", "Stop")]
    assert await bot.set_my_commands(commands)
    assert await bot.get_my_commands() == tuple(commands)
    await bot.delete_my_commands()
    assert await bot.get_my_commands() == ()
    with pytest.raises(BadRequest, match="Bot_command_invalid"):
        await bot.set_my_commands([("Help", "capital letters")])
    await bot.set_my_description("Works at night")
    assert (await bot.get_my_description()).description == "Works at night"
    assert (await bot.get_my_name()).name == "Noctule"
    chat = await bot.get_chat(anna.chat.id)
    assert (chat.type, chat.first_name, chat.username) == ("private", "Anna", "anna")


async def test_a_bot_hears_in_groups_what_is_meant_for_it(telegram, bot, anna):
    """In privacy mode it gets commands, mentions and replies; without it everything."""
    group = telegram.chats.group("Team", anna.owner)
    sent = await bot.send_message(group.id, "I am here")
    anna.says("nobody in particular", chat=group)
    anna.says("/status@another_bot", chat=group)
    anna.says("/status", chat=group)
    anna.says("hey @noctule_test_bot", chat=group)
    anna.says("you!", chat=group, reply_to=anna.sees(group)[0])
    heard = [update.message for update in await bot.get_updates()][1:]
    assert [message.text for message in heard] == ["/status", "hey @noctule_test_bot", "you!"]
    assert heard[-1].reply_to_message.message_id == sent.message_id
    telegram.world.reads_groups = True
    anna.says("everybody", chat=group)
    assert (await bot.get_updates())[-1].message.text == "everybody"
    member = await bot.get_chat_member(group.id, anna.owner.id)
    assert member.status == "creator"


async def test_topics_are_kept_apart(telegram, bot, anna):
    """A message goes to its topic; one that does not exist is refused."""
    forum = telegram.chats.forum("Work", anna.owner, topics=("Code", "Prose"))
    code, prose = forum.topics
    anna.says("/new", chat=forum, topic=code)
    received = (await bot.get_updates())[-1].message
    assert (received.message_thread_id, received.is_topic_message) == (code, True)
    await bot.send_message(forum.id, "in prose", message_thread_id=prose)
    assert [message.text for message in anna.sees(forum, prose)] == ["in prose"]
    assert [message.text for message in anna.sees(forum, code)] == ["/new"]
    with pytest.raises(BadRequest, match="Message thread not found"):
        await bot.send_message(forum.id, "x", message_thread_id=4711)


async def test_a_transcript_can_be_read(telegram, bot, anna):
    """A chat is written down in order, with buttons, files, edits and presses."""
    key = InlineKeyboardMarkup([[InlineKeyboardButton("Wait", callback_data="w")]])
    sent = await bot.send_message(
        anna.chat.id, "<b>Parked</b>", parse_mode="HTML", reply_markup=key
    )
    press = anna.presses(anna.answers()[-1], "Wait")
    await bot.answer_callback_query(press.id, "I wait")
    await sent.edit_text("Awake")
    await bot.send_document(anna.chat.id, b"12345", filename="a.txt", disable_notification=True)
    assert anna.transcript(times=False) == (
        "--- Anna's chat with the bot ---\n"
        "Anna: /start\n"
        "Noctule (edited once): Awake\n"
        "Anna presses [Wait] -> 'I wait'\n"
        "Noctule (silent): [document a.txt, 5 bytes]"
    )
    assert "(before: Parked)" in anna.transcript(history=True)


async def test_waiting_in_vain_says_what_is_there(telegram, anna):
    """A predicate that does not come true ends with the chat in the message."""
    with pytest.raises(TimeoutError, match="Anna: /start"):
        await anna.hears("anything", within=0.01)
