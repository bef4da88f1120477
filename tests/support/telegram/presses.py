"""Buttons that people pressed, and what the bot said to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from tests.support.telegram.messages import Message
from tests.support.telegram.people import Person


@dataclass(eq=False)
class Press:
    """One press of a button.

    Args:
        id: of the callback query.
        person: who pressed.
        message: where the button is.
        data: what the button sends.
        at: monotonic seconds.
        answered_at: when the bot answered; None while it has not: the button still turns.
        answer: what a toast or an alert says; "" for nothing.
        alert: whether it has to be closed by hand.
    """

    id: str
    person: Person
    message: Message
    data: str
    at: float
    answered_at: float | None = None
    answer: str = ""
    alert: bool = False

    @property
    def document(self) -> dict[str, Any]:
        """The ``CallbackQuery`` object."""
        shown: dict[str, Any] = self.message.document()
        if self.message.deleted is not None:
            chat = self.message.chat.document
            shown = {"chat": chat, "message_id": self.message.id, "date": 0}
        return {
            "id": self.id,
            "from": self.person.document,
            "message": shown,
            "chat_instance": str(self.message.chat.id),
            "data": self.data,
        }


class Presses:
    """All presses by the id of their query.

    Args:
        lifetime_seconds: how long a query may be answered; the documentation names no time.
    """

    def __init__(self, lifetime_seconds: float = 30.0) -> None:
        self._ids = count(43_000_000_000_000_001)
        self._all: dict[str, Press] = {}
        self.lifetime_seconds = lifetime_seconds

    def __iter__(self) -> Iterator[Press]:
        return iter(self._all.values())

    def add(self, person: Person, message: Message, data: str, at: float) -> Press:
        """Note that a button was pressed."""
        press = Press(str(next(self._ids)), person, message, data, at)
        self._all[press.id] = press
        return press

    def get(self, query_id: str) -> Press | None:
        """Return a press; None when there was none."""
        return self._all.get(query_id)
