"""Which addresses pages may be read from: public ones, and nothing near this machine.

A page or a model chooses the URL, so it is treated as an attack: the name is resolved here, every
address of it is checked, and the connection goes to a checked address and no other (a name that
resolves differently a moment later changes nothing).
"""

import asyncio
import re
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Protocol

import httpx

from tools.base.tool import ToolError

PORTS = frozenset({80, 443})
"""The ports of http and https."""

_SCHEMES = {"http": 80, "https": 443}
_MOST_URL_CHARS = 4000
_MOST_ADDRESSES = 4
_NAME = re.compile(
    r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_-]{1,63}\.?", re.IGNORECASE
)
_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)\.?", re.IGNORECASE)

# IANA's special-purpose registries, checked 2026-11. Python's ``is_global`` changed between patch
# releases, so the ranges stand here.
_SHUT_V4 = {
    "this machine": ("0.0.0.0/8", "127.0.0.0/8"),
    "a private network": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
    "a carrier's inner network": ("100.64.0.0/10",),
    "the local link, where cloud machines keep their credentials": ("169.254.0.0/16",),
    "a reserved range": (
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "240.0.0.0/4",
    ),
    "a multicast group": ("224.0.0.0/4",),
    "Azure's own services, which answer only from inside": ("168.63.129.16/32",),
}
_SHUT_V6 = {
    # Tunnels and translations carry an IPv4 address inside: 6to4, Teredo and other protocol use.
    "a tunnel or a reserved range": ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
}
_OPEN_V6 = ip_network("2000::/3")
"""The only part of IPv6 that is handed out to the public internet. Everything else is shut: ::1,
unique local, link-local, multicast, IPv4 written as IPv6 (::ffff:0:0/96), NAT64 (64:ff9b::)."""

_SHUT_NAMES = ("localhost", "local", "internal", "home.arpa", "lan", "intranet", "corp", "home")
"""Last labels of names that no public site has; a resolver near by may say anything of them."""

_CARRIED = tuple(map(ip_network, ("169.254.0.0/16", "168.63.129.16/32")))
"""What is shut in the last 32 bits of IPv6 too, where translations of any prefix carry IPv4."""

_ISATAP = 0x5EFE
_NEAR_BITS = 64
"""How much of an IPv6 address this machine shares with what is behind the same router."""

_ANYWHERE = ("192.0.2.1", "2001:db8::1")
"""Where nothing is ever sent: only which address of this machine would be used is asked."""

_RANGES = [
    (ip_network(text), meaning)
    for shut in (_SHUT_V4, _SHUT_V6)
    for meaning, texts in shut.items()
    for text in texts
]


_ONLY_PUBLIC = "only public web pages may be read. Do not try other spellings of it."


class Resolver(Protocol):
    """Who turns names into addresses."""

    async def addresses(self, host: str) -> Sequence[str]:
        """Return every address of a name, the best first.

        Raises:
            OSError: it has none, or nobody answered.
        """
        ...


class SystemResolver:
    """The machine's own resolver."""

    async def addresses(self, host: str) -> Sequence[str]:
        """Return every address of a name, the best first.

        Raises:
            OSError: it has none, or nobody answered.
        """
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class AddressPolicy:
    """Decides what may be connected to.

    Args:
        ports: those that may be used.
        resolver: None means the machine's own.
        own: names that are the owner's to give away, with the address each stands for; neither
            resolved nor checked. Like a hosts file; none by default.
    """

    def __init__(
        self,
        *,
        ports: frozenset[int] = PORTS,
        resolver: Resolver | None = None,
        own: Mapping[str, str] | None = None,
    ) -> None:
        self._ports = ports
        self._resolver = resolver or SystemResolver()
        self._own = dict(own or {})

    async def addresses(self, url: httpx.URL) -> tuple[str, ...]:
        """Return the checked addresses of a URL, at most four, the best first.

        Raises:
            ToolError: it may not be read, or its name does not exist.
        """
        host = self._check_form(url)
        if host in self._own:
            return (self._own[host],)
        literal = _literal(host)
        if literal is None and _is_private(host):
            raise ToolError(f"{host!r} is a name of a private network; {_ONLY_PUBLIC}")
        if literal is not None:
            found: Sequence[str] = [host]
        else:
            try:
                found = await self._resolver.addresses(host)
            except (OSError, UnicodeError) as error:
                raise ToolError(
                    f"The name {host!r} could not be resolved. Check the spelling, or search for "
                    "the page."
                ) from error
        for address in found:
            meaning = shut_because(address)
            if meaning is not None:
                named = "" if literal is not None else f", which {host!r} resolves to,"
                raise ToolError(f"{address}{named} belongs to {meaning}; {_ONLY_PUBLIC}")
        if not found:
            raise ToolError(f"The name {host!r} has no address. Check the spelling.")
        return tuple(found[:_MOST_ADDRESSES])

    def _check_form(self, url: httpx.URL) -> str:
        """Return the host of a URL whose form is in order."""
        if url.scheme not in _SCHEMES:
            raise ToolError(
                f"Only http and https can be read, not {url.scheme or 'an address without one'!r}. "
                "Give a whole URL like https://example.org/page."
            )
        if url.userinfo:
            raise ToolError("The URL holds a name or password; leave it out.")
        port = url.port or _SCHEMES[url.scheme]
        if port not in self._ports:
            allowed = ", ".join(str(port) for port in sorted(self._ports))
            raise ToolError(f"Port {port} is not read from; only {allowed}.")
        host = url.raw_host.decode("ascii").lower().rstrip(".")
        if _literal(host) is None and not _is_name(host):
            raise ToolError(f"{host!r} is no host name. Give a whole URL with a name.")
        return host


