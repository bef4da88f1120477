"""Who takes part: people and the bot."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Person:
    """A user of Telegram, or the bot.

    Args:
        id: the numeric id; that of the private chat with the bot, too.
        first_name: what others see.
        last_name: "" for none.
        username: without the at sign; "" for none.
        language: an IETF tag; "" when the app does not tell.
        is_bot: whether it is a bot.
    """

    id: int
    first_name: str
    last_name: str = ""
    username: str = ""
    language: str = "en"
    is_bot: bool = False

    @property
    def document(self) -> dict[str, Any]:
        """The ``User`` object."""
        document = {"id": self.id, "is_bot": self.is_bot, "first_name": self.first_name}
        optional = {
            "last_name": self.last_name,
            "username": self.username,
            "language_code": "" if self.is_bot else self.language,
        }
        return document | {name: value for name, value in optional.items() if value}
