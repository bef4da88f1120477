"""``telegram:`` the bot people talk to."""

from datetime import timedelta
from enum import StrEnum

from pydantic import Field, SecretStr

from noctule.core.settings.base import PositiveDuration, Section
from noctule.core.times.durations import Duration


class StreamBy(StrEnum):
    """How an answer is shown while it is written."""

    EDIT = "edit"
    """One message, edited as it grows."""
    DRAFT = "draft"
    """A draft in private chats where the Bot API has it, else like ``edit``."""
    NOTHING = "nothing"
    """Only when it is complete."""


class WebhookSettings(Section):
    """Updates pushed by Telegram instead of asked for."""

    url: str
    """The public HTTPS address Telegram posts to; a proxy in front passes it to ``port``."""

    port: int = Field(default=8443, ge=0, le=65535)
    """The port listened on at 127.0.0.1. 0 takes a free one."""

    secret: SecretStr
    """What Telegram sends along so that nobody else's posts are taken, as ``"${VARIABLE}"``:
    1 to 256 letters, digits, ``_`` and ``-``."""


class TelegramSettings(Section):
    """The Telegram bot."""

    token: SecretStr | None = None
    """The bot's token from BotFather, as ``"${VARIABLE}"``. Unset means no bot."""

    allow: tuple[int, ...] = ()
    """Numeric Telegram ids of the people who may talk to it; the first is the owner. Empty means
    the first person pairs with a code printed on the terminal and becomes the owner."""

    groups: tuple[int, ...] = ()
    """Numeric ids (negative) of the groups it answers in, when it is mentioned or replied to by
    somebody who may talk to it. Empty means no group."""

    base_url: str = "https://api.telegram.org/bot"
    """The Bot API prefix up to the token; another one for a local Bot API server."""

    proxy: str | None = None
    """A proxy for all calls, like ``socks5://127.0.0.1:1080`` or ``http://...``; write it as
    ``"${VARIABLE}"`` when it has a password. Unset means none."""

    webhook: WebhookSettings | None = None
    """Unset means it asks for updates (long polling), which needs no public address."""

    stream: StreamBy = StreamBy.EDIT
    """How an answer is shown while it is written: ``edit``, ``draft`` or ``nothing``."""

    edit_interval: PositiveDuration = timedelta(seconds=1)
    """How long there is between two edits of a message; Telegram takes about one a second."""

    buttons: bool = True
    """Whether an answer has 👍, 👎 and *again on…* under it; ``/settings`` changes it per chat."""

    max_file_mb: int = Field(default=20, ge=1)
    """The largest file taken from a chat, in MB; Telegram itself gives bots at most 20."""

    max_files: int = Field(default=10, ge=1)
    """How many files of one message are taken."""

    poll_timeout: PositiveDuration = timedelta(seconds=30)
    """How long one call for updates waits for the next message."""

    watchdog: PositiveDuration = timedelta(seconds=120)
    """Without a finished call for updates for this long, the connection is begun anew."""

    keep: Duration = timedelta(days=30)
    """How long handled updates and sent messages are kept in the database; at least two days, for
    Telegram may deliver an update again so long. ``0s`` keeps those two days."""
