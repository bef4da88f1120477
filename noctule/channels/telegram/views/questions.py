"""Questions: what a session waits to hear, as messages with buttons, and the answers to them.

Only the owner of the data folder may approve what agents want to do; a guest's session asks the
owner where the owner is. Whoever answers, and from wherever: the buttons go, and the message says
who answered what.
"""

from noctule.channels.telegram.base.context import BotContext, ButtonPress, IncomingMessage
from noctule.channels.telegram.base.error_text import error_text
from noctule.channels.telegram.base.headlines import headline
from noctule.channels.telegram.base.preferences import Preferences
from noctule.channels.telegram.base.subscriptions import ViewSender
from noctule.channels.telegram.delivery.chat_ref import CHANNEL, ChatRef
from noctule.channels.telegram.delivery.outgoing import Button, OutgoingMessage, plain
from noctule.core.errors import NoctuleError, UsageError
from noctule.core.llm.events import Event, EventKind
from noctule.core.messaging.messages import OutgoingKind
from noctule.core.sessions.choices import choices_of
from noctule.core.sessions.questions import (
    Approval,
    CheckAnswer,
    Question,
    QuestionKind,
    as_offered,
)
from noctule.core.sessions.sessions import LOCAL_OWNER, Session
from noctule.core.tools.approval_text import reveal_hidden

APPROVES = "approve"
"""The verb of buttons that only the owner of the data folder may press."""

ANSWERS = "answer"
"""The verb of all other answers."""

_LONGEST_LABEL = 48
_LABELS = {
    Approval.ONCE.value: "✓ once",
    Approval.SESSION.value: "✓ this session",
    Approval.ALWAYS.value: "✓ always",
    Approval.NO.value: "✗ no",
    Approval.ALL.value: "✓ all commands",
    CheckAnswer.DONE.value: "it happened",
    CheckAnswer.AGAIN.value: "do it",
    CheckAnswer.SKIP.value: "leave it",
}
_PER_ROW = 2
_ASKED_CHARS = 300
_GUEST_WAITS = (
    "Only my owner can allow that, and I've asked. It will continue once there's an answer. /stop "
    "all ends it; /new starts another conversation in the meantime."
)


async def asked(bot: BotContext, telling: ViewSender, event: Event) -> list[OutgoingMessage]:
    """Return what is sent because a session asks its person something."""
    async with bot.records.database.read() as work:
        question = await work.questions.get(str(event.data["question"]))
        session = await work.sessions.get(event.session_id)
    if question.answered_at is not None:
        return []  # told late: it was answered meanwhile
    if _may_answer(question, session, telling.place):
        return [await _letter(bot, telling.place, question, session)]
    told = OutgoingMessage(
        telling.place,
        f"question:{question.id}:{telling.place}",
        "notice",
        plain(f"{question.shown}\n\n{_GUEST_WAITS}"),
        session_id=session.id,
        turn_id=question.turn_id,
    )
    places = [ChatRef(person) for person in bot.gate.heads]
    return [told, *[await _letter(bot, place, question, session) for place in places]]


async def answered(bot: BotContext, telling: ViewSender, event: Event) -> list[OutgoingMessage]:
    """Return the edits that are due because a notice says that a question was answered."""
    name = event.data.get("question")
    if name is None:
        return []
    async with bot.records.database.read() as work:
        question = await work.questions.get(str(name))
    answer = _label(question, question.answer or "nothing")
    who = await _named(bot, str(event.data.get("by") or LOCAL_OWNER))
    return await _closed(bot, telling.place, question, f"→ {answer} ({who}).")


async def over(bot: BotContext, telling: ViewSender, event: Event) -> list[OutgoingMessage]:
    """Return the edits of questions that nobody can answer any more: their turn went on or ended.

    Args:
        bot: what everybody works with.
        telling: whose chat.
        event: the wake or the end.
    """
    async with bot.records.database.read() as work:
        events = await work.events.of_turn(event.turn_id, [EventKind.QUESTION])
        earlier = [e for e in events if e.seq < event.seq]
        questions = [await work.questions.get(str(e.data["question"])) for e in earlier]
    letters: list[OutgoingMessage] = []
    for question in questions:
        if question.answer:
            continue  # the notice of its answer has told so
        if event.kind is EventKind.TURN_ENDED or question.answered_at is not None:
            letters += await _closed(bot, telling.place, question, "→ No longer asked.")
    return letters


async def replied(bot: BotContext, said: IncomingMessage) -> bool:
    """Take a reply to a question as its answer; return whether it was one."""
    question_id = question_of(said)
    if question_id is None:
        return False
    async with bot.records.database.read() as work:
        question = await work.questions.get(question_id)
    if question.kind is not QuestionKind.QUESTION and not bot.gate.is_head(said.person):
        await _refuse(bot, said, "Only my owner can answer that.")
        return True
    if question.answer == said.text and question.answered_by == said.owner:
        return True  # the same message, handled a second time
    try:
        await bot.records.service.answer(question_id, said.text, by=said.owner)
    except NoctuleError as error:
        await _refuse(bot, said, error_text(error))
    return True


async def press(bot: BotContext, pressed: ButtonPress) -> str | None:
    """Take a press on an answer."""
    question_id, _, number = pressed.argument.partition(".")
    async with bot.records.database.read() as work:
        question = await work.questions.get(question_id)
    choice = question.choices[int(number)]
    if question.answer == choice and question.answered_by == pressed.owner:
        return _LABELS.get(choice, choice)  # the same press, handled a second time
    try:
        await bot.records.service.answer(question_id, choice, by=pressed.owner)
    except UsageError as error:
        return error_text(error)
    return _LABELS.get(choice, choice)


