"""What a page says, as text a model can read."""

import re
from dataclasses import dataclass

from tools.base.tool import ToolError
from tools.web.http_fetcher import Page

_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_TEXT_TYPES = frozenset(
    {
        "application/json",
        "application/javascript",
        "application/toml",
        "application/x-ndjson",
        "application/x-sh",
        "application/x-yaml",
        "application/xml",
        "application/yaml",
    }
)
_TEXT_SUFFIXES = ("+json", "+xml", "+yaml")
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset=[\"']?\s*([\w:.-]{1,40})", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]{0,200}\?>")
_META_BYTES = 4096
_MOST_TAGS = 60_000
"""Pages with more tags are read as plain text: finding the article in them takes 10 s and more
(measured with trafilatura 2.3 on pages of 1 to 5 MB that hold nothing but tags)."""


@dataclass(frozen=True, slots=True)
class Readable:
    """What a page says.

    Args:
        text: Markdown for HTML, else as it came.
        title: None when it has none.
        date: when it says it was written or changed, as ``2026-11-22``; None when it does not.
    """

    text: str
    title: str | None = None
    date: str | None = None


def readable(page: Page) -> Readable:
    """Return what a page says. Takes up to seconds: call it in a thread.

    Raises:
        ToolError: it is no text, or nothing in it can be read.
    """
    kind = page.content_type or _sniffed(page.body)
    if kind in _HTML_TYPES:
        return _article(page)
    if kind.startswith("text/") or kind in _TEXT_TYPES or kind.endswith(_TEXT_SUFFIXES):
        text = _decoded(page)
        if not text.strip():
            raise ToolError(f"{page.url} is empty. Try another source.")
        return Readable(text)
    size = f"more than {len(page.body):,}" if page.cut else f"{len(page.body):,}"
    raise ToolError(
        f"{page.url} is no text but {kind} ({size} bytes), which cannot be read here. Look for a "
        "page that says the same."
    )


def _article(page: Page) -> Readable:
    from trafilatura import bare_extraction, html2txt  # noqa: PLC0415 - 0.3 s, only for web pages

    html = _XML_DECLARATION.sub("", _decoded(page), count=1)
    found = (
        None
        if html.count("<") > _MOST_TAGS
        else bare_extraction(
            html,
            url=page.url,
            include_comments=False,
            include_formatting=True,
            include_links=True,
            include_tables=True,
            with_metadata=True,
            date_extraction_params={"extensive_search": False, "original_date": False},
        )
    )
    title = date = None
    text = ""
    if found is not None and not isinstance(found, dict):
        text, title, date = found.text or "", found.title, found.date
    if not text.strip():
        text = html2txt(html)
    if not text.strip():
        raise ToolError(
            f"{page.url} has no readable text; it may be drawn by a script. Try another source."
        )
    return Readable(text.strip(), title, date)


def _decoded(page: Page) -> str:
    declared = page.charset or _meta_charset(page)
    for charset in (declared, "utf-8"):
        if charset is None:
            continue
        try:
            return page.body.decode(charset)
        except (LookupError, UnicodeDecodeError):
            continue
    return page.body.decode(_lenient(declared), errors="replace")


def _meta_charset(page: Page) -> str | None:
    found = _META_CHARSET.search(page.body[:_META_BYTES])
    return found[1].decode("ascii") if found else None


def _lenient(charset: str | None) -> str:
    try:
        "".encode(charset or "utf-8")
    except LookupError:
        return "utf-8"
    return charset or "utf-8"


def _sniffed(body: bytes) -> str:
    """Return what a body without a type looks like."""
    head = body[:1024]
    if b"\0" in head:
        return "application/octet-stream"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return "text/html" if start.startswith((b"<!doctype html", b"<html")) else "text/plain"
