"""Documents: the JSON values of a streamed body, however its server frames them.

Server-sent events as the standard has them, and as they are sent: with a byte order mark, bare
carriage returns, comments, pings, events that no blank line parts, ``data:`` twice, no ``[DONE]``;
or simply one JSON value a line. Checked against vLLM, llama.cpp, LM Studio, OpenRouter and proxies
in their issue threads, 2026-11.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class JsonDocument:
    """One value.

    Args:
        value: as ``json.loads`` gives it; None for the mark of the end.
        event: the event's name; "" when it has none.
        ends: True for ``[DONE]``: the server says that this was all.
    """

    value: Any
    event: str = ""
    ends: bool = False


async def documents(chunks: AsyncIterator[bytes]) -> AsyncGenerator[JsonDocument]:
    """Yield the values of a body as it comes.

    Raises:
        ValueError: one is no JSON, or no UTF-8.
    """
    decoder = DocumentDecoder()
    async for chunk in chunks:
        for document in decoder.feed(chunk):
            yield document
    for document in decoder.finish():
        yield document


def documents_in(body: bytes) -> list[JsonDocument]:
    """Return the values of a whole body.

    Raises:
        ValueError: one is no JSON, or no UTF-8.
    """
    decoder = DocumentDecoder()
    return [*decoder.feed(body), *decoder.finish()]


class DocumentDecoder:
    """Decodes a body that comes in chunks cut anywhere."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[str] = []
        self._event = ""
        self._begun = False

    def feed(self, chunk: bytes) -> Iterator[JsonDocument]:
        """Yield what the next bytes complete."""
        self._rest += chunk
        if not self._begun:
            if _BOM.startswith(self._rest):
                return
            self._rest = self._rest.removeprefix(_BOM)
            self._begun = True
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            yield from self._lines(line)

    def finish(self) -> Iterator[JsonDocument]:
        """Yield what no blank line ended, unless it is only half there."""
        rest, self._rest = self._rest, b""
        try:
            yield from [*self._lines(rest), *self._flush()]
        except ValueError:
            return  # it broke off in the middle

    def _lines(self, line: bytes) -> Iterator[JsonDocument]:
        for part in line.removesuffix(b"\r").split(b"\r"):
            yield from self._line(part.decode())

    def _line(self, line: str) -> Iterator[JsonDocument]:
        if not line.strip():
            yield from self._flush()
            return
        if line[0] in "{[":
            self._data.append(line)
            if _value(self._data) is not None:  # one value a line: nothing parts them
                yield from self._flush()
            return
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            self._event = value.strip()
        elif field == "data":
            if self._data and _value(self._data) is not None:
                yield from self._flush()
            while value.startswith("data:"):
                value = value.removeprefix("data:").lstrip()
            self._data.append(value)

    def _flush(self) -> Iterator[JsonDocument]:
        data, event = "\n".join(self._data).strip().lstrip("\ufeff"), self._event
        self._data, self._event = [], ""
        if not data:
            return
        if data.strip('"').startswith("[DONE]"):
            yield JsonDocument(None, event, ends=True)
        else:
            yield JsonDocument(json.loads(data, strict=False), event)


def _value(lines: list[str]) -> object:
    """Return the JSON object that lines are by themselves; None when they are not whole."""
    text = "\n".join(lines).strip()
    if text.startswith("[DONE]"):
        return text
    if text[:1] != "{" or text[-1:] != "}":
        return None
    try:
        found: object = json.loads(text, strict=False)
    except ValueError:
        return None
    return found
