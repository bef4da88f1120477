"""A Bot API on loopback: what a bot reaches at its ``base_url``.

In a test::

    async with TelegramServer() as telegram:
        anna = telegram.phone("Anna")
        anna.says("hello")  # the bot gets it: telegram.base_url, telegram.token
        answer = await anna.until(lambda seen: seen[-1].from_bot and seen[-1])

What happened is in ``telegram.calls``; what is to go wrong is queued in ``telegram.faults``.
"""

from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from noctule.core.clock import Clock, SystemClock
from tests.support.telegram.calls import Calls
from tests.support.telegram.chats import Chat, Chats
from tests.support.telegram.faults import Faults
from tests.support.telegram.flood import Flood
from tests.support.telegram.people import Person
from tests.support.telegram.phone import Phone
from tests.support.telegram.requests import application
from tests.support.telegram.stored_files import Files
from tests.support.telegram.updates import Updates
from tests.support.telegram.world import TOKEN, World


@dataclass
class TelegramServer:
    """The emulator, on the event loop it is entered in.

    Args:
        token: what the bot has to know.
        port: 0 takes any that is free.
        clock: says when things happen; waiting takes real time.
        reads_groups: whether the bot is told everything that is said in groups; if not, only what
            is meant for it (privacy mode, as new bots have it).
        floods: whether more messages than Telegram allows are refused with 429; what was over the
            limits is in ``flood`` in any case.
        log: a file that gets a line of JSON for each call; None writes none.
    """

    token: str = TOKEN
    port: int = 0
    clock: Clock = field(default_factory=SystemClock)
    reads_groups: bool = False
    floods: bool = False
    log: Path | None = None

    def __post_init__(self) -> None:
        self.world = World(
            self.token,
            clock=self.clock,
            reads_groups=self.reads_groups,
            calls=Calls(self.log),
            flood=Flood(enforced=self.floods),
        )
        self._server: HTTPServer | None = None

    @property
    def url(self) -> str:
        """Where the server is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        """What ``telegram.base_url`` of the configuration is set to."""
        return f"{self.url}/bot"

    @property
    def file_url(self) -> str:
        """The ``base_file_url`` of a bot."""
        return f"{self.url}/file/bot"

    @property
    def calls(self) -> Calls:
        """Everything the bot asked."""
        return self.world.calls

    @property
    def faults(self) -> Faults:
        """What is to go wrong."""
        return self.world.faults

    @property
    def flood(self) -> Flood:
        """How many messages were sent, and whether they were too many."""
        return self.world.flood

    @property
    def files(self) -> Files:
        """All files that were sent."""
        return self.world.files

    @property
    def updates(self) -> Updates:
        """What the bot was told or will be."""
        return self.world.updates

    @property
    def chats(self) -> Chats:
        """The chats: make groups here."""
        return self.world.chats

    def person(self, name: str, **more: Any) -> Person:
        """Make a person; ``more`` are the other arguments of ``Person``."""
        return self.world.add_person(name, **more)

    def phone(self, owner: Person | str, **more: Any) -> Phone:
        """Give a person a phone; a name makes the person, ``more`` as in ``person``."""
        person = self.person(owner, **more) if isinstance(owner, str) else owner
        return Phone(self.world, person)

    def close_chat(self, chat: Chat, seconds: float) -> None:
        """Let a chat answer 429 to everything for so many seconds, as after a real flood."""
        self.flood.close(chat.id, seconds, self.clock.monotonic())

    async def __aenter__(self) -> Self:
        """Listen."""
        sockets = bind_sockets(self.port, "127.0.0.1")
        self.port = sockets[0].getsockname()[1]
        self._server = HTTPServer(application(self.world))
        self._server.add_sockets(sockets)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Hang up on everybody."""
        if self.world.webhook is not None:
            await self.world.webhook.stop()
        if self._server is not None:
            self._server.stop()
            await self._server.close_all_connections()
