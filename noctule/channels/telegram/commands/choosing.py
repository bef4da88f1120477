"""``/role``, ``/model`` and ``/private``: who answers from here on, and where it may go."""

from collections.abc import Sequence

from noctule.channels.telegram.base.context import BotContext, ButtonPress, IncomingMessage
from noctule.channels.telegram.commands.command import Command, answer
from noctule.channels.telegram.commands.requests import wishes_of, with_setting, with_wish
from noctule.channels.telegram.delivery.chat_ref import ChatRef
from noctule.channels.telegram.delivery.outgoing import Button, OutgoingMessage, plain
from noctule.channels.telegram.views.cards import models_of, tag_of
from noctule.core.base.roles import ANSWERING
from noctule.core.errors import UsageError
from noctule.core.messaging.chats import Chat
from noctule.core.sessions.sessions import LOCAL_OWNER

CHOOSE = "choose"
_FREE = frozenset({"auto", "off", "none", "free"})
_STAYS = frozenset({"always", "stays", "session"})
_PER_ROW = 2


def commands() -> tuple[Command, ...]:
    """Return the commands of this file."""
    return (
        Command(
            "model",
            "choose the model that answers next",
            "[NAME [always] | auto]",
            "That model answers your next message; with `always`, every message until /new. "
            "`/model auto` follows the configuration again.",
            _model,
        ),
        Command(
            "role",
            "choose the role that answers next",
            "[NAME [always] | auto]",
            "That role answers your next message; with `always`, every message until /new. `/role "
            "auto` lets the router choose again.",
            _role,
        ),
        Command(
            "private",
            "keep this chat on local models",
            "[on | off]",
            "Until `/private off`, what you say here, and what you /run from here, only reaches "
            "models on your own machines.",
            _private,
        ),
    )


async def choose(bot: BotContext, press: ButtonPress) -> str | None:
    """Take a press on a role or a model."""
    kind, _, value = press.argument.partition(".")
    names = _names(bot, kind)
    chosen = models_of(value, names) if value else None
    if value and chosen is None:
        return "That's no longer configured."
    chat = await bot.chat(press.place, press.owner)
    await _put(bot, with_wish(chat, kind, chosen, stays=False))
    return _told(kind, chosen, stays=False)


async def _model(bot: BotContext, said: IncomingMessage) -> None:
    await _wish(bot, said, "model")


async def _role(bot: BotContext, said: IncomingMessage) -> None:
    await _wish(bot, said, "role")


async def _wish(bot: BotContext, said: IncomingMessage, kind: str) -> None:
    names, words = _names(bot, kind), said.text.split()
    chat = await bot.chat(said.place, said.owner)
    if not words:
        body = plain(_now(chat, kind), buttons=_buttons(bot, said.place, kind, names))
        await bot.outbox.post(OutgoingMessage(said.place, said.key(kind), "answer", body))
        return
    name, stays = words[0], any(word.lower() in _STAYS for word in words[1:])
    free = name.lower() in _FREE and name not in names
    found = next((known for known in names if known.lower() == name.lower()), None)
    if found is None and not free:
        raise UsageError(f"There is no {kind} {name!r}. Use one of: {', '.join(names)}.")
    if kind == "model" and found and wishes_of(chat).private:
        _check_local(bot, found)
    await _put(bot, with_wish(chat, kind, found, stays=stays))
    await answer(bot, said, _told(kind, found, stays=stays).replace("_", r"\_"))


async def _private(bot: BotContext, said: IncomingMessage) -> None:
    word = said.text.strip().lower() or "on"
    if word not in {"on", "off"}:
        raise UsageError("Write /private on or /private off.")
    chat = await bot.chat(said.place, said.owner)
    if word == "off" and said.owner not in {chat.owner, LOCAL_OWNER}:
        raise UsageError("Only who opened this chat, or my owner, can turn that off here.")
    local = [m for m in bot.records.settings.models if bot.records.settings.is_local(m)]
    if word == "on":
        if not local:
            raise UsageError("No local model is configured, so I couldn't answer you.")
        if (model := wishes_of(chat).model) is not None and model not in local:
            chat = with_wish(chat, "model", None, stays=True)
    await _put(bot, with_setting(chat, "private", word == "on"))
    told = (
        f"From now on, nothing you say here leaves your machines: {', '.join(local)}. Turn it off "
        "with `/private off`."
        if word == "on"
        else (
            "What you say here can go to every configured model again. A conversation that started "
            "in private stays private; /new starts another."
        )
    )
    await answer(bot, said, told.replace("_", r"\_"))


def _names(bot: BotContext, kind: str) -> list[str]:
    if kind == "role":
        return [role.value for role in ANSWERING]
    return list(bot.records.settings.models)


def _check_local(bot: BotContext, model: str) -> None:
    if not bot.records.settings.is_local(model):
        raise UsageError(f"{model} is not local, and this chat is private. Use /private off first.")


def _buttons(
    bot: BotContext, place: ChatRef, kind: str, names: Sequence[str]
) -> list[list[Button]]:
    buttons = [bot.signer.button(place, name, CHOOSE, f"{kind}.{tag_of(name)}") for name in names]
    buttons.append(bot.signer.button(place, "auto", CHOOSE, f"{kind}."))
    return [buttons[at : at + _PER_ROW] for at in range(0, len(buttons), _PER_ROW)]


def _now(chat: Chat, kind: str) -> str:
    stays, once = chat.settings.get(kind), chat.settings.get(f"next_{kind}")
    if once:
        return f"{once} answers your next message. Choose another {kind}?"
    if stays:
        return f"{stays} answers until /new. Who answers your next message?"
    return f"Which {kind} answers your next message?"


def _told(kind: str, chosen: str | None, *, stays: bool) -> str:
    if chosen is None:
        return f"The {kind} is chosen for each message again."
    if stays:
        return f"{chosen} answers every message until /new."
    return f"{chosen} answers your next message."


async def _put(bot: BotContext, chat: Chat) -> None:
    async with bot.records.database.work() as work:
        await work.chats.put(chat)
        await work.commit()
