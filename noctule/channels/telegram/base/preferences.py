"""Preferences: what a chat has chosen, over what the configuration says."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from noctule.channels.telegram.delivery.chat_ref import CHANNEL, ChatRef
from noctule.core.sessions.parking_policy import in_quiet_hours

if TYPE_CHECKING:
    from datetime import datetime

    from noctule.channels.telegram.base.context import BotContext


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a chat has chosen.

    Args:
        footer: whether a line under an answer says who gave it.
        buttons: whether an answer has buttons.
        zone: where times are shown.
        quiet_hours: two times of day between which notices are silent; None means never.
        role: who answers from now on; None leaves it to the route.
        model: which model answers from now on; None leaves it to the binding.
        private: whether everything stays on local models.
    """

    footer: bool
    buttons: bool
    zone: tzinfo
    quiet_hours: tuple[str, str] | None = None
    role: str | None = None
    model: str | None = None
    private: bool = False

    @classmethod
    async def read(cls, bot: "BotContext", place: ChatRef) -> "Preferences":
        """Read what a chat has chosen."""
        async with bot.records.database.read() as work:
            chat = await work.chats.get(CHANNEL, str(place))
        return cls.of(bot, {} if chat is None else chat.settings)

    @classmethod
    def of(cls, bot: "BotContext", chosen: Mapping[str, Any]) -> "Preferences":
        """Put what was chosen over the configuration.

        Args:
            bot: the configuration.
            chosen: ``Chat.settings``.
        """
        settings = bot.records.settings
        quiet = chosen.get("quiet_hours", settings.parking.quiet_hours)
        zone = chosen.get("timezone")
        return cls(
            footer=bool(chosen.get("footer", settings.footer)),
            buttons=bool(chosen.get("buttons", settings.telegram.buttons)),
            zone=ZoneInfo(zone) if zone else bot.records.zone,
            quiet_hours=(str(quiet[0]), str(quiet[1])) if quiet else None,
            role=chosen.get("role"),
            model=chosen.get("model"),
            private=bool(chosen.get("private", False)),
        )

    def is_quiet(self, moment: "datetime") -> bool:
        """Whether notices are silent at a moment."""
        return self.quiet_hours is not None and in_quiet_hours(moment, self.quiet_hours, self.zone)
