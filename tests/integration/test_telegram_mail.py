"""The outbox under everything Telegram does to a bot: stored first, sent once, in order."""

from pathlib import Path
from typing import Any

import pytest

from noctule.channels.telegram.delivery.chat_ref import CHANNEL, ChatRef
from noctule.channels.telegram.delivery.outgoing import OutgoingMessage, document, formatted, plain
from noctule.channels.telegram.delivery.sender import MOST_FILE_BYTES, REPEATED
from noctule.core.messaging.messages import OutgoingKind, OutgoingState
from tests.support.telegram.faults import Fault, Trouble
from tests.support.telegram.phone import Phone
from tests.support.telegram.refusals import Refusal, bad_request
from tests.support.telegram_mail import Mail, open_mail


def texts(phone: Phone) -> list[str]:
    """Return what the bot wrote to somebody."""
    return [message.text for message in phone.answers()]


def edit(mail: Mail, phone: Phone, of: str, text: str, **changes: Any) -> OutgoingMessage:
    """Return an edit of the message with a key."""
    given = {"kind": OutgoingKind.EDIT, "edits": of} | changes
    return mail.letter(phone, text, **given)


@pytest.mark.parametrize("seconds", [1, 7, 60])
async def test_flood_control_is_waited_out(seconds: int) -> None:
    """A message refused with 429 is sent once, in its time, and what follows stays behind."""
    async with open_mail() as mail:
        anna = mail.phone("Anna")
        mail.telegram.faults.add(Fault.flood(seconds, method="sendMessage"))
        await mail.posts(anna, "one", "two")
        await mail.until(lambda: len(anna.answers()) == 2)
        refused, *sent = mail.telegram.calls.of("sendMessage")
    assert texts(anna) == ["one", "two"]
    assert sent[0].at - refused.at >= seconds
    assert len(sent) == 2


async def test_a_chat_in_flood_control_holds_up_no_other() -> None:
    """While one chat has to wait for a minute the others are written to."""
    async with open_mail() as mail:
        anna, bert = mail.phone("Anna"), mail.phone("Bert")
        mail.telegram.faults.add(Fault.flood(60, method="sendMessage", chat=anna.chat.id))
        await mail.posts(anna, "later")
        await mail.telegram.calls.until("sendMessage")
        began = mail.clock.monotonic()
        await mail.posts(bert, "now")
        await mail.until(lambda: texts(bert) == ["now"])
        assert mail.clock.monotonic() - began < 30
        assert texts(anna) == []
        await mail.until(lambda: texts(anna) == ["later"])


@pytest.mark.parametrize("code", [500, 502, 504])
async def test_errors_of_the_server_are_retried(code: int) -> None:
    """What the server says it did not do is done again, without a mark."""
    async with open_mail() as mail:
        anna = mail.phone("Anna")
        refusal = Refusal(code, "Internal Server Error")
        mail.telegram.faults.add(Fault.refuse(refusal, method="sendMessage", times=3))
        await mail.posts(anna, "one")
        await mail.until(anna.answers)
    assert texts(anna) == ["one"]


@pytest.mark.parametrize(
    "trouble",
    [Trouble.HANG_BEFORE, Trouble.HANG_AFTER, Trouble.DROP_BEFORE, Trouble.DROP_AFTER],
)
async def test_an_unclear_send_is_repeated_and_says_so(trouble: Trouble) -> None:
    """Nobody can know whether it arrived: it comes again, marked, and only it."""
    async with open_mail() as mail:
        anna = mail.phone("Anna")
        mail.telegram.faults.add(Fault(trouble, method="sendMessage"))
        await mail.posts(anna, "one", "two")
        await mail.until(lambda: texts(anna)[-1:] == ["two"])
        arrived = trouble in {Trouble.HANG_AFTER, Trouble.DROP_AFTER}
        assert texts(anna) == ["one"] * arrived + [f"one\n\n{REPEATED}", "two"]
        assert (await mail.stored("key-1")).repeated
        assert not (await mail.stored("key-2")).repeated


async def test_a_message_in_flight_at_a_kill_is_marked_and_what_waited_is_not() -> None:
    """After a restart everything is sent, in order; only what was handed over may be a repeat."""
    async with open_mail() as mail:
        anna = mail.phone("Anna")
        mail.telegram.faults.add(Fault(Trouble.SLOW, method="sendMessage", seconds=3600))
        await mail.posts(anna, "one", "two")
        await mail.telegram.calls.pulse.until(anna.answers, 10)
        await mail.restart()
        await mail.until(lambda: texts(anna)[-1:] == ["two"])
    assert texts(anna) == ["one", f"one\n\n{REPEATED}", "two"]


