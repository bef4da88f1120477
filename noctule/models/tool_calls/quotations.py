"""Quotations: a tool call that stands in what a session read is nobody's order.

A file, a page or a message of somebody else may hold a call in any form. A model that repeats it
speaks of it: such a text is neither carried out nor held against the model.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage, ToolMessage

from noctule.models.tool_calls.call_marks import common
from noctule.models.tool_calls.written_calls import WrittenCall
from noctule.models.wire.texts import text_of

IsQuoted = Callable[[str, Sequence[WrittenCall]], bool]
"""Says whether calls are quoted; takes the text they were read from, and them."""

_OURS = ("summary-", "left-out-")
"""How the ids of messages begin that are told in a person's place (``graphs``)."""

_NUMBERED = re.compile(r"^(?:\s*\d+\t|[^\n]{0,300}?:\d+: ?)", re.MULTILINE)
"""What tools put before a line of a file."""

_ESCAPED = re.compile(r"\\(?:u([0-9a-fA-F]{4})|([nrtbf])|([\"'\\/]))")
_END = re.compile(r"[}\])>`]|\n")
_STRUCTURE = re.compile(r"[{}\[\]<>|]|\"\s*:")
_MARKS = re.compile(r"</?[\w|:/.-]+>|\[/?TOOL_CALLS?\]|^\s*functools(?=\[)")
_MOST_ENDS = 20
_NO_WORD = re.compile(r"[\W_]+")
_LEFT_OUT = re.compile(r"\.{3}|\u2026")
_BESIDE = 120
_BESIDE_VALUE = 60
_MOST_PLACES = 200


class Quotations:
    """What a request's messages hold, as far as calls may be quoted from it.

    Args:
        messages: of the request, as nobody has put them into words yet.
    """

    def __init__(self, messages: Sequence[BaseMessage]) -> None:
        self._messages = messages

    def __call__(self, text: str, calls: Sequence[WrittenCall]) -> bool:
        """Return whether calls stand in what was read: word for word, or by name and values.

        White space, escapes, quotation marks and numbers of lines make no difference; nor does what
        is left out (``...``), and prose behind the call.

        Args:
            text: what the calls were read from.
            calls: of it; () asks for the words alone.
        """
        if any(self._holds_words(part) for part in _parts(text, calls)):
            return True
        return bool(calls) and all(any(_holds(raw, call) for raw in self._raw) for call in calls)

    def _holds_words(self, text: str) -> bool:
        pieces = [piece for part in _LEFT_OUT.split(text) if (piece := _plain(part))]
        return bool(pieces) and any(all(p in read for p in pieces) for read in self._plain)

    @cached_property
    def _raw(self) -> list[str]:
        """What others wrote; summaries of ours hold calls that were made."""
        return _forms(
            text_of(message.content)
            for message in self._messages
            if isinstance(message, HumanMessage | ToolMessage)
            and not str(message.id).startswith(_OURS)
        )

    @cached_property
    def _plain(self) -> list[str]:
        said = _forms(
            text_of(message.content)
            for message in self._messages
            if isinstance(message, HumanMessage | ToolMessage)
        )
        return list(dict.fromkeys(map(_plain, said)))


def _forms(texts: Iterable[str]) -> list[str]:
    """Return texts as they stand, without numbers of lines, and without escapes."""
    bare = ((text, _NUMBERED.sub("", text)) for text in texts)
    forms = (form for text, plain in bare for form in (text, plain, unescape(plain)))
    return list(dict.fromkeys(map(common, forms)))


def _parts(text: str, calls: Sequence[WrittenCall]) -> Iterator[str]:
    """Yield a text, without marks around it, and its part before nothing but prose."""
    yield text
    bare = _MARKS.sub("", text)
    if bare != text and all(call.name in bare for call in calls):
        yield from _parts(bare, calls)
    for place in reversed([found.end() for found in _END.finditer(text)][-_MOST_ENDS:]):
        if _STRUCTURE.search(text, place):
            return
        if all(call.name in text[:place] for call in calls):
            yield text[:place]


def never_quoted(text: str, calls: Sequence[WrittenCall]) -> bool:
    """Return False: where nothing was read, nothing is quoted."""
    del text, calls
    return False


def unescape(text: str) -> str:
    """Return a text that stood in JSON as it was before."""
    return _ESCAPED.sub(_unescaped, text)


def _plain(text: str) -> str:
    """Return the letters and digits of a text."""
    return _NO_WORD.sub("", unescape(text)).casefold()


def _unescaped(found: re.Match[str]) -> str:
    code, space, sign = found.groups()
    return chr(int(code, 16)) if code else "\n" if space else sign


def _holds(raw: str, call: WrittenCall) -> bool:
    """Whether a text holds a call of a tool with these values, in whatever form and order."""
    if call.arguments is None or call.name not in raw:
        return False
    values = [plain for value in _leaves(call.arguments) if (plain := _plain(value))]
    beside = _BESIDE + sum(2 * len(value) + _BESIDE_VALUE for value in values)
    named = re.compile(
        rf"(?<![\w]){re.escape(call.name)}(?:\s*\\?[\"'`>({{\[<]|\s*\n\s*Action Input|\uff5c)"
    )
    for count, place in enumerate(named.finditer(raw)):
        near = raw[max(0, place.start() - beside) : place.end() + beside]
        if all(value in _plain(near) for value in values):
            return True
        if count > _MOST_PLACES:
            return False
    return False


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner)
    elif value is not None:
        yield str(value)
