"""All that the emulator knows: who is there, what was said, what waits, what goes wrong."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from noctule.core.clock import Clock, SystemClock
from tests.support.telegram.calls import Calls
from tests.support.telegram.chats import Chat, Chats
from tests.support.telegram.faults import Faults
from tests.support.telegram.flood import Flood
from tests.support.telegram.messages import Message
from tests.support.telegram.people import Person
from tests.support.telegram.presses import Presses
from tests.support.telegram.stored_files import Files
from tests.support.telegram.updates import Update, Updates

if TYPE_CHECKING:
    from tests.support.telegram.webhooks import Webhook

TOKEN = "7000000001:AAE-only-for-tests-0123456789abcdef"
BOT = Person(7_000_000_001, "Noctule", username="noctule_test_bot", is_bot=True)


@dataclass(eq=False, repr=False)
class World:
    """The state behind the API.

    Args:
        token: what the bot has to know.
        clock: says when things happen.
        reads_groups: whether the bot is told everything that is said in groups; if not, only
            what is meant for it (privacy mode).
    """

    token: str = TOKEN
    bot: Person = BOT
    clock: Clock = field(default_factory=SystemClock)
    chats: Chats = field(default_factory=Chats)
    updates: Updates = field(default_factory=Updates)
    calls: Calls = field(default_factory=Calls)
    faults: Faults = field(default_factory=Faults)
    presses: Presses = field(default_factory=Presses)
    files: Files = field(default_factory=Files)
    flood: Flood = field(default_factory=Flood)
    reads_groups: bool = False
    profile: dict[tuple[str, str], str] = field(default_factory=dict)
    menu_buttons: dict[int, dict[str, Any]] = field(default_factory=dict)
    menus: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    webhook: "Webhook | None" = None

    def __post_init__(self) -> None:
        self._person_ids = count(1001)
        self.people: dict[int, Person] = {}

    @property
    def now(self) -> int:
        """Unix seconds."""
        return int(self.clock.now().timestamp())

    def add_person(self, name: str, **more: Any) -> Person:
        """Make a person; ``more`` are the other arguments of ``Person``."""
        person = Person(more.pop("id", None) or next(self._person_ids), name, **more)
        self.people[person.id] = person
        return person

    def post(self, chat: Chat, sender: Person, content: dict[str, Any], **more: Any) -> Message:
        """Put a message into a chat; ``more`` are the other arguments of ``Message``."""
        message = Message(chat, next(chat.numbers), sender, self.now, content, **more)
        message.note(self.clock.monotonic())
        chat.messages[message.id] = message
        chat.pulse.beat()
        return message

    def change(self, message: Message, content: dict[str, Any]) -> None:
        """Let a message say something else; its keyboard is changed before."""
        message.content = content
        message.edited = self.now
        message.note(self.clock.monotonic())
        message.chat.pulse.beat()

    def delete(self, messages: Iterable[Message]) -> None:
        """Take messages out of their chats."""
        for message in messages:
            message.deleted = self.clock.monotonic()
            message.chat.pulse.beat()

    def tell_bot(self, kind: str, payload: dict[str, Any]) -> Update | None:
        """Queue an update for the bot; None when it did not ask for this kind."""
        return self.updates.publish(self.clock.monotonic(), kind, payload)
