"""Poller: asks Telegram for updates, one long call after another, for as long as it takes."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from telegram import Bot
from telegram.error import Conflict, InvalidToken, RetryAfter, TelegramError

from noctule.channels.telegram.delivery.log_redaction import trail
from noctule.channels.telegram.inbound.inbox import Inbox
from noctule.core.clock import Clock
from noctule.core.errors import NoctuleError
from noctule.core.settings import TelegramSettings

_LOG = logging.getLogger(__name__)

KINDS = ["message", "edited_message", "callback_query", "my_chat_member", "message_reaction"]
"""The updates asked for."""

_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 60.0
_LONGEST_CONFLICT_WAIT_S = 30.0
_PEACE_S = 300.0
"""How long there must be no conflict before it is over."""

_GRACE_S = 10.0
_SURE_FOR = timedelta(days=6)
"""After a week without updates Telegram begins their numbers anew, anywhere (Bot API, Update)."""

_CONFLICT = (
    "Telegram reports that another program polls with this token, or that a webhook is set: only "
    "one is possible. Stop the other program or remove the webhook; this one keeps trying."
)
_REFUSED = (
    "Telegram refuses the token. Set telegram.token to one of BotFather's and restart; until then, "
    "messages wait."
)
_UNREACHABLE = "Telegram cannot be reached ({}). Messages wait there and here."

Say = Callable[[str], None]
"""Tells whoever looks at the terminal one line."""


class Poller:
    """Asks for updates and hands them to the inbox.

    Args:
        bot: whose.
        inbox: stores them; only then the next call says that they arrived.
        clock: the time.
        say: tells trouble, once per kind.
        settings: how long one call waits for an update, and when it is given up and made anew.
    """

    def __init__(
        self,
        bot: Bot,
        inbox: Inbox,
        *,
        clock: Clock,
        say: Say,
        settings: TelegramSettings,
    ) -> None:
        self._bot = bot
        self._inbox = inbox
        self._clock = clock
        self._say = say
        self._timeout_s = settings.poll_timeout.total_seconds()
        self._watchdog_s = max(settings.watchdog.total_seconds(), self._timeout_s + _GRACE_S)
        self._next: int | None = None
        self._heard_at: datetime | None = None
        self._trouble: str | None = None
        self._conflict_at: float | None = None

    async def run(self) -> None:
        """Poll until it is cancelled; nothing else ends it."""
        failures = 0
        while True:
            try:
                await self._poll()
            except (TelegramError, NoctuleError, TimeoutError) as error:
                failures += 1
                await self._clock.sleep(self._wait_s(error, failures))
            except Exception as broke:  # noqa: BLE001 - a bot that is deaf must not look alive
                failures += 1
                _LOG.error("a poll broke: %s", trail(broke))
                await self._clock.sleep(self._wait_s(broke, failures))
            else:
                failures = 0
                self._fine()

    async def _poll(self) -> None:
        async with asyncio.timeout(self._watchdog_s):
            # The public method parses the whole batch before anybody has seen one update of it.
            found = await self._bot._post(  # noqa: SLF001 - see above
                "getUpdates",
                {
                    "offset": self._following(),
                    "timeout": int(self._timeout_s),
                    "allowed_updates": KINDS,
                },
                read_timeout=self._timeout_s + 5,
            )
        updates = found if isinstance(found, list) else []
        following = await self._inbox.take(updates)
        if following is not None:
            self._next, self._heard_at = following, self._clock.now()
        elif updates or found is not updates:
            raise TelegramError("its answer held no update with a number")

    def _following(self) -> int | None:
        """Return the number to ask for; None asks for all that was not confirmed.

        After a start all of it is asked for: what is stored already is passed over.
        """
        if self._heard_at is None or self._clock.now() - self._heard_at > _SURE_FOR:
            return None
        return self._next

    def _wait_s(self, error: Exception, failures: int) -> float:
        longer = float(min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(failures - 1, 10)))
        match error:
            case Conflict():
                self._conflict_at = self._clock.monotonic()
                self._tell(_CONFLICT)
                # One foreign call is no reason to be deaf for long; another program is.
                return min(_LONGEST_CONFLICT_WAIT_S, longer)
            case RetryAfter():
                wait = error.retry_after
                return float(wait) if isinstance(wait, int) else wait.total_seconds()
            case InvalidToken():
                self._tell(_REFUSED)
                return _LONGEST_WAIT_S
            case NoctuleError():
                self._tell(f"Messages cannot be stored right now: {error}")
            case TimeoutError():
                self._tell(_UNREACHABLE.format("a call for updates never ended"))
            case TelegramError():
                self._tell(_UNREACHABLE.format(str(error).rstrip(".")))
            case _:
                self._tell(_UNREACHABLE.format(f"internal error ({type(error).__name__})"))
        return longer

    def _tell(self, trouble: str) -> None:
        kind = trouble.partition("(")[0]
        if kind != self._trouble:
            self._trouble = kind
            _LOG.warning("%s", trouble)
            self._say(trouble)

    def _fine(self) -> None:
        if self._trouble is None:
            return
        since = self._conflict_at
        if since is not None and self._clock.monotonic() - since < _PEACE_S:
            return  # two who poll take turns: one call that went well means nothing
        self._trouble = self._conflict_at = None
        self._say("Telegram answers again.")
