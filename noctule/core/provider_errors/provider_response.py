"""A provider's answer as it came over the wire, and what can be picked out of its body."""

import ast
import json
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from urllib.parse import urlsplit

_LONGEST_BODY = 1_000_000
_HTTP_ERRORS = range(400, 600)
_MOST_NODES = 2_000
_MOST_NESTING = 3
_TEXT_LENGTH = 8_000
_PAGE_LENGTH = 8_000
_LONGEST_CODE = 100
_LONGEST_NAME = 200
_LONGEST_LITERAL = 8_000
_DEEPEST_MESSAGE = 12
_MOST_VALUES = 20
_OBJECT = re.compile(r"\{\s*[\"'].*\}", re.DOTALL)
_TAG = re.compile(r"<(script|style|head)\b.*?</\1>|<[^<>]*>", re.DOTALL | re.IGNORECASE)
_CODE_KEYS = frozenset(
    [
        "code",
        "type",
        "__type",
        "error_type",
        "error_code",
        "error",
        "limit_source",
        "status",
        "status_code",
        "reason",
    ]
)
_MESSAGE_KEYS = (
    "error",
    "message",
    "detail",
    "error_description",
    "msg",
    "status_msg",
    "details",
    "errors",
    "base_resp",
    "response",
    "header",
)


@dataclass(frozen=True)
class ProviderResponse:
    """What a provider answered, before anybody judged it.

    Args:
        status: the HTTP status; None when the answer came without one of its own (an error
            inside a stream).
        headers: names in any case; empty when the client library dropped them.
        body: the text as it came; "" when there was none.
        url: where the request went, which tells the zone of times without one; "" when nobody
            knows.
    """

    status: int | None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    url: str = ""

    def header(self, name: str) -> str | None:
        """Return a header's value without surrounding space; None when it is absent."""
        return self.lower_headers.get(name.lower())

    @cached_property
    def lower_headers(self) -> dict[str, str]:
        """The headers by lower-case name."""
        return {str(name).lower(): str(value).strip() for name, value in self.headers.items()}

    @cached_property
    def json(self) -> object:
        """The parsed body; None when it is not JSON."""
        return _parse(self.body)

    @cached_property
    def codes(self) -> frozenset[str]:
        """Every word and number, in lower case, that stands where providers put error codes."""
        words = (
            str(value).strip().lower()
            for key, value in self.leaves
            if key in _CODE_KEYS and isinstance(value, str | int) and not isinstance(value, bool)
        )
        amazon = (self.header("x-amzn-errortype") or "").partition(":")[0].lower()
        return frozenset(word for word in (*words, amazon) if 0 < len(word) <= _LONGEST_CODE)

    @cached_property
    def host(self) -> str:
        """The host that was asked, in lower case; "" when nobody knows."""
        try:
            return urlsplit(self.url).hostname or ""
        except ValueError:
            return ""

    @cached_property
    def effective_status(self) -> int | None:
        """The status that counts: a number in the body where HTTP said 200 or nothing."""
        if self.status is not None and self.status >= 300:  # noqa: PLR2004 - success is below
            return self.status
        numbers = (_number(v) for k, v in self.leaves if k in {"code", "status_code", "status"})
        return next((n for n in numbers if n in _HTTP_ERRORS), None)

    def values(self, key: str) -> list[object]:
        """Return everything the body holds under a key, at any depth."""
        return [value for name, value in self.leaves if name == key.lower()]

    @cached_property
    def words(self) -> str:
        """What the provider said to a person: its message, else the text of the body."""
        if self.json is None:
            return " ".join(_TAG.sub(" ", self.body[:_PAGE_LENGTH]).split())
        found = _message(self.json)
        raw = next((v for v in self.values("raw") if isinstance(v, str)), None)
        if raw and raw not in found:  # OpenRouter: "Provider returned error" and the reason in raw
            nested = _parse(raw)
            found = f"{found}: {_message(nested) if nested is not None else raw}".lstrip(": ")
        return " ".join((found or self.body)[:_TEXT_LENGTH].split())

    @cached_property
    def leaves(self) -> list[tuple[str, object]]:
        """Every (name in lower case, value) of the body, nearest to the top first."""
        return [(name.lower(), value) for scope in self.scopes for name, value in scope.items()]

    @cached_property
    def scopes(self) -> list[dict[str, object]]:
        """Every object in the body, nearest to the top first, names as they came.

        A string that is or ends in an error body (gateways hand on the upstream's as one) is
        opened too.
        """
        root = self.json if self.json is not None else _embedded(self.body)
        return list(_walk(root))


def _number(value: object) -> int | None:
    if isinstance(value, str) and len(value) == 3 and value.isdecimal():  # noqa: PLR2004 - as statuses are
        return int(value)
    return value if isinstance(value, int) else None


def _parse(text: str) -> object:
    stripped = text.strip()
    if len(stripped) > _LONGEST_BODY:
        return None
    try:
        return json.loads(stripped)
    except (ValueError, RecursionError):
        return None


def _embedded(text: str) -> object:
    """Return the error body inside a sentence ("OpenrouterException - {...}"); None without one.

    The SDKs write it as a Python literal, gateways as JSON.
    """
    found = _OBJECT.search(text[:_TEXT_LENGTH])
    if found is None:
        return None
    parsed = _parse(found[0])
    if parsed is not None:
        return parsed
    if "{'" not in found[0] or len(found[0]) > _LONGEST_LITERAL:
        return _first_of_several(found[0])
    try:
        return ast.literal_eval(found[0])
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return _first_of_several(found[0])


def _first_of_several(text: str) -> object:
    """Return the error among JSON values with words between (events, lines); else the first."""
    decoder, at, values = json.JSONDecoder(), 0, []
    for _ in range(_MOST_VALUES):
        if (at := text.find("{", at)) < 0:
            break
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at += 1
            continue
        values.append(value)
    return next((one for one in values if "error" in one), next(iter(values), None))


def _opened(text: str) -> object:
    whole = _parse(text) if text.lstrip()[:1] in {"{", "["} else None
    return _embedded(text) if whole is None else whole


def _walk(root: object) -> Iterator[dict[str, object]]:
    queue: deque[tuple[object, int]] = deque([(root, 0)])
    for _ in range(_MOST_NODES):
        if not queue:
            return
        node, nesting = queue.popleft()
        named = node.items() if isinstance(node, dict) else ()
        scope = {str(key)[:_LONGEST_NAME]: value for key, value in named}
        if scope:
            yield scope
        children = node if isinstance(node, list) else list(scope.values())
        for child in islice(children, _MOST_NODES):
            if isinstance(child, dict | list):
                queue.append((child, nesting))
            elif isinstance(child, str) and nesting < _MOST_NESTING and "{" in child:
                queue.append((_opened(child), nesting + 1))


def _message(node: object, depth: int = 0) -> str:
    """Return the sentence of an error body; "" when it has none.

    A sentence that is itself an error body (Gemini behind a gateway) is opened.
    """
    if depth > _DEEPEST_MESSAGE:
        return ""
    if isinstance(node, str):
        opened = _parse(node) if node.lstrip()[:1] in {"{", "["} else None
        return (_message(opened, depth + 1) if opened is not None else "") or node
    if isinstance(node, list):
        return next((text for item in node[:10] if (text := _message(item, depth + 1))), "")
    if isinstance(node, dict):
        named = {str(key).lower(): value for key, value in node.items()}
        for key in _MESSAGE_KEYS:
            if text := _message(named.get(key), depth + 1):
                return text
    return ""
