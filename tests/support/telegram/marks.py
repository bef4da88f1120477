"""Text under construction: what was written and which parts of it are formatted how."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.telegram.messages import Entities
from tests.support.telegram.refusals import Refusal, bad_request

_HOST = re.compile(r"[\w-]+(\.[\w-]+)+", re.ASCII)


def units(text: str) -> int:
    """Return the length in UTF-16 code units, in which Telegram counts."""
    return len(text.encode("utf-16-le")) // 2


def unparsable(why: str) -> Refusal:
    """Return the refusal of markup that is broken."""
    return bad_request(f"can't parse entities: {why}")


def byte_offset(source: str, position: int) -> int:
    """Return where something is in UTF-8, which is what complaints about markup say."""
    return len(source[:position].encode())


class MarkedText:
    """Collects text and its entities."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self.offset = 0
        self.entities: Entities = []

    @property
    def text(self) -> str:
        """What was added."""
        return "".join(self._pieces)

    def add(self, piece: str) -> None:
        """Add text."""
        self._pieces.append(piece)
        self.offset += units(piece)

    def since(self, start: int) -> str:
        """Return the text from an offset on."""
        return self.text.encode("utf-16-le")[2 * start :].decode("utf-16-le")

    def mark(self, kind: str, start: int, **more: Any) -> None:
        """Format what was added since an offset; nothing was added, nothing is formatted."""
        if self.offset > start:
            entity = {"type": kind, "offset": start, "length": self.offset - start}
            self.entities.append(entity | {k: v for k, v in more.items() if v})

    def link(self, start: int, url: str) -> None:
        """Make a link of what was added since an offset; what is no URL makes none."""
        parts = urlsplit(url)
        user = parse_qs(parts.query).get("id", [""])[0]
        if parts.scheme == "tg" and parts.netloc == "user" and user.isdigit():
            person = {"id": int(user), "is_bot": False, "first_name": self.since(start)}
            self.mark("text_mention", start, user=person)
        elif checked := checked_url(url):
            self.mark("text_link", start, url=checked)


def checked_url(url: str) -> str:
    """Return a URL as Telegram keeps it; "" when it is none."""
    parts = urlsplit(url.strip())
    if parts.scheme in {"tg", "ton", "tonsite", "mailto", "tel"}:
        return url
    if not parts.scheme:
        return checked_url(f"http://{url}") if _HOST.match(url) else ""
    if parts.scheme not in {"http", "https", "ftp"} or not _HOST.fullmatch(parts.hostname or ""):
        return ""
    return url if parts.path or parts.query or parts.fragment else f"{url}/"
