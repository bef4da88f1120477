"""The channel: everything of the bot, opened together and closed in order."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from telegram import Bot, User
from telegram.error import InvalidToken, TelegramError
from telegram.ext import AIORateLimiter, ExtBot
from telegram.request import HTTPXRequest

from noctule.channels.telegram.base.access import AccessControl
from noctule.channels.telegram.base.callback_tokens import Signer
from noctule.channels.telegram.base.context import BotContext
from noctule.channels.telegram.base.subscriptions import Subscriptions
from noctule.channels.telegram.base.typing_indicator import TypingIndicator
from noctule.channels.telegram.buttons.presses import HEADS_ONLY, PRESSES
from noctule.channels.telegram.commands import COMMANDS, menu
from noctule.channels.telegram.delivery.chat_ref import CHANNEL, ChatRef
from noctule.channels.telegram.delivery.delivery_errors import is_missing
from noctule.channels.telegram.delivery.log_redaction import keep_quiet, speak_again, trail
from noctule.channels.telegram.delivery.outbox import Outbox
from noctule.channels.telegram.delivery.sender import Sender
from noctule.channels.telegram.delivery.throttle import Pace
from noctule.channels.telegram.handlers.dispatcher import UpdateDispatcher
from noctule.channels.telegram.handlers.messages import on_message
from noctule.channels.telegram.inbound.inbox import Inbox
from noctule.channels.telegram.inbound.poller import KINDS, Poller
from noctule.channels.telegram.inbound.raw_updates import UpdatesRequest
from noctule.channels.telegram.inbound.webhook import Webhook
from noctule.channels.telegram.views.countdown import Countdown
from noctule.channels.telegram.views.daily_digest import Mornings
from noctule.channels.telegram.views.narrators import NARRATORS
from noctule.core.errors import NoctuleError, PersonMustActError
from noctule.core.settings import TelegramSettings

if TYPE_CHECKING:
    from noctule.bootstrap import Records

_LOG = logging.getLogger(__name__)

_CONNECTIONS = 32
_CALL_S = 20.0
_POOL_S = 30.0
_RETRY_S = 5.0
_SETTLE_S = 5.0
_PER_SECOND = 28
_GROUP_BURST = 5
_GROUP_PERIOD_S = 20
_TIDY_S = 6 * 3600.0
_LEAST_KEPT = timedelta(days=2)
"""Telegram delivers updates again that were not confirmed, for a day: so long they are known."""

Say = Callable[[str], None]


@asynccontextmanager
async def open_telegram(records: "Records", say: Say) -> AsyncIterator[None]:
    """Run the bot while the block runs; outages of Telegram are waited out, not raised.

    Args:
        records: opened, and kept open as long as the bot. Its settings have a token.
        say: shows one line on the terminal: who the bot is, pairing codes, trouble.
    """
    settings = records.settings.telegram
    if settings.token is None:
        raise PersonMustActError(
            "There is no Telegram token. Set telegram.token and restart; see `noctule docs "
            "telegram` for how to get one."
        )
    token = settings.token.get_secret_value()
    mask = keep_quiet(token)
    try:
        async with AsyncExitStack() as stack:
            calls, polls = _request(settings), _request(settings, UpdatesRequest)
            for request in (calls, polls):
                await request.initialize()
                stack.push_async_callback(request.shutdown)
            places: dict[str, Any] = {
                "base_url": settings.base_url,
                "base_file_url": _file_url(settings.base_url),
                "request": calls,
                "get_updates_request": polls,
            }
            bot = ExtBot(token, rate_limiter=_limits(), **places)
            channel = _Channel(records, bot, ExtBot(token, **places), token, say)
            stack.push_async_callback(channel.close)
            await channel.start()
            yield
    finally:
        speak_again(mask)


class _Channel:
    def __init__(
        self,
        records: "Records",
        bot: Bot,
        quick: Bot,
        token: str,
        say: Say,
    ) -> None:
        settings = records.settings.telegram
        self._records = records
        self._bot = bot
        self._quick = quick
        self._say = say
        self._me: User | None = None
        pace = Pace(records.clock, settings.edit_interval.total_seconds())
        self._outbox = Outbox(records.database, Sender(self._bot), pace, records.clock)
        self._signs = TypingIndicator(quick, records.clock)
        self._watching = Subscriptions(records, self._outbox)
        self._gate = AccessControl(settings, records.database, records.clock, say)
        self.bot = BotContext(
            records=records,
            bot=self._bot,
            quick=quick,
            me=self._user,
            outbox=self._outbox,
            pace=pace,
            gate=self._gate,
            signer=Signer(token, records.clock),
            signs=self._signs,
            watching=self._watching,
        )
        reception = UpdateDispatcher(
            self.bot,
            on_message=on_message,
            commands={name: command.deal for name, command in COMMANDS.items()},
            presses=PRESSES,
            heads_only=HEADS_ONLY,
        )
        # Two bots may give the same number to their updates.
        self._mail = f"{CHANNEL}:{token.partition(':')[0]}"
        self._inbox = Inbox(
            self._mail,
            records.database,
            reception.deal,
            reception.gave_up,
            records.clock,
            glance=reception.glance,
        )
        self._outbox.moved = self._moved
        self._countdown = Countdown(self.bot)
        self._mornings = Mornings(self.bot)
        self._running: asyncio.Task[None] | None = None
        self._tidying: asyncio.Task[None] | None = None
        self._complaint: str | None = None
        self._webhook: Webhook | None = None

    async def start(self) -> None:
        """Send what waits, tell what was not told, and take updates once Telegram answers."""
        await self._gate.open()
        self._watching.narrators = {
            kind: partial(make, self.bot) for kind, make in NARRATORS.items()
        }
        await self._outbox.start()
        await self._watching.start()
        self._countdown.start()
        self._mornings.start()
        self._running = asyncio.create_task(self._run())
        self._tidying = asyncio.create_task(self._tidy())

    async def close(self) -> None:
        """Take no more updates, then send what is ready, a few seconds long."""
        for task in (self._running, self._tidying):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        if self._webhook is not None:
            await self._webhook.close()
        await self._inbox.close()
        await self._watching.close()
        await self._countdown.close()
        await self._mornings.close()
        await self._signs.close()
        await self._outbox.settled(_SETTLE_S)
        await self._outbox.close()

    def _user(self) -> User:
        if self._me is None:  # nothing is dealt with before it is known
            raise PersonMustActError("Telegram hasn't told me yet who I am. Please try again.")
        return self._me

    async def _run(self) -> None:
        while True:
            try:
                await self._work()
            except InvalidToken:
                self._say("Telegram refuses the token. Set telegram.token to one of BotFather's.")
                return
            except (NoctuleError, OSError) as error:
                self._complain(f"The Telegram bot cannot start: {error}. Trying again.")
            except Exception as broke:  # noqa: BLE001 - a bot that is deaf must not look alive
                _LOG.error("the bot broke: %s", trail(broke))
                self._complain(
                    f"Internal error in the Telegram bot ({type(broke).__name__}). Trying again."
                )
            else:
                return
            await self._records.clock.sleep(_RETRY_S)

    def _complain(self, sentence: str) -> None:
        if sentence != self._complaint:
            self._complaint = sentence
            self._say(sentence)

    async def _moved(self, place: ChatRef, to: ChatRef) -> None:
        await self._gate.follow(place, to)
        await self._watching.move(place, to)

    async def _tidy(self) -> None:
        keep = max(self._records.settings.telegram.keep, _LEAST_KEPT)
        while True:
            before = self._records.clock.now() - keep
            try:
                async with self._records.database.work() as work:
                    await work.inbox.prune(self._mail, before=before)
                    await work.outbox.prune(CHANNEL, before=before)
                    await work.commit()
            except NoctuleError as error:
                _LOG.warning("old mail is dropped later: %s", error)
            await self._records.clock.sleep(_TIDY_S)

    async def _work(self) -> None:
        self._me = await self._introduction()
        self._say(f"Telegram: I am @{self._me.username}, {self._me.full_name}. {self._admission()}")
        await self._invite()
        await self._tell_commands()
        await self._inbox.start()
        settings = self._records.settings.telegram
        if settings.webhook is not None:
            await self._listen()
            return
        while not await self._quietly(self._bot.delete_webhook(drop_pending_updates=False)):
            await self._records.clock.sleep(_RETRY_S)  # there is no polling beside a webhook
        poller = Poller(
            self._bot,
            self._inbox,
            clock=self._records.clock,
            say=self._say,
            settings=settings,
        )
        await poller.run()

    async def _introduction(self) -> User:
        told = False
        while True:
            try:
                return await self._bot.get_me()
            except InvalidToken:
                raise
            except TelegramError as error:
                if not told:
                    told = True
                    self._say(f"Telegram cannot be reached ({error}). Still trying.")
                await self._records.clock.sleep(_RETRY_S)

    async def _invite(self) -> None:
        """Show the link that makes whoever taps it first the owner, while there is none."""
        code = await self._gate.invite()
        if code is not None:
            link = f"https://t.me/{self._user().username}?start={code}"
            self._say(f"Or open this link on your phone within an hour and tap Start: {link}")

    async def _listen(self) -> None:
        webhook = self._records.settings.telegram.webhook
        if webhook is None:
            return
        secret = webhook.secret.get_secret_value()
        self._webhook = Webhook(self._inbox, port=webhook.port, secret=secret)
        self._webhook.start()
        self._say(f"Telegram: listening on 127.0.0.1:{self._webhook.port} for {webhook.url}.")
        while not await self._quietly(
            self._bot.set_webhook(
                webhook.url,
                secret_token=secret,
                allowed_updates=KINDS,
                drop_pending_updates=False,
            )
        ):
            await self._records.clock.sleep(_RETRY_S)

    async def _tell_commands(self) -> None:
        await self._quietly(self._bot.set_my_commands(menu()))

    async def _quietly(self, call: Awaitable[bool]) -> bool:
        try:
            await call
        except TelegramError as error:
            if is_missing(error):
                return True
            _LOG.warning("Telegram did not take a call that can wait: %s", error)
            return False
        return True

    def _admission(self) -> str:
        if self._gate.heads:
            return "Write to me."
        return "Write to me; a code for the first person will be shown here."


def _limits() -> AIORateLimiter:
    """Return a limiter that is within Telegram's limits in any second and minute.

    Its buckets let a full one through at once and refill meanwhile, so they are small: 28 messages
    a second in all, and in a group 5 at once and 15 more within the minute (Bots FAQ: 30 and 20).
    """
    return AIORateLimiter(
        overall_max_rate=1,
        overall_time_period=1 / _PER_SECOND,
        group_max_rate=_GROUP_BURST,
        group_time_period=_GROUP_PERIOD_S,
        max_retries=0,
    )


def _request(
    settings: TelegramSettings, made_as: type[HTTPXRequest] = HTTPXRequest
) -> HTTPXRequest:
    return made_as(
        connection_pool_size=_CONNECTIONS,
        read_timeout=_CALL_S,
        write_timeout=_CALL_S,
        connect_timeout=_CALL_S,
        pool_timeout=_POOL_S,
        proxy=settings.proxy,
        httpx_kwargs={"trust_env": False},
    )


def _file_url(base_url: str) -> str:
    """Return the prefix of files: ``.../bot`` becomes ``.../file/bot``."""
    head, slash, tail = base_url.rpartition("/")
    return f"{head}{slash}file/{tail}"
