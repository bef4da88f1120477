"""Tastes: what a chat chose with ``/settings``, over what is configured.

Keys of ``Chat.settings``: ``zone``, ``quiet`` (two times of day, or false for never silent),
``footer``, ``buttons``.
"""

from dataclasses import dataclass
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from noctule.channels.telegram.office import Office
from noctule.channels.telegram.places import CHANNEL, Place
from noctule.core.chats import Chat
from noctule.core.settings import Settings
from noctule.core.sleep import in_quiet_hours

_PAIR = 2


@dataclass(frozen=True, slots=True)
class Tastes:
    """How a chat wants to be told.

    Args:
        zone: where times are shown.
        quiet: between which times of day notices make no sound; None means never silent.
        footer: whether an answer ends with one line of role, model, cost and duration.
        buttons: whether an answer has buttons under it.
    """

    zone: tzinfo
    quiet: tuple[str, str] | None
    footer: bool
    buttons: bool

    def is_quiet(self, moment: datetime) -> bool:
        """Whether notices are silent at a moment."""
        return self.quiet is not None and in_quiet_hours(moment, self.quiet, self.zone)


def tastes_of(chat: Chat | None, settings: Settings, zone: tzinfo) -> Tastes:
    """Return how a chat wants to be told.

    Args:
        chat: None for one that is not known: the configuration counts.
        settings: what is configured.
        zone: where times are shown that nobody chose a zone for.
    """
    chosen = {} if chat is None else chat.settings
    footer, buttons = chosen.get("footer"), chosen.get("buttons")
    return Tastes(
        zone=_zone(chosen.get("zone")) or zone,
        quiet=_quiet(chosen.get("quiet"), settings.parking.quiet_hours),
        footer=settings.footer if footer is None else bool(footer),
        buttons=settings.telegram.buttons if buttons is None else bool(buttons),
    )


async def tastes_at(office: Office, place: Place) -> Tastes:
    """Return how the chat at a place wants to be told."""
    async with office.records.database.read() as work:
        chat = await work.chats.get(CHANNEL, str(place))
    return tastes_of(chat, office.records.settings, office.records.zone)


def _zone(name: object) -> tzinfo | None:
    if not isinstance(name, str):
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _quiet(chosen: object, configured: tuple[str, str] | None) -> tuple[str, str] | None:
    if chosen is False:
        return None
    if isinstance(chosen, list | tuple) and len(chosen) == _PAIR:
        return str(chosen[0]), str(chosen[1])
    return configured
