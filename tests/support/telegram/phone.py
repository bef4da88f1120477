"""A person with a phone: says things to the bot, presses its buttons, sees what it does."""

from collections.abc import Callable
from typing import Any, TypeVar

from tests.support.telegram.chats import Chat, ChatKind
from tests.support.telegram.formatting import find_entities
from tests.support.telegram.messages import Entities, Message
from tests.support.telegram.people import Person
from tests.support.telegram.presses import Press
from tests.support.telegram.world import World

Seen = TypeVar("Seen")

SECONDS = 20.0
"""How long a person waits before the test fails."""


class Phone:
    """What a test uses as a person.

    Args:
        world: where the person lives.
        owner: the person.

    Each method takes a ``chat``; None is the private chat with the bot.
    """

    def __init__(self, world: World, owner: Person) -> None:
        self.world = world
        self.owner = owner
        self.chat = world.chats.private(owner)

    def says(
        self,
        text: str,
        *,
        reply_to: Message | None = None,
        chat: Chat | None = None,
        topic: int | None = None,
        entities: Entities | None = None,
    ) -> Message:
        """Send a text; commands and mentions are marked as an app marks them."""
        found = find_entities(text) if entities is None else entities
        content = {"text": text, "entities": found} if found else {"text": text}
        return self.sends(content, reply_to=reply_to, chat=chat, topic=topic)

    def sends(
        self,
        content: dict[str, Any],
        *,
        reply_to: Message | None = None,
        chat: Chat | None = None,
        topic: int | None = None,
        **extra: Any,
    ) -> Message:
        """Send a message of any content; ``extra`` are other fields of the object."""
        where = chat or self.chat
        if where.kind is ChatKind.PRIVATE:
            where.open = True
            where.blocked = False
        message = self.world.post(
            where, self.owner, content, reply_to=reply_to, topic=topic, extra=extra
        )
        self.world.tell_bot("message", message.document())
        return message

    def edits(self, message: Message, text: str) -> Message:
        """Change a text that this person sent."""
        found = find_entities(text)
        content = {"text": text, "entities": found} if found else {"text": text}
        self.world.change(message, content)
        self.world.tell_bot("edited_message", message.document())
        return message

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
        """Press a button with this data, whether or not it is still shown."""
        press = self.world.presses.add(self.owner, message, data, self.world.clock.monotonic())
        self.world.tell_bot("callback_query", press.document)
        return press

    def sees(self, chat: Chat | None = None, topic: int | None = None) -> list[Message]:
        """Return what is to be read, in order; with a topic what is to be read there."""
        visible = (chat or self.chat).visible
        return [m for m in visible if topic is None or m.topic == topic]

    def answers(self, chat: Chat | None = None, topic: int | None = None) -> list[Message]:
        """Return what the bot wrote, in order."""
        return [message for message in self.sees(chat, topic) if message.from_bot]

    async def until(
        self,
        predicate: Callable[[list[Message]], Seen],
        *,
        chat: Chat | None = None,
        topic: int | None = None,
        within: float = SECONDS,
    ) -> Seen:
        """Wait until what is seen satisfies a predicate; return what the predicate returned.

        It is asked after each message, edit, deletion, reaction, draft, chat action and answer
        to a press in the chat.

        Raises:
            TimeoutError: it did not come true in that many seconds; says what is to be seen.
        """
        where = chat or self.chat
        try:
            return await where.pulse.until(lambda: predicate(self.sees(where, topic)), within)
        except TimeoutError:
            lines = [f"{m.sender.first_name}: {m.text}" for m in self.sees(where, topic)]
            seen = "\n".join(lines) or "nothing"
            raise TimeoutError(f"not seen within {within} s; there is:\n{seen}") from None

    async def hears(self, text: str = "", *, after: Message | None = None, **where: Any) -> Message:
        """Wait for a message of the bot with this text, sent after a given one; return the first.

        Raises:
            TimeoutError: none came.
        """

        def look(seen: list[Message]) -> Message | None:
            if after is not None:
                seen = [message for message in seen if message.sent_at > after.sent_at]
            return next((m for m in seen if m.from_bot and text in m.text), None)

        found = await self.until(look, **where)
        assert found is not None
        return found

    async def answered(self, press: Press, within: float = SECONDS) -> Press:
        """Wait until the bot has answered a press, and return it.

        Raises:
            TimeoutError: it did not.
        """
        await press.message.chat.pulse.until(lambda: press.answered_at is not None, within)
        return press