def question_of(said: IncomingMessage) -> str | None:
    """Return the question a message replies to; None when it replies to none."""
    answers = said.answers
    if answers is None or answers.purpose != "question":
        return None
    return answers.key.split(":")[1]


async def _letter(
    bot: BotContext, place: ChatRef, question: Question, session: Session
) -> OutgoingMessage:
    wants = await Preferences.read(bot, place)
    how = "" if question.choices else "\n\nReply to this message with your answer."
    also = "\n\nOr reply to this message." if _takes_text(question) else ""
    body = plain(
        f"{await _text(bot, question, session)}{how}{also}",
        buttons=answer_buttons(bot, place, question),
    )
    return OutgoingMessage(
        place,
        _key(question, place),
        "question",
        body,
        session_id=session.id,
        turn_id=question.turn_id,
        silent=wants.is_quiet(bot.records.clock.now()),
    )


async def _text(bot: BotContext, question: Question, session: Session) -> str:
    """Return what a question says; of a guest's work also who asks, for what, on whose account."""
    async with bot.records.database.read() as work:
        turn = await work.turns.get(question.turn_id)
    if session.owner == LOCAL_OWNER or question.kind is QuestionKind.QUESTION:
        return f"❓ {headline(turn)}\n\n{_words(question)}"
    who = bot.gate.called(session.owner)
    who = reveal_hidden(who, most=_ASKED_CHARS)
    shown = reveal_hidden(" ".join(turn.text.split()), most=_ASKED_CHARS)
    return (
        f"❓ This comes from a guest's task, not yours: \u201c{who}\u201d.\n"
        f"They want: \u201c{shown}\u201d\n\n"
        f"{_words(question, whose=who)}\n\n"
        "If you say yes, it acts on this machine under your account, at your cost."
    )


def answer_buttons(
    bot: BotContext, place: ChatRef, question: Question, *, before: str = ""
) -> list[list[Button]]:
    """Return the answers a question offers, as buttons.

    Args:
        bot: makes buttons.
        place: where they are.
        question: open.
        before: what each of them begins with; "" for nothing.
    """
    verb = ANSWERS if question.kind is QuestionKind.QUESTION else APPROVES
    buttons = [
        bot.signer.button(
            place, f"{before}{offered(question, value)}", verb, f"{question.id}.{number}"
        )
        for number, value in enumerate(question.choices)
    ]
    return [buttons[at : at + _PER_ROW] for at in range(0, len(buttons), _PER_ROW)]


def _label(question: Question, value: str) -> str:
    label = value if question.kind is QuestionKind.QUESTION else _LABELS.get(value, value)
    return label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}…"


def offered(question: Question, value: str) -> str:
    """Return what stands on the button of an answer: an agent's own never look like ours."""
    return as_offered(question.kind, _label(question, value))


def _words(question: Question, *, whose: str | None = None) -> str:
    lines = [question.shown]
    if question.kind is QuestionKind.QUESTION:
        lines += [
            f"• {as_offered(question.kind, value)}"
            for value in question.choices
            if len(value) > _LONGEST_LABEL
        ]
        return "\n".join(lines)
    lasting = {Approval.SESSION.value, Approval.ALWAYS.value, Approval.ALL.value}
    choices = choices_of(question, whose=whose)
    meant = [c for c in choices if c.value in lasting and c.text != c.value]
    lines += [f"{_LABELS[choice.value]}: {choice.text}" for choice in meant]
    return "\n".join(lines)


def _takes_text(question: Question) -> bool:
    return question.kind is QuestionKind.QUESTION and bool(question.choices)


def _may_answer(question: Question, session: Session, place: ChatRef) -> bool:
    """Whether somebody who may answer a question is where its session is told of."""
    if question.kind is QuestionKind.QUESTION or session.owner == LOCAL_OWNER:
        return True
    return not place.is_private


async def _closed(
    bot: BotContext, place: ChatRef, question: Question, line: str
) -> list[OutgoingMessage]:
    """Return the edits that take the buttons from a question, wherever it was asked."""
    letters = []
    async with bot.records.database.read() as work:
        session = await work.sessions.get(question.session_id)
    text = await _text(bot, question, session)
    for where in dict.fromkeys([place, *map(ChatRef, bot.gate.heads)]):
        key = _key(question, where)
        async with bot.records.database.read() as work:
            sent = await work.outbox.by_key(CHANNEL, key)
        if sent is None or sent.purpose != "question":
            continue
        letters.append(
            OutgoingMessage(
                where,
                f"{key}:closed",
                "question",
                plain(f"{text}\n\n{line}"),
                kind=OutgoingKind.EDIT,
                session_id=question.session_id,
                turn_id=question.turn_id,
                edits=key,
            )
        )
    return letters


def _key(question: Question, place: ChatRef) -> str:
    return f"question:{question.id}:{place}"


async def _named(bot: BotContext, owner: str) -> str:
    """Return what people call an owner; whoever sits at the terminal is the owner too."""
    async with bot.records.database.read() as work:
        persons = await work.chats.persons(CHANNEL)
    usual = "the owner" if owner == LOCAL_OWNER else "its person"
    return next((person.name for person in persons if person.owner == owner), usual)


async def _refuse(bot: BotContext, said: IncomingMessage, sentence: str) -> None:
    await bot.outbox.post(
        OutgoingMessage(
            said.place, said.key("answer"), "answer", plain(sentence, reply_to=_id(said))
        )
    )


def _id(said: IncomingMessage) -> int:
    return said.message.message_id
