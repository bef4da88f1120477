"""Reading one address of the web: every hop checked, size and time bounded."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ssl import SSLContext

import httpx

from tools.base.tool import ToolError
from tools.web.addresses import AddressPolicy, parse_url

USER_AGENT = "Noctule/1.0 (an agent that reads one page for its person)"

_MOST_REDIRECTS = 5
_CONNECT_S = 5.0
_CHUNK = 65_536
_HEADERS = {
    "User-Agent": USER_AGENT,
    "Accept": "text/html,application/xhtml+xml,text/*;q=0.9,application/json;q=0.8,*/*;q=0.1",
    "Accept-Language": "en,*;q=0.5",
    "Accept-Encoding": "gzip, deflate",
}


MayFollow = Callable[[str], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Page:
    """What was read.

    Args:
        url: where it was found in the end.
        asked: what was asked for.
        content_type: as the server says, lower case, without parameters; "" when it does not.
        charset: as the server says; None when it does not.
        body: unpacked; its first ``most_bytes`` when it was longer.
        cut: whether it was longer.
    """

    url: str
    asked: str
    content_type: str
    charset: str | None
    body: bytes
    cut: bool


class PageReader:
    """Reads pages from public addresses, without cookies, proxies of the environment or passwords.

    Proxies are ignored because a proxy resolves names itself, where nobody checks them.

    Args:
        policy: what may be connected to.
        most_bytes: the most that is kept of a page, unpacked; also the most that is received.
        timeout: for everything, redirects included.
        tls: whose certificates are believed; None means the usual authorities and what
            ``SSL_CERT_FILE`` names.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        *,
        most_bytes: int,
        timeout: timedelta,
        tls: SSLContext | None = None,
    ) -> None:
        self._policy = policy
        self._tls = tls
        self._most_bytes = most_bytes
        self.timeout_s = timeout.total_seconds()

    async def read(self, url: str, may_follow: MayFollow | None = None) -> Page:
        """Read an address.

        Args:
            url: the address.
            may_follow: asked about each address it redirects to; None: all may be read.

        Raises:
            ToolError: it may not be read, does not answer in time, or answers with an error.
        """
        asked = parse_url(url)
        try:
            async with asyncio.timeout(self.timeout_s):
                return await self._follow(asked, may_follow)
        except TimeoutError as error:
            raise ToolError(
                f"{asked.host} did not deliver the page within {self.timeout_s:g} s. Try another "
                "source."
            ) from error
        except httpx.HTTPError as error:
            raise ToolError(
                f"{asked.host} could not be read: {_why(error)}. Try another."
            ) from error

    async def _follow(self, asked: httpx.URL, may_follow: MayFollow | None) -> Page:
        url = asked
        for _ in range(_MOST_REDIRECTS + 1):
            found = await self._hop(url, asked)
            if isinstance(found, Page):
                return found
            if may_follow is not None and not await may_follow(str(found)):
                raise ToolError(
                    f"{url.host} redirects to {found}, which is asked about like an address of its "
                    "own. Fetch that one if you need it, or try another source."
                )
            url = found
        raise ToolError(
            f"{asked.host} redirects more than {_MOST_REDIRECTS} times. Try another source."
        )

    async def _hop(self, url: httpx.URL, asked: httpx.URL) -> Page | httpx.URL:
        """Return the page at a URL, or where it redirects to."""
        addresses = await self._policy.addresses(url)
        async with _client(addresses, self._tls or _usual_tls()) as client:
            request = client.build_request("GET", url, headers=_HEADERS)
            response = await client.send(request, stream=True)
            try:
                target = response.headers.get("location")
                if response.is_redirect and target is not None:
                    return parse_url(str(url.join(target)))
                return await self._page(response, url, asked)
            except httpx.InvalidURL as error:
                raise ToolError(f"{url.host} redirects to something that is no URL.") from error
            finally:
                await response.aclose()

    async def _page(self, response: httpx.Response, url: httpx.URL, asked: httpx.URL) -> Page:
        if response.is_error:
            raise ToolError(
                f"{url} answered {_status(response.status_code)}. Try another "
                "address, or search for the page."
            )
        body, cut = await _bounded(response, self._most_bytes)
        content_type, _, _ = response.headers.get("content-type", "").partition(";")
        return Page(
            url=str(url),
            asked=str(asked),
            content_type=content_type.strip().lower(),
            charset=response.charset_encoding,
            body=body,
            cut=cut,
        )


