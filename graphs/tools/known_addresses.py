"""Known addresses: those a session has from its person, from results and from pages it read.

Whoever fetches one of them says nothing by it but that they chose it. One that a model made, or
changed, may carry what it has read.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin

import httpx
from langchain_core.messages import AnyMessage, ToolMessage

from noctule.core.tools.outside_text import own_words
from tools.base.tool import ToolError
from tools.web.addresses import parse_url

_WEB = frozenset({"fetch", "web_search"})
_ADDRESS = re.compile(r"https?://[^\s<>\"'`\\^{}|]+", re.IGNORECASE)
_LINK = re.compile(r"\]\(\s*<?([^\s<>)]+)")
_PAGE = re.compile(r"^URL: (\S+)$", re.MULTILINE)
_BARE = re.compile(
    r"(?<![\w@./-])((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24})\b(?![(\[])",
    re.IGNORECASE,
)
"""A host without a scheme; ``asyncio.run(`` is code."""
_ENDINGS = ".,;:!?*_)]"
_FILE_ENDINGS = frozenset({
    "ac", "am", "bat", "bz", "cab", "cc", "cfg", "css", "csv", "do", "dot", "go", "gz", "in",
    "ini", "java", "js", "json", "la", "lock", "log", "map", "md", "mk", "ml", "mm", "mo",
    "mov", "mp", "nu", "pdf", "php", "pl", "pm", "png", "properties", "ps", "pub", "py", "rb",
    "rs", "sh", "so", "sql", "st", "sv", "tar", "tf", "toml", "ts", "txt", "vb", "xml", "yaml",
    "yml", "zip",
})  # fmt: skip
"""Last labels under which a word like ``setup.py`` is a file and no host."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a session may fetch without saying anything by it.

    Args:
        addresses: whole ones, as ``plain`` writes them.
        hosts: names of the person, with everything below them.
    """

    addresses: frozenset[str]
    hosts: frozenset[str]

    def has(self, url: str) -> bool:
        """Whether an address is one of them, or a folder above one."""
        address, host = plain(url), host_of(url)
        if address is None or host is None:
            return False
        if any(host == named or host.endswith(f".{named}") for named in self.hosts):
            return True
        if address in self.addresses:
            return True
        return "?" not in address and any(
            known.startswith(f"{address.rstrip('/')}/") for known in self.addresses
        )


def known_addresses(
    said: Iterable[str], messages: Sequence[AnyMessage], tools: Collection[str] = ()
) -> Known:
    """Return the addresses a session knows.

    Args:
        said: what the person wrote; what they passed on or replied to does not count.
        messages: of the loop, with results of searches and pages.
        tools: names of tools besides those of the web whose results count.
    """
    words = [own_words(text) for text in said]
    named = {host for text in words for host in _hosts_in(text)}
    shown = [
        address
        for message in messages
        if isinstance(message, ToolMessage)
        and message.name in {*_WEB, *tools}
        and message.status != "error"
        for address in _addresses_in(message.text)
    ]
    return Known(frozenset(filter(None, map(plain, shown))), frozenset(named))


def plain(url: str) -> str | None:
    """Return an address as it is compared: without its scheme and fragment; None: it is none."""
    parsed = _parsed(url)
    if parsed is None:
        return None
    port = "" if parsed.port is None else f":{parsed.port}"
    return f"{_host(parsed)}{port}{parsed.raw_path.decode('ascii', 'replace')}"


def host_of(url: str) -> str | None:
    """Return the name of an address's host, in lower case; None when it has none."""
    parsed = _parsed(url)
    return None if parsed is None else _host(parsed)


def addresses_in(text: str) -> list[str]:
    """Return everything in a text that is an address, as it stands there."""
    return [found.rstrip(_ENDINGS) for found in _ADDRESS.findall(text)]


def _parsed(url: str) -> httpx.URL | None:
    try:
        parsed = parse_url(url)
    except (ToolError, httpx.InvalidURL):
        return None
    return parsed if parsed.scheme in {"http", "https"} and parsed.host else None


def _host(url: httpx.URL) -> str:
    return url.raw_host.decode("ascii", "replace").lower().rstrip(".").removeprefix("www.")


def _addresses_in(page: str) -> Iterator[str]:
    found = _PAGE.search(page)
    if found is not None:
        yield from (urljoin(found[1], link) for link in _LINK.findall(page))
    for address in _ADDRESS.findall(page):
        yield from {address, address.rstrip(_ENDINGS), address.partition(")")[0]}


def _hosts_in(text: str) -> Iterator[str]:
    for address in addresses_in(text):
        host = host_of(address)
        if host is not None:
            yield host
    for host in _BARE.findall(_ADDRESS.sub(" ", text)):
        if host.rpartition(".")[2].lower() not in _FILE_ENDINGS:
            yield host.lower().removeprefix("www.")
