"""A person with a phone: says things to the bot, presses its buttons, sees what it does."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from tests.support.telegram.attachments import Attachments
from tests.support.telegram.chats import Chat, ChatAction, ChatKind, Draft
from tests.support.telegram.formatting import find_entities
from tests.support.telegram.messages import Entities, Message
from tests.support.telegram.people import Person
from tests.support.telegram.pictures import png
from tests.support.telegram.presses import Press
from tests.support.telegram.transcript import transcript
from tests.support.telegram.updates import Update
from tests.support.telegram.world import World

Seen = TypeVar("Seen")

SECONDS = 20.0
"""How long a person waits before the test fails."""

ACTION_SECONDS = 5.0
"""How long a chat action is shown."""

DRAFT_SECONDS = 30.0
"""How long a draft is shown after its last change."""


class Phone:
    """What a test uses as a person.

    Most methods take a ``chat`` (None is the private chat with the bot), a ``topic`` (None is
    outside of topics) and a message that is replied to.

    Args:
        world: where the person lives.
        owner: the person.
    """

    def __init__(self, world: World, owner: Person) -> None:
        self.world = world
        self.owner = owner
        self.chat = world.chats.private(owner)
        self._attachments = Attachments(world)

    def says(self, text: str, *, entities: Entities | None = None, **where: Any) -> Message:
        """Send a text; commands, mentions and links are marked as an app marks them.

        Args:
            text: what is said.
            entities: how it is formatted; None marks what an app finds.
            where: ``chat``, ``topic`` and ``reply_to``.
        """
        return self.sends(_text(text, entities), **where)

    def sends(
        self,
        content: dict[str, Any],
        *,
        chat: Chat | None = None,
        topic: int | None = None,
        reply_to: Message | None = None,
        **extra: Any,
    ) -> Message:
        """Send a message of any content; ``extra`` are other fields of the ``Message`` object."""
        where = chat or self.chat
        if where.kind is ChatKind.PRIVATE:
            where.open = True
            where.blocked = False
        message = self.world.post(
            where, self.owner, content, reply_to=reply_to, topic=topic, extra=extra
        )
        self._tell("message", message)
        return message

    def sends_photo(
        self, content: bytes | None = None, *, caption: str = "", **where: Any
    ) -> Message:
        """Send a photo; None sends a small grey one."""
        picture = self._attachments.photo(content or png())
        return self.sends(picture | _caption(caption), **where)

    def sends_document(
        self,
        name: str,
        content: bytes,
        *,
        caption: str = "",
        media_type: str = "application/octet-stream",
        size: int | None = None,
        **where: Any,
    ) -> Message:
        """Send a document; ``size`` claims another size in bytes than it has."""
        document = self._attachments.document(name, content, media_type, size)
        return self.sends(document | _caption(caption), **where)

    def sends_voice(self, *, seconds: int = 3, **where: Any) -> Message:
        """Send a voice message."""
        return self.sends(self._attachments.voice(seconds), **where)

    def sends_sticker(self, emoji: str = "👍", **where: Any) -> Message:
        """Send a sticker."""
        return self.sends(self._attachments.sticker(emoji), **where)

    def sends_album(
        self, pictures: Sequence[bytes] | int = 2, *, caption: str = "", **where: Any
    ) -> list[Message]:
        """Send several photos at once; a number sends that many shades of grey."""
        if isinstance(pictures, int):
            pictures = [png(grey=10 * number) for number in range(pictures)]
        album = self._attachments.album_id()
        return [
            self.sends(
                self._attachments.photo(picture) | _caption("" if place else caption),
                media_group_id=album,
                **where,
            )
            for place, picture in enumerate(pictures)
        ]

    def forwards(
        self, what: Message | str, *, by: Person | str = "Somebody", **where: Any
    ) -> Message:
        """Forward a message; a text is one that somebody else wrote elsewhere.

        Args:
            what: the message, or the text of one that the bot has never seen.
            by: who wrote that; a name stands for somebody who hides the account.
            where: ``chat`` and ``topic``.
        """
        author = what.sender if isinstance(what, Message) else by
        content = dict(what.content) if isinstance(what, Message) else _text(what, None)
        origin: dict[str, Any] = {"date": self.world.now}
        if isinstance(author, Person):
            origin |= {"type": "user", "sender_user": author.document}
        else:
            origin |= {"type": "hidden_user", "sender_user_name": author}
        return self.sends(content, forward_origin=origin, **where)

    def edits(self, message: Message, text: str) -> Message:
        """Change the text or the caption of a message that this person sent."""
        if "text" in message.content:
            content = _text(text, None)
        else:
            kept = {k: v for k, v in message.content.items() if not k.startswith("caption")}
            content = kept | _caption(text)
        self.world.change(message, content)
        self._tell("edited_message", message)
        return message

    def reacts(self, message: Message, emoji: str = "👍") -> Update | None:
        """React to a message; "" takes it back. None: the bot did not ask for reactions."""
        old = message.reactions.get(self.owner.id, [])
        new = [{"type": "emoji", "emoji": emoji}] if emoji else []
        message.reactions[self.owner.id] = new
        message.chat.pulse.beat()
        payload = {
            "chat": message.chat.document,
            "message_id": message.id,
            "user": self.owner.document,
            "date": self.world.now,
            "old_reaction": old,
            "new_reaction": new,
        }
        return self.world.tell_bot("message_reaction", payload)

    def deletes(self, message: Message) -> None:
        """Delete a message; bots are not told."""
        self.world.delete([message])

    def presses(self, message: Message, button: str) -> Press:
        """Press the button whose text contains this.

        Raises:
            LookupError: there is none, or it is not for the bot.
        """
        found = message.button(button)
        if found.data is None:
            raise LookupError(f"the button {found.text!r} opens {found.url}")
        return self.presses_data(message, found.data)

    def presses_data(self, message: Message, data: str) -> Press:
        """Press a button with this data, whether or not it is there: apps can be forged."""
        press = self.world.presses.add(self.owner, message, data, self.world.clock.monotonic())
        self.world.tell_bot("callback_query", press.document)
        return press

    def blocks(self) -> None:
        """Block the bot, and tell it so."""
        self._tell_member(self.chat, "member", "kicked")
        self.chat.blocked = True

    def unblocks(self) -> None:
        """Let the bot write again, and tell it so."""
        self.chat.blocked = False
        self._tell_member(self.chat, "kicked", "member")

    def adds_bot(self, group: Chat) -> None:
        """Put the bot into a group, again or for the first time, and tell it so."""
        group.kicked = False
        self._tell_member(group, "left", "member")

    def removes_bot(self, group: Chat) -> None:
        """Throw the bot out of a group, and tell it so."""
        group.kicked = True
        self._tell_member(group, "member", "kicked")

    def upgrades(self, group: Chat) -> Chat:
        """Turn a group into a supergroup; the bot is told the new id."""
        new = self.world.chats.upgrade(group)
        self.sends({"migrate_to_chat_id": new.id}, chat=group)
        self.sends({"migrate_from_chat_id": group.id}, chat=new)
        return new

    def sees(self, chat: Chat | None = None, topic: int | None = None) -> list[Message]:
        """Return what is to be read, in order; with a topic what is to be read there."""
        visible = (chat or self.chat).visible
        return [m for m in visible if topic is None or m.topic == topic]

    def answers(self, chat: Chat | None = None, topic: int | None = None) -> list[Message]:
        """Return what the bot wrote, in order."""
        return [message for message in self.sees(chat, topic) if message.from_bot]

    def action(self, chat: Chat | None = None) -> ChatAction | None:
        """Return what the bot is shown to be doing right now; None when nothing."""
        where = chat or self.chat
        if not where.actions or self._passed(where.actions[-1].at) > ACTION_SECONDS:
            return None
        return None if self._wrote_since(where, where.actions[-1].at) else where.actions[-1]

    def draft(self) -> Draft | None:
        """Return the draft that is shown in the private chat; None when there is none."""
        drafts = self.chat.drafts
        if not drafts or self._passed(drafts[-1].at) > DRAFT_SECONDS:
            return None
        return None if self._wrote_since(self.chat, drafts[-1].at) else drafts[-1]

    def transcript(self, chat: Chat | None = None, **how: Any) -> str:
        """Return a chat as text that can be read; ``how`` as in ``transcript``."""
        return transcript(self.world, chat or self.chat, **how)

    async def until(
        self,
        predicate: Callable[[list[Message]], Seen],
        *,
        chat: Chat | None = None,
        topic: int | None = None,
        within: float = SECONDS,
    ) -> Seen:
        """Wait until what is seen satisfies a predicate; return what the predicate returned.

        It is asked at once, and after each message, edit, deletion, reaction, draft, chat action
        and answer to a press in the chat.

        Raises:
            TimeoutError: it did not come true in that many seconds; says what is to be seen.
        """
        where = chat or self.chat
        try:
            return await where.pulse.until(lambda: predicate(self.sees(where, topic)), within)
        except TimeoutError:
            seen = self.transcript(where)
            raise TimeoutError(f"not seen within {within} s; there is:\n{seen}") from None

    async def hears(self, text: str = "", *, after: Message | None = None, **where: Any) -> Message:
        """Wait for a message of the bot that contains this, and return the first.

        Args:
            text: "" is any.
            after: only messages below this one count; None counts all.
            where: ``chat``, ``topic`` and ``within``.

        Raises:
            TimeoutError: none came.
        """

        def look(seen: list[Message]) -> Message | None:
            below = seen[seen.index(after) + 1 :] if after in seen else seen
            return next((m for m in below if m.from_bot and text in m.text), None)

        found = await self.until(look, **where)
        assert found is not None
        return found

    async def asks(self, text: str, **where: Any) -> Message:
        """Say something and return the first message of the bot below it.

        Raises:
            TimeoutError: none came.
        """
        said = self.says(text, **where)
        where.pop("reply_to", None)
        return await self.hears(after=said, **where)

    async def answered(self, press: Press, within: float = SECONDS) -> Press:
        """Wait until the bot has answered a press, and return it.

        Raises:
            TimeoutError: it did not.
        """
        await press.message.chat.pulse.until(lambda: press.answered_at is not None, within)
        return press

    def _passed(self, at: float) -> float:
        return self.world.clock.monotonic() - at

    def _wrote_since(self, chat: Chat, at: float) -> bool:
        return any(message.from_bot and message.sent_at >= at for message in chat.visible)

    def _tell(self, kind: str, message: Message) -> None:
        private = message.chat.kind is ChatKind.PRIVATE
        if private or self.world.reads_groups or self._is_for_bot(message):
            self.world.tell_bot(kind, message.document())

    def _is_for_bot(self, message: Message) -> bool:
        """Return whether a bot in privacy mode gets a message of a group."""
        name = f"@{self.world.bot.username}".lower()
        words = message.text.lower().split()
        command = words[0] if words and words[0].startswith("/") else ""
        service = "text" not in message.content and "migrate" in str(message.content)
        return (
            (message.reply_to is not None and message.reply_to.from_bot)
            or (bool(command) and ("@" not in command or command.endswith(name)))
            or name in message.text.lower()
            or service
        )

    def _tell_member(self, chat: Chat, old: str, new: str) -> None:
        bot = self.world.bot.document
        until = {"until_date": 0}
        payload = {
            "chat": chat.document,
            "from": self.owner.document,
            "date": self.world.now,
            "old_chat_member": {"status": old, "user": bot} | (until if old == "kicked" else {}),
            "new_chat_member": {"status": new, "user": bot} | (until if new == "kicked" else {}),
        }
        self.world.tell_bot("my_chat_member", payload)


def _text(text: str, entities: Entities | None) -> dict[str, Any]:
    found = find_entities(text) if entities is None else entities
    return {"text": text, "entities": found} if found else {"text": text}


def _caption(caption: str) -> dict[str, Any]:
    if not caption:
        return {}
    found = find_entities(caption)
    return {"caption": caption} | ({"caption_entities": found} if found else {})
