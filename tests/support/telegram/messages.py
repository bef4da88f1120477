"""A message as everybody in its chat sees it, with everything it said before."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.telegram.people import Person

if TYPE_CHECKING:
    from tests.support.telegram.chats import Chat

Entities = list[dict[str, Any]]
Markup = dict[str, Any]

_QUOTED = 1  # the API shows a message that is replied to, but not what that one replied to


@dataclass(frozen=True)
class Button:
    """A button under a message.

    Args:
        text: what stands on it.
        data: what the bot gets when it is pressed; None when it opens a link.
        url: what it opens; None when it is for the bot.
    """

    text: str
    data: str | None = None
    url: str | None = None


@dataclass(frozen=True)
class Version:
    """What a message said from a moment on.

    Args:
        at: monotonic seconds.
        text: the text or the caption.
        entities: how it is formatted.
        markup: its keyboard; None for none.
    """

    at: float
    text: str
    entities: Entities
    markup: Markup | None


@dataclass(eq=False, repr=False)
class Message:
    """One message; it changes when it is edited.

    Args:
        chat: where it is.
        id: its number in the chat.
        sender: who wrote it.
        date: Unix seconds.
        content: the fields that make it a text, a photo and so on; None stands for no field.
        reply_to: what it answers; None when nothing.
        topic: the forum topic; None outside of topics.
        markup: its keyboard; None for none.
        silent: whether it came without a sound.
        extra: other fields of the ``Message`` object (where it was forwarded from, ...).
    """

    chat: "Chat"
    id: int
    sender: Person
    date: int
    content: dict[str, Any]
    reply_to: "Message | None" = None
    topic: int | None = None
    markup: Markup | None = None
    silent: bool = False
    extra: dict[str, Any] = field(default_factory=dict)
    versions: list[Version] = field(default_factory=list)
    edited: int | None = None
    deleted: float | None = None
    reactions: dict[int, list[dict[str, Any]]] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<message {self.id} of {self.sender.first_name}: {self.text!r}>"

    @property
    def text(self) -> str:
        """The text, or the caption of a file; "" for neither."""
        return str(self.content.get("text") or self.content.get("caption") or "")

    @property
    def entities(self) -> Entities:
        """How the text or the caption is formatted."""
        return list(self.content.get("entities") or self.content.get("caption_entities") or [])

    @property
    def buttons(self) -> list[list[Button]]:
        """The rows of buttons under it."""
        rows = (self.markup or {}).get("inline_keyboard", [])
        return [
            [Button(key["text"], key.get("callback_data"), key.get("url")) for key in row]
            for row in rows
        ]

    @property
    def button_texts(self) -> list[str]:
        """What stands on the buttons, row after row."""
        return [button.text for row in self.buttons for button in row]

    @property
    def from_bot(self) -> bool:
        """Whether the bot wrote it."""
        return self.sender.is_bot

    @property
    def sent_at(self) -> float:
        """When it was sent, in monotonic seconds."""
        return self.versions[0].at

    @property
    def edit_times(self) -> list[float]:
        """When it was edited, in monotonic seconds."""
        return [version.at for version in self.versions[1:]]

    def button(self, text: str) -> Button:
        """Return the first button whose text contains this.

        Raises:
            LookupError: there is none.
        """
        for row in self.buttons:
            for button in row:
                if text in button.text:
                    return button
        raise LookupError(f"no button {text!r} under {self.text!r}; there are {self.button_texts}")

    def note(self, at: float) -> None:
        """Remember what it says now as said from a moment on."""
        self.versions.append(Version(at, self.text, self.entities, self.markup))

    def document(self, depth: int = _QUOTED) -> dict[str, Any]:
        """Return the ``Message`` object.

        Args:
            depth: how many messages that are replied to are shown one in another.
        """
        shown = {
            "message_id": self.id,
            "from": self.sender.document,
            "chat": self.chat.document,
            "date": self.date,
            "edit_date": self.edited,
            "reply_markup": self.markup,
            **self.content,
            **self.extra,
        }
        if self.topic is not None:
            shown |= {"message_thread_id": self.topic, "is_topic_message": True}
        if self.reply_to is not None and depth and self.reply_to.deleted is None:
            shown["reply_to_message"] = self.reply_to.document(depth - 1)
        return {name: value for name, value in shown.items() if value not in (None, [])}
