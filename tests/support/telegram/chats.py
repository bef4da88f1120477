"""Private chats, groups, supergroups and their topics, with all that happened in them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from typing import Any

from tests.support.telegram.messages import Message
from tests.support.telegram.people import Person
from tests.support.telegram.pulse import Pulse
from tests.support.telegram.refusals import Refusal, bad_request, forbidden


class ChatKind(StrEnum):
    """What Telegram calls the ``type`` of a chat."""

    PRIVATE = "private"
    GROUP = "group"
    SUPERGROUP = "supergroup"


@dataclass(frozen=True)
class ChatAction:
    """Something the bot showed that it is doing.

    Args:
        at: monotonic seconds.
        action: ``typing``, ``upload_document`` and so on.
        topic: the forum topic; None outside of topics.
    """

    at: float
    action: str
    topic: int | None


@dataclass(frozen=True)
class Draft:
    """A draft of an answer that the bot streamed into a private chat.

    Args:
        at: monotonic seconds.
        id: which draft; the same id changes the same draft.
        text: what it says.
        entities: how it is formatted.
    """

    at: float
    id: int
    text: str
    entities: list[dict[str, Any]]


@dataclass(eq=False, repr=False)
class Chat:
    """One chat.

    Args:
        id: negative for groups.
        kind: what it is.
        title: a group's name; a private chat has that of its person.
        people: who is in it beside the bot.
        numbers: where its message ids come from; groups and private chats share theirs.
        forum: whether it has topics.
        open: whether the bot may write; a private chat is not before its person wrote.
    """

    id: int
    kind: ChatKind
    title: str
    people: list[Person]
    numbers: Iterator[int]
    forum: bool = False
    open: bool = True
    blocked: bool = False
    kicked: bool = False
    migrated_to: int | None = None
    topics: dict[int, str] = field(default_factory=dict)
    messages: dict[int, Message] = field(default_factory=dict)
    actions: list[ChatAction] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)
    pinned: list[int] = field(default_factory=list)
    pulse: Pulse = field(default_factory=Pulse)

    def __repr__(self) -> str:
        return f"<{self.kind.value} chat {self.id}, {len(self.messages)} messages>"

    @property
    def document(self) -> dict[str, Any]:
        """The ``Chat`` object."""
        if self.kind is ChatKind.PRIVATE:
            shown = self.people[0].document
            names = ("id", "first_name", "last_name", "username")
            return {n: shown[n] for n in names if n in shown} | {"type": self.kind.value}
        document = {"id": self.id, "type": self.kind.value, "title": self.title}
        return document | ({"is_forum": True} if self.forum else {})

    @property
    def visible(self) -> list[Message]:
        """What is to be read in it, in order."""
        return [message for message in self.messages.values() if message.deleted is None]

    def check_open(self) -> None:
        """Check that the bot may write.

        Raises:
            Refusal: it may not.
        """
        if self.migrated_to is not None:
            raise Refusal(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                {"migrate_to_chat_id": self.migrated_to},
            )
        if self.blocked:
            raise forbidden("bot was blocked by the user")
        if self.kicked:
            raise forbidden(f"bot was kicked from the {self.kind.value} chat")
        if not self.open:
            raise bad_request("chat not found")

    def check_topic(self, topic: int | None) -> None:
        """Check that there is such a topic.

        Raises:
            Refusal: there is none.
        """
        if topic is not None and topic not in self.topics:
            raise bad_request("message thread not found")

    def find(self, message_id: int) -> Message | None:
        """Return a message that was not deleted; None when there is none."""
        message = self.messages.get(message_id)
        return None if message is None or message.deleted is not None else message


class Chats:
    """All the chats the bot could be in."""

    def __init__(self) -> None:
        self._all: dict[int, Chat] = {}
        self._shared_numbers = count(1)
        self._group_ids = count(4001)
        self._topic_ids = count(100)

    def __iter__(self) -> Iterator[Chat]:
        return iter(self._all.values())

    def get(self, chat_id: int) -> Chat:
        """Return a chat.

        Raises:
            Refusal: there is none with that id.
        """
        if chat_id not in self._all:
            raise bad_request("chat not found")
        return self._all[chat_id]

    def private(self, person: Person) -> Chat:
        """Return the chat of one person and the bot."""
        if person.id not in self._all:
            self._all[person.id] = Chat(
                person.id, ChatKind.PRIVATE, "", [person], self._shared_numbers, open=False
            )
        return self._all[person.id]

    def group(self, title: str, *people: Person, supergroup: bool = False) -> Chat:
        """Make a group with the bot in it."""
        number = next(self._group_ids)
        kind = ChatKind.SUPERGROUP if supergroup else ChatKind.GROUP
        chat_id = -1_000_000_000_000 - number if supergroup else -number
        numbers = count(1) if supergroup else self._shared_numbers
        self._all[chat_id] = Chat(chat_id, kind, title, list(people), numbers)
        return self._all[chat_id]

    def forum(self, title: str, *people: Person, topics: tuple[str, ...] = ()) -> Chat:
        """Make a supergroup with topics; their ids are in ``topics`` of the chat."""
        chat = self.group(title, *people, supergroup=True)
        chat.forum = True
        for name in topics:
            self.open_topic(chat, name)
        return chat

    def open_topic(self, chat: Chat, name: str) -> int:
        """Make a topic in a forum and return its id."""
        topic = next(self._topic_ids)
        chat.topics[topic] = name
        return topic

    def upgrade(self, old: Chat) -> Chat:
        """Turn a group into a supergroup, which has another id."""
        new = self.group(old.title, *old.people, supergroup=True)
        old.migrated_to = new.id
        return new
