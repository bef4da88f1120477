"""``/settings``: how a chat wants to be told."""

from datetime import time
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from noctule.channels.telegram.base.context import BotContext, ButtonPress, IncomingMessage
from noctule.channels.telegram.base.preferences import Preferences
from noctule.channels.telegram.commands.command import Command
from noctule.channels.telegram.commands.requests import with_setting
from noctule.channels.telegram.delivery.chat_ref import ChatRef
from noctule.channels.telegram.delivery.outgoing import OutgoingMessage, plain
from noctule.channels.telegram.views.daily_digest import AT
from noctule.core.errors import UsageError
from noctule.core.messaging.chats import Chat
from noctule.core.messaging.messages import OutgoingKind

SET = "set"

_NIGHTS = (("22:00", "07:00"), ("23:00", "08:00"))
_ZONES = ("Europe/London", "Europe/Berlin", "America/New_York", "America/Los_Angeles")
_PAIR = 2
_IN_WORDS = (
    "In words: /settings zone Europe/Paris, /settings quiet 21:30 06:30, /settings morning 07:30"
)


def commands() -> tuple[Command, ...]:
    """Return the commands of this file."""
    return (
        Command(
            "settings",
            "time zone, quiet hours, footer, buttons",
            "[zone NAME | quiet 22:00 07:00 | quiet off | morning 07:30]",
            "Shows this chat's settings, with buttons to change them. In words: `/settings zone "
            "Europe/Paris`, `/settings quiet 22:00 07:00`, `/settings quiet off`. "
            "`/settings morning 07:30` sends the morning report at that time instead of with your "
            "first message.",
            _settings,
        ),
    )


async def press(bot: BotContext, pressed: ButtonPress) -> str | None:
    """Change one setting and show all of them as they are then."""
    name, _, value = pressed.argument.partition(".")
    chat = await bot.chat(pressed.place, pressed.owner)
    changed = _changed(chat, name, value)
    await _put(bot, changed)
    if pressed.under is not None:
        edit = OutgoingMessage(
            pressed.place,
            f"{pressed.under.key}:now",
            "answer",
            _body(bot, pressed.place, changed),
            kind=OutgoingKind.EDIT,
            edits=pressed.under.key,
        )
        await bot.outbox.post(edit)
    return "Changed."


async def _settings(bot: BotContext, said: IncomingMessage) -> None:
    chat = await bot.chat(said.place, said.owner)
    words = said.text.split()
    if words:
        chat = _from_words(chat, words)
        await _put(bot, chat)
    body = _body(bot, said.place, chat)
    await bot.outbox.post(OutgoingMessage(said.place, said.key("settings"), "answer", body))


def _from_words(chat: Chat, words: list[str]) -> Chat:
    """Return the chat with what words ask for.

    Raises:
        UsageError: they ask for nothing there is.
    """
    match [words[0].lower(), *words[1:]]:
        case ["zone", name]:
            return with_setting(chat, "timezone", _zone(name))
        case ["quiet", "off" | "never"]:
            return with_setting(chat, "quiet_hours", None)
        case ["quiet", begin, *rest] if rest:
            return with_setting(chat, "quiet_hours", [_time(begin), _time(rest[-1])])
        case ["morning", "off" | "never"]:
            return with_setting(chat, AT, None)
        case ["morning", at]:
            return with_setting(chat, AT, _time(at))
        case ["footer" | "buttons" as name, "on" | "off" as value]:
            return with_setting(chat, name, value == "on")
        case _:
            raise UsageError(
                "Write /settings zone Europe/Paris, /settings quiet 22:00 07:00, /settings quiet "
                "off, /settings morning 07:30, /settings morning off, /settings footer off or "
                "/settings buttons off; /settings alone shows buttons."
            )


def _changed(chat: Chat, name: str, value: str) -> Chat:
    match name:
        case "footer" | "buttons":
            return with_setting(chat, name, value == "on")
        case "quiet":
            pair = value.split("-")
            times = [f"{one[:2]}:{one[2:]}" for one in pair]
            return with_setting(chat, "quiet_hours", times if len(pair) == _PAIR else None)
        case _:
            return with_setting(chat, "timezone", _zone(value))


def _body(bot: BotContext, place: ChatRef, chat: Chat) -> dict[str, Any]:
    wants = Preferences.of(bot, chat.settings)
    now = bot.records.clock.now().astimezone(wants.zone)
    zone = chat.settings.get("timezone") or str(wants.zone)
    quiet = "never" if wants.quiet_hours is None else " to ".join(wants.quiet_hours)
    lines = [
        f"Time zone: {zone} (it is {now:%H:%M})",
        f"Quiet hours: {quiet}",
        f"Morning report: {_morning(chat)}",
        f"Line under answers: {'on' if wants.footer else 'off'}",
        f"Buttons under answers: {'on' if wants.buttons else 'off'}",
        "",
        _IN_WORDS,
    ]

    def button(text: str, argument: str) -> Any:
        return bot.signer.button(place, text, SET, argument)

    nights = [
        button(f"{begin}-{end}", f"quiet.{begin}-{end}".replace(":", "")) for begin, end in _NIGHTS
    ]
    zones = [button(name.rpartition("/")[2].replace("_", " "), f"zone.{name}") for name in _ZONES]
    rows = [
        [
            button(f"line {'off' if wants.footer else 'on'}", _flip("footer", on=wants.footer)),
            button(
                f"buttons {'off' if wants.buttons else 'on'}", _flip("buttons", on=wants.buttons)
            ),
        ],
        [*nights, button("never quiet", "quiet.off")],
        zones[:_PAIR],
        zones[_PAIR:],
    ]
    return plain("\n".join(lines), buttons=rows)


def _morning(chat: Chat) -> str:
    at = chat.settings.get(AT)
    return f"at {at}" if at else "with your first message of a day"


def _flip(name: str, *, on: bool) -> str:
    return f"{name}.{'off' if on else 'on'}"


def _zone(name: str) -> str:
    known = {zone.lower(): zone for zone in available_timezones()}
    found = known.get(name.lower()) or known.get(name.lower().replace(" ", "_"))
    if found is None:
        raise UsageError(f"There is no time zone {name[:40]!r}. Write one like Europe/Berlin.")
    return ZoneInfo(found).key


def _time(text: str) -> str:
    try:
        return time.fromisoformat(text.zfill(5)).strftime("%H:%M")
    except ValueError:
        raise UsageError(f"{text[:20]!r} is not a time of day. Write e.g. 22:00.") from None


async def _put(bot: BotContext, chat: Chat) -> None:
    async with bot.records.database.work() as work:
        await work.chats.put(chat)
        await work.commit()
