"""``endpoints.X.account:`` where a provider says what is left of its key's money."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import urljoin, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from noctule.core.base.json_paths import steps_of
from noctule.core.settings.base import Section
from noctule.core.times.durations import parse_duration

Found = tuple[tuple[str, ...], str, str]
"""Path, what is wrong, what to write instead."""

_PORTS = {"http": 80, "https": 443}


class AccountPreset(StrEnum):
    """Services whose answer is known."""

    OPENROUTER = "openrouter"
    LITELLM = "litellm"
    LITELLM_USER = "litellm-user"
    CHEAPESTINFERENCE = "cheapestinference"


@dataclass(frozen=True, slots=True)
class _Preset:
    url: str
    limit: str
    spent: str | None
    left: str | None
    reset: str


# Checked 2026-11: openrouter.ai/docs/api-reference/limits (usage there counts from the key's
# beginning, limit_remaining the present window), LiteLLM 1.106 (/key/info, /user/info without
# parameters answer for the key that asks), docs.cheapestinference.com/api/usage.
_PRESETS = {
    AccountPreset.OPENROUTER: _Preset(
        "/api/v1/key", "data.limit", None, "data.limit_remaining", "data.limit_reset"
    ),
    AccountPreset.LITELLM: _Preset(
        "/key/info", "info.max_budget", "info.spend", None, "info.budget_reset_at"
    ),
    AccountPreset.LITELLM_USER: _Preset(
        "/user/info",
        "user_info.max_budget",
        "user_info.spend",
        None,
        "user_info.budget_reset_at",
    ),
    AccountPreset.CHEAPESTINFERENCE: _Preset(
        "/v1/usage", "budget.limit", "budget.spent", None, "budget.resets_at"
    ),
}


def as_account(value: Any) -> Any:
    """Read a bare word as the name of a service."""
    return {"preset": value} if isinstance(value, str) else value


def _as_path(value: str) -> str:
    steps_of(value)
    return value


JsonPath = Annotated[str, AfterValidator(_as_path)]
"""Where in an answer a value stands."""


class AccountSettings(Section):
    """Where a provider says how much of its key's money is spent and left."""

    preset: AccountPreset | None = None
    """A service whose answer is known: ``openrouter``, ``litellm`` (the key's own budget),
    ``litellm-user`` (that of its user) or ``cheapestinference``; it fills in what is not set.
    Unset means that ``url`` and the paths say everything."""

    url: str | None = None
    """What is asked, with GET: a whole address, or a path like ``/v1/usage`` on the endpoint's
    own host. Unset means the preset's."""

    limit: JsonPath | None = None
    """Where in the answer the limit in USD stands, like ``budget.limit``; ``null`` there means no
    limit. Unset means the preset's."""

    spent: JsonPath | None = None
    """Where what is spent of that limit stands, in USD. Unset means the preset's."""

    left: JsonPath | None = None
    """Where what is left stands, in USD. Unset means the preset's, else limit minus spent."""

    reset: JsonPath | None = None
    """Where it says when the limit starts anew: a moment, or ``daily``, ``weekly``, ``monthly``
    (in UTC, weeks from Monday); ``null`` there means never. Unset means the preset's, else the
    endpoint's ``window``."""

    key: SecretStr | None = None
    """Another key for this question, always as ``"${VARIABLE}"``. Unset means the endpoint's own
    key, which is only ever sent to the endpoint's own host."""

    every_attempts: int = Field(default=20, ge=1)
    """After how many attempts on the endpoint it is asked again. It is asked after a refusal and
    before a call is given up for it in any case."""

    timeout: Annotated[
        timedelta, BeforeValidator(parse_duration), Field(gt=timedelta(0), le=timedelta(seconds=10))
    ] = timedelta(seconds=3)
    """How long its answer is waited for, 10s at most; without one Noctule's own budgets count."""

    @property
    def paths(self) -> "AccountPaths":
        """Where what stands in the answer."""
        preset = _PRESETS[self.preset] if self.preset else None
        # A path that somebody sets says where the number is: the preset's other one must not win.
        given = {"spent": self.spent, "left": self.left}
        if preset is not None and not any(given.values()):
            given = {"spent": preset.spent, "left": preset.left}
        limit = self.limit or (preset.limit if preset else None)
        reset = self.reset or (preset.reset if preset else None)
        return AccountPaths(
            _steps(limit), _steps(given["spent"]), _steps(given["left"]), _steps(reset)
        )

    def address(self, endpoint_url: str | None) -> str | None:
        """Return the whole address to ask; None when the settings do not say which.

        Args:
            endpoint_url: the endpoint's own; None when it has none.
        """
        url = self.url or (_PRESETS[self.preset].url if self.preset else None)
        if url is None or not url.startswith("/"):
            return url
        return None if endpoint_url is None else urljoin(endpoint_url, url)


@dataclass(frozen=True, slots=True)
class AccountPaths:
    """Where what stands in an answer; None means nowhere.

    Args:
        limit: of the limit.
        spent: of what is spent of it.
        left: of what is left.
        reset: of when it starts anew.
    """

    limit: tuple[str, ...] | None
    spent: tuple[str, ...] | None
    left: tuple[str, ...] | None
    reset: tuple[str, ...] | None


def same_origin(one: str, other: str | None) -> bool:
    """Whether two addresses have scheme, host and port in common."""
    return other is not None and _origin(one) == _origin(other)


def account_findings(
    path: tuple[str, ...], account: AccountSettings, url: str | None, *, has_key: bool
) -> Iterator[Found]:
    """Yield everything wrong with an endpoint's account.

    Args:
        path: where it stands.
        account: what it says.
        url: the endpoint's own address; None when it has none.
        has_key: whether the endpoint has a key.
    """
    try:
        yield from _address(path, account, url, has_key=has_key)
    except ValueError:
        yield ((*path, "url"), "it is no http address.", "write one like https://host/v1/usage.")
    paths = account.paths
    if paths.left is None and (paths.limit is None or paths.spent is None):
        what = "it does not say where in the answer the money stands."
        yield path, what, "set left, or limit and spent, to paths like budget.limit."


def _address(
    path: tuple[str, ...], account: AccountSettings, url: str | None, *, has_key: bool
) -> Iterator[Found]:
    address = account.address(url)
    if address is None and (account.url or account.preset):
        what = "the endpoint has no url that this could be a path on."
        yield (*path, "url"), what, "write the whole address, like https://host/v1/usage."
    elif address is None:
        what = "it does not say whom to ask."
        yield path, what, "write openrouter or litellm, or set url."
    elif urlsplit(address).scheme not in _PORTS or not urlsplit(address).hostname:
        what = "it is no http address."
        yield (*path, "url"), what, "start it with http:// or https://, or with / for a path."
    elif urlsplit(address).password or urlsplit(address).username:
        what = "the address holds a password, and addresses are shown."
        yield (*path, "url"), what, 'leave it out and write key: "${VARIABLE}".'
    elif has_key and account.key is None and not same_origin(address, url):
        what = "it is on another host than the endpoint, and must not get the endpoint's key."
        yield (*path, "key"), what, 'write key: "${VARIABLE}" with a key for that host.'


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def _steps(path: str | None) -> tuple[str, ...] | None:
    return None if path is None else steps_of(path)