def parse_url(text: str) -> httpx.URL:
    """Read a URL as somebody wrote it, without its fragment.

    Raises:
        ToolError: it is none.
    """
    stripped = text.strip()
    if len(stripped) > _MOST_URL_CHARS:
        raise ToolError(f"The URL is longer than {_MOST_URL_CHARS} characters.")
    try:
        return httpx.URL(stripped).copy_with(fragment=None)
    except (httpx.InvalidURL, ValueError) as error:
        raise ToolError(f"That is no URL: {error}. Give one like https://example.org/.") from error


def shut_because(address: str) -> str | None:
    """Return what an address belongs to when it may not be read from; None when it may.

    Args:
        address: IPv4 or IPv6 in its usual form; anything else counts as shut.
    """
    literal = _literal(address)
    if literal is None:
        return "nothing that can be checked"
    if isinstance(literal, IPv6Address) and literal not in _OPEN_V6:
        return "this machine, a private network or a reserved range"
    for network, meaning in _RANGES:
        if literal.version == network.version and literal in network:
            return meaning
    if isinstance(literal, IPv6Address) and (carried := _carried(literal)) is not None:
        return f"{carried}, written as IPv6"
    return "this machine or its neighbours" if _is_near(literal) else None


def _carried(address: IPv6Address) -> str | None:
    """Return what an IPv4 address belongs to that an IPv6 one plainly carries; None: nothing."""
    inner = IPv4Address(int(address) & 0xFFFFFFFF)
    if (int(address) >> 32) & 0xFDFFFFFF == _ISATAP:
        return shut_because(str(inner))
    return shut_because(str(inner)) if any(inner in network for network in _CARRIED) else None


def _is_near(address: IPv4Address | IPv6Address) -> bool:
    """Whether a public address is this machine's own, or behind its router."""
    own = own_addresses()
    if isinstance(address, IPv4Address):
        return address in own
    return any(
        (int(address) ^ int(one)) >> (128 - _NEAR_BITS) == 0
        for one in own
        if isinstance(one, IPv6Address)
    )


def own_addresses() -> list[IPv4Address | IPv6Address]:
    """Return the addresses by which this machine reaches others; [] where it reaches none."""
    found: list[IPv4Address | IPv6Address] = []
    for family, anywhere in zip((socket.AF_INET, socket.AF_INET6), _ANYWHERE, strict=True):
        with suppress(OSError, ValueError), socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect((anywhere, 9))  # sends nothing
            found.append(ip_address(asking.getsockname()[0]))
    return found


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(host)
    except ValueError:
        return None
    return None if isinstance(found, IPv6Address) and found.scope_id else found


def _is_private(host: str) -> bool:
    """Whether a name is of the kind that only private networks have."""
    return any(host == name or host.endswith(f".{name}") for name in _SHUT_NAMES)


def _is_name(host: str) -> bool:
    """Whether a host is a name; numbers in disguise (2130706433, 0x7f.1, 0177.0.0.1) are not."""
    return bool(_NAME.fullmatch(host)) and not _NUMBER.fullmatch(host.rsplit(".", 1)[-1])
