"""Places: one chat, or one topic of a forum, as the database names it."""

from dataclasses import dataclass

CHANNEL = "telegram"
"""What the database calls this messenger."""


@dataclass(frozen=True, slots=True)
class ChatRef:
    """Where something is said.

    Args:
        chat: the chat's numeric id; negative for groups.
        topic: the forum topic; None outside forums and in a forum's general topic.
    """

    chat: int
    topic: int | None = None

    @classmethod
    def parse(cls, text: str) -> "ChatRef":
        """Read what ``str`` of a place wrote.

        Raises:
            ValueError: nothing of ours wrote it.
        """
        chat, _, topic = text.partition(":")
        return cls(int(chat), int(topic) if topic else None)

    @property
    def is_private(self) -> bool:
        """Whether it is a chat between one person and the bot."""
        return self.chat > 0

    def __str__(self) -> str:
        """As the database names it: ``7``, ``-1001``, ``-1001:5``."""
        return str(self.chat) if self.topic is None else f"{self.chat}:{self.topic}"
