"""The question to a provider what is left of a key's money, over HTTP."""

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import SecretStr

from noctule.core.budgets.accounts import Statement, read_statement
from noctule.core.clock import Clock
from noctule.core.settings import EndpointSettings
from noctule.core.settings.account import AccountSettings, same_origin
from noctule.core.times.durations import show_duration
from noctule.models.wire.loopback import is_on_this_machine

if TYPE_CHECKING:
    import httpx

_MOST_BYTES = 1_000_000
_OK = 200
_REDIRECTS = range(300, 400)
_NOT_YOURS = frozenset({401, 403})


def account_key(endpoint: EndpointSettings) -> SecretStr | None:
    """Return the key that asks for an endpoint's account; None sends none."""
    account = endpoint.account
    if account is None or account.key is not None:
        return None if account is None else account.key
    return endpoint.key if _is_own(endpoint, account) else None


class AccountQuestion:
    """Asks one provider, whose key goes to no other host.

    Args:
        endpoint: its settings, with an ``account``.
        account: those of its account.
        clock: the time.
    """

    def __init__(self, endpoint: EndpointSettings, account: AccountSettings, clock: Clock) -> None:
        self._endpoint = endpoint
        self._account = account
        self._clock = clock
        self._url = account.address(endpoint.url) or ""
        self._patience_s = account.timeout.total_seconds()
        self._http: httpx.AsyncClient | None = None

    async def ask(self) -> Statement | str:
        """Return what it says, or in a sentence why it says nothing; raises nothing.

        The sentence holds no key and nothing of the answer, which may repeat the key.
        """
        limit = asyncio.timeout(self._patience_s)
        try:
            async with limit:
                status, body = await self._get()
        except Exception as error:  # noqa: BLE001 - no library's exception leaves the model layer
            if limit.expired() or _is_late(error):
                waited = show_duration(self._patience_s)
                return f"{self._shown} did not answer within {waited}."
            return f"{self._shown} could not be asked ({type(error).__name__})."
        if status != _OK:
            return f"{self._shown} answered {status}{_meaning(status)}."
        try:
            return read_statement(body, self._account.paths, self._clock.now())
        except ValueError as error:
            return f"{self._shown} answered what makes no sense: {error}."

    async def close(self) -> None:
        """Let go of its connection."""
        if self._http is not None:
            await self._http.aclose()

    @property
    def _shown(self) -> str:
        """The address without what may be secret in it."""
        parts = urlsplit(self._url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    async def _get(self) -> tuple[int, bytes]:
        if self._http is None:
            self._http = self._client()
        async with self._http.stream("GET", self._url, headers=self._headers()) as answer:
            body = b""
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > _MOST_BYTES:
                    break
            return answer.status_code, body[:_MOST_BYTES]

    def _client(self) -> "httpx.AsyncClient":
        import httpx  # noqa: PLC0415 - heavy

        return httpx.AsyncClient(
            timeout=self._patience_s,
            follow_redirects=False,  # the key is for this host
            trust_env=not is_on_this_machine(urlsplit(self._url).hostname),
        )

    def _headers(self) -> dict[str, str]:
        own = self._endpoint.headers if _is_own(self._endpoint, self._account) else {}
        key = account_key(self._endpoint)
        asks = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
        return {**own, "Accept": "application/json", **asks}


def _is_own(endpoint: EndpointSettings, account: AccountSettings) -> bool:
    address = account.address(endpoint.url)
    return address is not None and same_origin(address, endpoint.url)


def _is_late(error: Exception) -> bool:
    import httpx  # noqa: PLC0415 - heavy

    return isinstance(error, httpx.TimeoutException | TimeoutError)


def _meaning(status: int) -> str:
    if status in _NOT_YOURS:
        return ": it does not take the key for this"
    if status in _REDIRECTS:
        return ", which points elsewhere: the key stays with its host"
    return ""