class _Pinned(httpx.AsyncBaseTransport):
    """Connects to checked addresses, whatever the name in the URL resolves to by now.

    The Host header and the name in the TLS handshake, which the certificate is checked against,
    stay those of the URL.
    """

    def __init__(self, addresses: tuple[str, ...], tls: SSLContext) -> None:
        self._addresses = addresses
        self._inner = httpx.AsyncHTTPTransport(
            verify=tls, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request to the first address that can be connected to."""
        request.extensions = {**request.extensions, "sni_hostname": request.url.host}
        failure: httpx.TransportError | None = None
        for address in self._addresses:
            request.url = request.url.copy_with(host=address)
            try:
                return await self._inner.handle_async_request(request)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        raise failure or httpx.ConnectError("it has no address")

    async def aclose(self) -> None:
        """Let go of connections."""
        await self._inner.aclose()


def _client(addresses: tuple[str, ...], tls: SSLContext) -> httpx.AsyncClient:
    no_cookies = CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
    return httpx.AsyncClient(
        transport=_Pinned(addresses, tls),
        trust_env=False,
        follow_redirects=False,
        cookies=no_cookies,
        timeout=httpx.Timeout(None, connect=_CONNECT_S),
    )


@cache
def _usual_tls() -> SSLContext:
    """Return what certificates are checked with; reading the authorities takes 20 ms."""
    return httpx.create_ssl_context()


async def _bounded(response: httpx.Response, most_bytes: int) -> tuple[bytes, bool]:
    """Return the unpacked body up to a size, and whether there was more."""
    unpacker = _Unpacker(response.headers.get("content-encoding", ""))
    body, received = bytearray(), 0
    async for chunk in response.aiter_raw(_CHUNK):
        received += len(chunk)
        body += unpacker.feed(chunk, most_bytes - len(body) + 1)
        if len(body) > most_bytes:
            return bytes(body[:most_bytes]), True
        if received > most_bytes:  # packed so that nothing comes out of it
            return bytes(body), True
    return bytes(body), False


class _Unpacker:
    """Unpacks a body piece by piece and never further than asked.

    httpx unpacks each piece whole, and 64 KiB of gzip can become 64 MiB.
    """

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding.strip().lower()
        if self._encoding not in {"", "identity", "gzip", "x-gzip", "deflate"}:
            raise ToolError(
                f"The page is packed with {self._encoding[:40]!r}, which was not asked for. Try "
                "another source."
            )
        self._zlib = zlib.decompressobj(16 + zlib.MAX_WBITS) if "gzip" in self._encoding else None

    def feed(self, chunk: bytes, most: int) -> bytes:
        """Return what a piece unpacks to, at most so many bytes of it; call no more after that."""
        if self._encoding in {"", "identity"} or not chunk:
            return chunk[:most]
        if self._zlib is None:  # "deflate" is sent with a header and, against the RFC, without one
            header = chunk[0] & 0x0F == zlib.DEFLATED
            self._zlib = zlib.decompressobj(zlib.MAX_WBITS if header else -zlib.MAX_WBITS)
        try:
            return self._zlib.decompress(chunk, most)
        except zlib.error as error:
            raise ToolError(
                "The page is damaged: it cannot be unpacked. Try another source."
            ) from error


def _status(code: int) -> str:
    """Return a status with its usual name: behind the number a server may write what it likes."""
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)


def _why(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "no connection in time"
    return str(error).strip() or type(error).__name__
