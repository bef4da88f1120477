"""The bot: token, where its API is, a webhook left over, a second one who polls, who may talk."""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from noctule.core.settings import TelegramSettings
from noctule.doctor.finding import Finding, Level

ABOUT = "telegram"
_ANSWER_S = 10.0
_LISTEN_S = 5
"""How long it polls to see whether somebody else does: who is cut off polls again within that."""

_NO_BOT = frozenset({httpx.codes.UNAUTHORIZED, httpx.codes.NOT_FOUND})
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")


@dataclass(frozen=True, slots=True)
class Introduction:
    """What came of asking who the bot is.

    Args:
        username: the bot's, without the at sign; None when there was no answer.
        trouble: why not, and what to do; "" when there was one.
        is_refused: whether Telegram does not know the token.
    """

    username: str | None
    trouble: str = ""
    is_refused: bool = False


async def introduction(settings: TelegramSettings) -> Introduction:
    """Ask Telegram who the bot is; never raises.

    Args:
        settings: with a token.
    """
    questions = BotQuestions(settings, people=None, served=False)
    try:
        async with questions.client() as client:
            me = await _call(client, "getMe")
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, ImportError) as error:
        finding = questions.unreachable(error)
        return Introduction(None, f"{finding.sentence} {finding.fix}")
    if me.get("ok"):
        return Introduction(str(me["result"].get("username")))
    finding = _refused(me)
    return Introduction(
        None, f"{finding.sentence} {finding.fix}", is_refused=me.get("error_code") in _NO_BOT
    )


@dataclass(frozen=True, slots=True)
class BotQuestions:
    """What is asked about the bot; nothing that waits for it is confirmed or dropped.

    Args:
        settings: the configuration's part.
        people: how many people paired; None when the database could not be read.
        served: whether ``noctule serve`` works on this data folder: then it is the one who polls.
        listen_s: how long it polls to meet somebody else who does; 0 does not look.
    """

    settings: TelegramSettings = field(repr=False)
    people: int | None
    served: bool
    listen_s: int = _LISTEN_S

    async def findings(self) -> list[Finding]:
        """Ask; never raises. Without a token there is no bot and nothing to say."""
        if self.settings.token is None:
            return []
        try:
            async with self.client() as client:
                found = [finding async for finding in self._ask(client)]
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, ImportError) as error:
            found = [self.unreachable(error)]
        return [*found, *self._admission(), *self._webhook_settings()]

    def client(self) -> httpx.AsyncClient:
        """Return a client of the Bot API; without a token nobody answers."""
        token = self.settings.token
        secret = "" if token is None else token.get_secret_value()
        return httpx.AsyncClient(
            base_url=f"{self.settings.base_url}{secret}/",
            proxy=self.settings.proxy,
            timeout=_ANSWER_S + self.listen_s,
            trust_env=False,
        )

    async def _ask(self, client: httpx.AsyncClient) -> AsyncIterator[Finding]:
        me = await _call(client, "getMe")
        if not me.get("ok"):
            yield _refused(me)
            return
        yield Finding(Level.OK, ABOUT, f"The bot is @{me['result'].get('username')}.")
        info = await _call(client, "getWebhookInfo")
        webhook = str((info.get("result") or {}).get("url") or "")
        for finding in self._webhook(webhook, info.get("result") or {}):
            yield finding
        if webhook or self.settings.webhook is not None or self.served or not self.listen_s:
            return
        polled = await _call(client, "getUpdates", timeout=self.listen_s, limit=1)
        if polled.get("error_code") == httpx.codes.CONFLICT:
            yield Finding(
                Level.ERROR,
                ABOUT,
                "Another program polls for this bot's messages; each message goes to only one of "
                "the two.",
                "Stop the other program that uses the token, or get a new token from BotFather "
                "with /revoke.",
            )

    def _webhook(self, url: str, info: Mapping[str, Any]) -> Iterator[Finding]:
        wanted = self.settings.webhook
        if wanted is None and url:
            yield Finding(
                Level.WARNING,
                ABOUT,
                "An old webhook is still set, and it prevents polling.",
                "`noctule serve` removes it when it starts, without losing messages; or set "
                "telegram.webhook to use it.",
            )
        elif wanted is not None and url and url != wanted.url:
            yield Finding(
                Level.WARNING,
                ABOUT,
                "Telegram posts to a different address than telegram.webhook.url.",
                "`noctule serve` sets the configured one when it starts.",
            )
        elif wanted is not None and info.get("last_error_message"):
            yield Finding(
                Level.WARNING,
                ABOUT,
                f"Telegram could not post to the webhook: {info['last_error_message']}.",
                f"Make the proxy pass {wanted.url} to 127.0.0.1:{wanted.port}, with a valid "
                "certificate.",
            )

    def _webhook_settings(self) -> Iterator[Finding]:
        wanted = self.settings.webhook
        if wanted is None:
            return
        if not wanted.url.startswith("https://"):
            yield Finding(
                Level.ERROR,
                ABOUT,
                "telegram.webhook.url does not start with https://, the only kind Telegram posts "
                "to.",
                "Put a proxy with a certificate in front, and set its address.",
            )
        if not _SECRET.fullmatch(wanted.secret.get_secret_value()):
            yield Finding(
                Level.ERROR,
                ABOUT,
                "telegram.webhook.secret has characters that Telegram does not accept.",
                "Use 1 to 256 letters, digits, _ and -; `openssl rand -hex 32` makes one.",
            )

    def _admission(self) -> Iterator[Finding]:
        if self.settings.allow or self.people is None:
            return
        if not self.people:
            yield Finding(
                Level.ADVICE,
                ABOUT,
                "The bot has no owner yet.",
                "Run `noctule serve`, write to the bot, and send it the code that the terminal "
                "shows; or list your numeric id in telegram.allow.",
            )

    def unreachable(self, error: Exception) -> Finding:
        """Say that nobody answered."""
        through = " through telegram.proxy" if self.settings.proxy else ""
        return Finding(
            Level.ERROR,
            ABOUT,
            f"The Bot API cannot be reached{through} ({type(error).__name__}).",
            "Look at telegram.base_url and telegram.proxy, and whether this machine is online; "
            "`noctule serve` keeps trying.",
        )


def _refused(me: Mapping[str, Any]) -> Finding:
    code = me.get("error_code")
    if code in _NO_BOT:
        return Finding(
            Level.ERROR,
            ABOUT,
            "Telegram refuses the token.",
            "Copy it again from BotFather (/mybots, API Token) into the variable that "
            "telegram.token names. With a telegram.base_url of your own: it ends in /bot.",
        )
    return Finding(
        Level.ERROR,
        ABOUT,
        f"telegram.base_url is not a Bot API server, or it is failing (HTTP {code}).",
        "Remove telegram.base_url to use Telegram's own; the address of a local server ends in "
        "/bot.",
    )


async def _call(client: httpx.AsyncClient, method: str, **given: Any) -> dict[str, Any]:
    """Return the document the Bot API answers with, also when it refuses."""
    response = await client.post(method, json=given)
    try:
        document = response.json()
    except ValueError:
        document = None
    if isinstance(document, dict) and "ok" in document:
        return document
    return {"ok": False, "error_code": response.status_code}
