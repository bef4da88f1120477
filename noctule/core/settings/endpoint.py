"""``endpoints:`` what serves models."""

from decimal import Decimal
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr

from noctule.core.settings.account import AccountSettings, as_account
from noctule.core.settings.base import PositiveDuration, Section
from noctule.core.settings.until import Until
from noctule.core.times.durations import Duration
from noctule.core.times.windows import Window


class EndpointKind(StrEnum):
    """How an endpoint is spoken to."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    OLLAMA = "ollama"
    EMBEDDED = "embedded"
    SCRIPTED = "scripted"


class WindowSettings(Section):
    """When a flat-rate or quota window of an endpoint turns, for providers that do not say."""

    kind: Literal["rolling", "first_use", "aligned"] = "rolling"
    """``rolling``: length before now; ``first_use``: starts with the first call after the last
    one ended; ``aligned``: turns at fixed times counted from ``anchor``."""

    length: PositiveDuration | Literal["day", "week", "month"]
    """How long a window lasts, like ``5h``; ``day``, ``week`` and ``month`` follow the calendar."""

    anchor: str | None = None
    """For ``aligned``: a time of day (``01:00``) or a moment (ISO 8601) at which one window
    started. Unset means midnight (for weeks: of Monday, for months: of the 1st)."""

    timezone: str | None = None
    """The zone the anchor and the calendar are meant in, like ``UTC``. Unset means UTC."""

    carry: bool = False
    """For ``aligned`` with a time of day: ``true`` lets the day's last window run its full length
    into the next day, ``false`` ends it at the anchor."""

    def to_window(self) -> Window:
        """Return the window these words describe.

        Raises:
            ValueError: they do not fit together; ``find_problems`` reports that first.
        """
        return Window.from_words(
            self.kind, self.length, anchor=self.anchor, timezone=self.timezone, carry=self.carry
        )


class EndpointSettings(Section):
    """Something that serves models."""

    kind: EndpointKind
    """``openai`` (any OpenAI-compatible URL), ``anthropic``, ``ollama``, ``embedded`` (llama.cpp
    inside Noctule) or ``scripted`` (a fake that plays a script; for tests and examples)."""

    url: str | None = None
    """The base URL. Unset means the provider's own (``openai``, ``anthropic``) or
    ``http://127.0.0.1:11434`` (``ollama``); ``embedded`` and ``scripted`` have none."""

    key: SecretStr | None = None
    """The API key, always as ``"${VARIABLE}"``: it is read from the environment, never stored.
    Unset means that none is sent."""

    max_concurrent: int | None = Field(default=None, ge=1)
    """How many calls may run on this endpoint at once, all its models together. Unset means no
    total cap. Workers on one PostgreSQL keep it together; for an address of the machine itself,
    those of the machine."""

    local: bool | None = None
    """Whether what is sent stays on machines of yours, so that private calls may use it. Unset
    means: ``ollama``, ``embedded`` and ``scripted`` on this machine or its private network are,
    everything else is not."""

    monthly_usd: Decimal | None = Field(default=None, ge=0)
    """What it costs a month whether used or not (plan, hardware, electricity), in USD; reports
    spread it. 0 adds nothing. Unset means the same."""

    window: WindowSettings | None = None
    """When its quota turns, for providers that refuse without saying until when."""

    until: Until = None
    """When its plan, its trial or its key ends: a date like ``2026-12-31`` (that day still counts)
    or a moment. After it nothing is asked there; sleeping sessions are told a week before and on
    the last day. Unset means that it has no end."""

    account: Annotated[AccountSettings | None, BeforeValidator(as_account)] = None
    """Where the provider itself says what is left of the key's money: the name of a service
    (``openrouter``, ``litellm``), or a section that says more. The lower of its view and that of
    the budgets counts. Unset means that it is not asked."""

    headers: dict[str, str] = Field(default_factory=dict)
    """HTTP headers added to every request. Not for secrets."""

    extra_body: dict[str, Any] = Field(default_factory=dict)
    """Fields added to every request body as they are, like OpenRouter's ``provider`` block."""

    keep_alive: Duration | Literal["forever"] | None = None
    """``ollama``: how long a model stays loaded after a call; ``0s`` unloads it at once. Unset
    means 30m."""

    weights: Path | None = None
    """``embedded``: a GGUF file. Unset means the packaged SmolLM2-135M-Instruct."""

    chat_template: Path | None = None
    """``embedded``: a file with the Jinja template that turns messages, tools and calls into the
    model's text, in place of the GGUF file's own; llama.cpp reads from it how calls are written.
    ``fenced-json`` is one that came along, for models with Qwen's marks that write their calls as
    fenced JSON. Unset means the file's own."""

    slots: int = Field(default=2, ge=1, le=64)
    """``embedded``: how many replies are generated at once."""

    script: Path | None = None
    """``scripted``: the YAML file with what it plays. Unset means it repeats what it is told."""

    @property
    def is_local(self) -> bool:
        """Whether private calls may go there; see ``local``."""
        if self.local is not None:
            return self.local
        if self.kind in {EndpointKind.EMBEDDED, EndpointKind.SCRIPTED}:
            return True
        return self.kind is EndpointKind.OLLAMA and _is_private_url(self.url)

    @property
    def is_free(self) -> bool:
        """Whether its calls cost 0 by declaration (your own machine)."""
        return self.is_local


def _is_private_url(url: str | None) -> bool:
    host = urlsplit(url).hostname if url else "127.0.0.1"
    if host is None:
        return False
    if host == "localhost" or host.endswith((".local", ".localhost", ".lan", ".home.arpa")):
        return True
    try:
        return ip_address(host).is_private
    except ValueError:
        return False