async def test_an_answer_in_a_message_that_may_be_a_repeat_keeps_the_mark() -> None:
    """The edit that completes it does not wipe away that it may stand there twice."""
    async with open_mail() as mail:
        anna = mail.phone("Anna")
        mail.telegram.faults.add(Fault(Trouble.DROP_AFTER, method="sendMessage"))
        await mail.outbox.post(mail.letter(anna, "begin", key="grows"))
        await mail.outbox.post(edit(mail, anna, "grows", "begin and end"))
        await mail.until(lambda: "and end" in "".join(texts(anna)))
    assert texts(anna) == ["begin", f"begin and end\n\n{REPEATED}"]


async def test_the_longest_message_has_room_for_its_mark() -> None:
    """A full message that is repeated is not too long for Telegram."""
    async with open_mail() as mail:
        anna = mail.phone("Anna")
        mail.telegram.faults.add(Fault(Trouble.DROP_BEFORE, method="sendMessage"))
        await mail.posts(anna, "x" * 9000)
        await mail.until(anna.answers)
    assert texts(anna)[0].endswith(REPEATED)


async def test_formatting_that_is_refused_becomes_plain_text() -> None:
    """The words arrive, whatever Telegram thinks of their formatting."""
    async with open_mail() as mail:
        anna = mail.phone("Anna")
        refusal = bad_request("can't parse entities: Can't find end of bold entity")
        mail.telegram.faults.add(Fault.refuse(refusal, method="sendMessage"))
        (body,) = formatted("very **bold**")
        await mail.outbox.post(mail.letter(anna, "", body=body))
        await mail.until(anna.answers)
    assert texts(anna) == ["very bold"]
    assert not anna.answers()[0].entities


async def test_a_refusal_nobody_knows_costs_the_extras_not_the_words() -> None:
    """Buttons, formatting and reference are given up before the text is."""
    async with open_mail() as mail:
        anna = mail.phone("Anna")
        mail.telegram.faults.add(Fault.refuse(bad_request("BUTTON_DATA_INVALID")))
        body = plain("words") | {"buttons": [[["go", "verb:x"]]]}
        await mail.outbox.post(mail.letter(anna, "", body=body))
        await mail.until(anna.answers)
    assert texts(anna) == ["words"]
    assert anna.answers()[0].button_texts == []


async def test_an_answer_that_is_never_taken_is_told_and_blocks_nothing() -> None:
    """The person hears that something was lost and where it is; the next message arrives."""
    async with open_mail() as mail:
        anna = mail.phone("Anna")
        mail.telegram.faults.add(Fault.refuse(bad_request("ODD"), method="sendMessage", times=2))
        await mail.posts(anna, "one", "two")
        await mail.until(lambda: len(anna.answers()) == 2)
        first = await mail.stored("key-1")
    assert first.state is OutgoingState.FAILED
    assert sorted(texts(anna))[1] == "two"
    assert "rejected one of my messages: Odd." in min(texts(anna))


async def test_an_edit_that_changes_nothing_is_done() -> None:
    """*Message is not modified* is no failure."""
    async with open_mail() as mail:
        anna = mail.phone("Anna")
        await mail.outbox.post(mail.letter(anna, "same", key="status"))
        await mail.outbox.post(edit(mail, anna, "status", "same", key="again"))
        await mail.posts(anna, "two")
        await mail.until(lambda: texts(anna)[-1:] == ["two"])
        assert (await mail.stored("again")).state is OutgoingState.SENT
    assert texts(anna) == ["same", "two"]
    assert "message is not modified" in mail.telegram.calls.of("editMessageText")[0].said


@pytest.mark.parametrize(("purpose", "arrives"), [("reply", True), ("status", False)])
async def test_an_edit_of_a_message_that_is_gone(purpose: str, *, arrives: bool) -> None:
    """An answer is sent as a message of its own; a status is not worth one."""
    async with open_mail() as mail:
        anna = mail.phone("Anna")
        await mail.outbox.post(mail.letter(anna, "begin", key="grows"))
        await mail.until(anna.answers)
        anna.deletes(anna.answers()[0])
        await mail.outbox.post(edit(mail, anna, "grows", "the end", purpose=purpose))
        await mail.posts(anna, "last")
        await mail.until(lambda: texts(anna)[-1:] == ["last"])
    assert texts(anna) == ["the end"] * arrives + ["last"]


