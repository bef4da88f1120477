"""Poller: asks Telegram for updates, one long call after another, for as long as it takes."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta

from telegram import Bot
from telegram.error import Conflict, InvalidToken, RetryAfter, TelegramError

from noctule.channels.telegram.inbox import Inbox
from noctule.core.clock import Clock
from noctule.core.ports import Database
from noctule.core.settings import TelegramSettings

_LOG = logging.getLogger(__name__)

KINDS = ["message", "edited_message", "callback_query", "my_chat_member"]
"""The updates asked for."""

_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 60.0
_CONFLICT_WAIT_S = 30.0
_GRACE_S = 10.0
_SURE_FOR = timedelta(days=6)
"""After a week without updates Telegram begins their numbers anew, anywhere (Bot API, Update)."""

Say = Callable[[str], None]
"""Tells whoever looks at the terminal one line."""


class Poller:
    """Asks for updates and hands them to the inbox.

    Args:
        bot: whose.
        inbox: stores them; only then the next call says that they arrived.
        channel: what the database calls this bot's mail.
        database: knows the last number.
        clock: the time.
        say: tells trouble, once per kind.
        settings: how long one call waits for an update, and when it is given up and made anew.
    """

    def __init__(
        self,
        bot: Bot,
        inbox: Inbox,
        *,
        channel: str,
        database: Database,
        clock: Clock,
        say: Say,
        settings: TelegramSettings,
    ) -> None:
        self._bot = bot
        self._inbox = inbox
        self._channel = channel
        self._database = database
        self._clock = clock
        self._say = say
        self._timeout_s = settings.poll_timeout.total_seconds()
        self._watchdog_s = max(settings.watchdog.total_seconds(), self._timeout_s + _GRACE_S)
        self._trouble: str | None = None

    async def run(self) -> None:
        """Poll until it is cancelled, or the token does not count any more."""
        offset = await self._offset()
        failures = 0
        while True:
            try:
                offset = await self._poll(offset)
            except InvalidToken:
                self._tell("Telegram refuses the token. Set another one and start again.")
                return
            except (TelegramError, TimeoutError) as error:
                failures += 1
                await self._clock.sleep(self._wait_s(error, failures))
            else:
                failures = 0
                self._fine()

    async def _poll(self, offset: int | None) -> int | None:
        async with asyncio.timeout(self._watchdog_s):
            updates = await self._bot.get_updates(
                offset=offset,
                timeout=timedelta(seconds=self._timeout_s),
                allowed_updates=KINDS,
                read_timeout=self._timeout_s + 5,
            )
        following = await self._inbox.take([update.to_dict() for update in updates])
        return offset if following is None else following

    async def _offset(self) -> int | None:
        async with self._database.read() as work:
            following = await work.inbox.next_number(self._channel)
            newest = await work.inbox.newest_at(self._channel)
        if newest is None or self._clock.now() - newest > _SURE_FOR:
            return None
        return following

    def _wait_s(self, error: Exception, failures: int) -> float:
        if isinstance(error, Conflict):
            self._tell(
                "Telegram says that somebody else polls with this token, or a webhook is set: "
                "only one may. End the other one, or remove the webhook; this one tries again."
            )
            return _CONFLICT_WAIT_S
        if isinstance(error, RetryAfter):
            wait = error.retry_after
            return float(wait) if isinstance(wait, int) else wait.total_seconds()
        what = "a call for updates never ended" if isinstance(error, TimeoutError) else str(error)
        self._tell(f"Telegram cannot be reached ({what}). Messages wait there and here.")
        return float(min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(failures - 1, 10)))

    def _tell(self, trouble: str) -> None:
        _LOG.warning("%s", trouble)
        if trouble != self._trouble:
            self._trouble = trouble
            self._say(trouble)

    def _fine(self) -> None:
        if self._trouble is not None:
            self._trouble = None
            self._say("Telegram answers again.")