async def test_of_edits_that_wait_only_the_newest_is_sent() -> None:
    """Edits may be dropped when newer ones exist."""
    async with open_mail() as mail:
        anna = mail.phone("Anna")
        mail.telegram.faults.add(Fault.flood(30, method="editMessageText"))
        await mail.outbox.post(mail.letter(anna, "0 %", key="status"))
        for percent in (10, 20, 30):
            await mail.outbox.post(edit(mail, anna, "status", f"{percent} %", key="progress"))
        await mail.until(lambda: texts(anna) == ["30 %"])
    assert len(mail.telegram.calls.of("editMessageText")) <= 3


async def test_who_blocked_the_bot_gets_nothing_and_holds_up_nobody() -> None:
    """What a chat refuses is given up at once, without a word there, and others go on."""
    async with open_mail() as mail:
        anna, bert = mail.phone("Anna"), mail.phone("Bert")
        anna.blocks()
        await mail.posts(anna, "one", "two")
        await mail.posts(bert, "three")
        await mail.until(lambda: texts(bert) == ["three"])
        await mail.passes(20)
        states = [(await mail.stored(f"key-{n}")).state for n in (1, 2)]
        async with mail.database.read() as work:
            backlog = await work.outbox.backlog(CHANNEL)
    assert states == [OutgoingState.FAILED] * 2
    assert backlog.outgoing == 0


async def test_a_group_that_became_a_supergroup_gets_its_mail_there() -> None:
    """Whatever waits goes to the new id, in order, and the channel is told of the move."""
    moves: list[tuple[ChatRef, ChatRef]] = []

    async def moved(place: ChatRef, to: ChatRef) -> None:
        moves.append((place, to))

    async with open_mail() as mail:
        anna = mail.phone("Anna")
        group = mail.telegram.chats.group("Team", anna.owner)
        mail.outbox.moved = moved
        new = mail.telegram.chats.upgrade(group)
        for number in (1, 2):
            await mail.outbox.post(
                OutgoingMessage(ChatRef(group.id), f"group-{number}", "reply", plain(f"{number}"))
            )
        await mail.until(lambda: len(anna.answers(new)) == 2)
    assert [message.text for message in anna.answers(new)] == ["1", "2"]
    assert moves == [(ChatRef(group.id), ChatRef(new.id))]


async def test_an_outage_of_hours_loses_nothing_and_keeps_the_order() -> None:
    """One chat cannot be reached for three hours; the others never notice, the order is kept."""
    async with open_mail() as mail:
        anna, bert = mail.phone("Anna"), mail.phone("Bert")
        bad_gateway = Refusal(502, "Bad Gateway")
        mail.telegram.faults.add(Fault.refuse(bad_gateway, chat=anna.chat.id, times=None))
        await mail.posts(anna, *(f"{number}" for number in range(5)))
        await mail.posts(bert, "hello")
        await mail.until(lambda: texts(bert) == ["hello"])
        await mail.passes(3 * 3600, step=20)
        assert texts(anna) == []
        await mail.restart()
        mail.telegram.faults.clear()
        await mail.until(lambda: len(anna.answers()) == 5, step=1)
    # The first may have been in flight when the outbox was begun anew: then it says so.
    assert [text.removesuffix(f"\n\n{REPEATED}") for text in texts(anna)] == list("01234")
    assert [text for text in texts(anna)[1:] if REPEATED in text] == []


async def test_a_server_that_is_not_there_is_waited_for() -> None:
    """A refused connection was never a send: nothing is marked."""
    async with open_mail() as mail:
        anna = mail.phone("Anna")
        server = mail.telegram._server
        assert server is not None
        server.stop()
        await server.close_all_connections()
        await mail.posts(anna, "one")
        await mail.passes(120, step=0.5)
        again = type(mail.telegram)(port=mail.telegram.port, clock=mail.clock)
        async with again:
            same = again.phone(anna.owner)
            same.says("/start")
            await mail.until(same.answers)
    assert texts(same) == ["one"]


async def test_a_file_that_is_gone_is_told_by_its_name(tmp_path: Path) -> None:
    """The next message is not held up."""
    async with open_mail() as mail:
        anna = mail.phone("Anna")
        body = document(tmp_path / "gone.txt", name="gone.txt")
        await mail.outbox.post(
            mail.letter(anna, "", purpose="file", body=body, kind=OutgoingKind.DOCUMENT)
        )
        await mail.posts(anna, "two")
        await mail.until(lambda: len(anna.answers()) == 2)
    assert any(
        "I could not send the file gone.txt: it no longer exists" in one for one in texts(anna)
    )


async def test_a_file_too_large_for_telegram_is_not_tried(tmp_path: Path) -> None:
    """Fifty megabytes is what a bot may send."""
    path = tmp_path / "huge.bin"
    with path.open("wb") as file:
        file.truncate(MOST_FILE_BYTES + 1)
    async with open_mail() as mail:
        anna = mail.phone("Anna")
        body = document(path, name="huge.bin")
        await mail.outbox.post(
            mail.letter(anna, "", purpose="file", body=body, kind=OutgoingKind.DOCUMENT)
        )
        await mail.until(anna.answers)
    assert "larger than Telegram's limit of 50 MB" in texts(anna)[0]
    assert mail.telegram.calls.of("sendDocument") == []


async def test_a_file_the_server_finds_too_large_does_not_wait_for_ever(tmp_path: Path) -> None:
    """413 is an answer for good."""
    path = tmp_path / "big.bin"
    path.write_bytes(b"x")
    async with open_mail() as mail:
        anna = mail.phone("Anna")
        refusal = Refusal(413, "Request Entity Too Large")
        mail.telegram.faults.add(Fault.refuse(refusal, method="sendDocument", times=None))
        await mail.outbox.post(
            mail.letter(
                anna,
                "",
                purpose="file",
                body=document(path, name="big.bin"),
                kind=OutgoingKind.DOCUMENT,
            )
        )
        await mail.until(anna.answers)
    assert len(mail.telegram.calls.of("sendDocument")) == 1


async def test_a_letter_that_breaks_us_silences_nobody() -> None:
    """A body that is none is given up after a few tries; the chat goes on."""
    async with open_mail() as mail:
        anna = mail.phone("Anna")
        await mail.outbox.post(mail.letter(anna, "", body={"text": "x", "entities": [{"odd": 1}]}))
        await mail.posts(anna, "two")
        await mail.until(lambda: "two" in texts(anna))
        assert (await mail.stored("key-1")).state is OutgoingState.FAILED


async def test_a_reply_to_what_is_gone_and_a_topic_that_is_gone_are_left_out() -> None:
    """The message arrives without them."""
    async with open_mail() as mail:
        anna = mail.phone("Anna")
        refusal = bad_request("message thread not found")
        mail.telegram.faults.add(Fault.refuse(refusal, method="sendMessage"))
        await mail.outbox.post(mail.letter(anna, "", body=plain("one", reply_to=99)))
        await mail.until(anna.answers)
    assert texts(anna) == ["one"]


async def test_a_method_the_server_does_not_have_is_not_tried_for_ever(tmp_path: Path) -> None:
    """An older Bot API server: the person hears of the file it cannot take."""
    path = tmp_path / "a.txt"
    path.write_text("a")
    async with open_mail() as mail:
        anna = mail.phone("Anna")
        mail.telegram.faults.add(Fault.missing("sendDocument"))
        await mail.outbox.post(
            mail.letter(
                anna,
                "",
                purpose="file",
                body=document(path, name="a.txt"),
                kind=OutgoingKind.DOCUMENT,
            )
        )
        await mail.until(anna.answers)
    assert "I could not send the file a.txt" in texts(anna)[0]


async def test_a_key_is_posted_once() -> None:
    """Whatever is handled again after a kill says nothing again."""
    async with open_mail() as mail:
        anna = mail.phone("Anna")
        for _ in range(3):
            await mail.outbox.post(mail.letter(anna, "once", key="same"))
        await mail.posts(anna, "last")
        await mail.until(lambda: texts(anna)[-1:] == ["last"])
    assert texts(anna) == ["once", "last"]


async def test_a_method_that_is_not_there_holds_up_no_chat() -> None:
    """A server answers 404 to files: that file is given up and said, what follows arrives."""
    async with open_mail() as mail:
        anna = mail.phone("Anna")
        mail.telegram.faults.add(
            Fault.refuse(Refusal(404, "Not Found"), method="sendDocument", times=None)
        )
        file = {"path": __file__, "name": "a.py", "caption": ""}
        await mail.outbox.post(
            mail.letter(anna, "", kind=OutgoingKind.DOCUMENT, body=file, purpose="file")
        )
        await mail.posts(anna, "after it")
        await mail.until(lambda: len(anna.answers()) == 2)
        arrived = sorted(texts(anna))
    assert arrived[1] == "after it"
    assert arrived[0].startswith("I could not send the file a.py")
