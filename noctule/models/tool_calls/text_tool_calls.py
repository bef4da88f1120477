"""Imitations: answers in which a model writes a tool call instead of making it.

Known habits: bare and fenced JSON (qwen2.5-coder), ``<tool_call>`` (Qwen, Hermes), ``<tools>``,
``<function=name>`` (Llama, Qwen-Coder), ``<invoke name=...>`` (Claude's older form),
``[TOOL_CALLS]`` (Mistral), ``<|python_tag|>`` (Llama 3), ``<|tool_call_start|>`` (LFM2),
DeepSeek's and Harmony's markers, ``tool_code`` (Gemma), ``Action:`` (ReAct), and the families that
:mod:`noctule.models.tool_calls.call_marks` brings to these. Seen in the templates of llama.cpp and
in issue threads of Ollama and vLLM, checked 2026-11.

JSON in the middle of an answer is an illustration; at its beginning or end, naming a tool that was
offered, it is a call.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from noctule.models.base.arguments import misfit
from noctule.models.tool_calls.call_marks import common
from noctule.models.tool_calls.quotations import IsQuoted, never_quoted
from noctule.models.tool_calls.written_calls import (
    ARGUMENT_KEYS,
    NAME_KEYS,
    WrittenCall,
    arguments_in,
    calls_in,
    parameters_in,
)

TAGS = (
    "tool_call",
    "tool_calls",
    "toolcall",
    "tools",
    "tool",
    "function_call",
    "function_calls",
    "functioncall",
    "|tool_call|",
    "|tool_call_start|",
    "|tool_calls_section_begin|",
)
MARKERS = ("[TOOL_CALLS]", "[TOOL_CALL]", "<|python_tag|>")
FENCES = frozenset({"", "json", "jsonc", "xml", "tool_call", "tool_calls", "tool_code", "python"})

_ANY_TAG = "|".join(re.escape(tag) for tag in TAGS)
_TAGGED = re.compile(
    rf"<(?P<tag>{_ANY_TAG})>(?P<body>.*?)"
    rf"(?:</(?:{_ANY_TAG})>|<\|/tool_call\|>|<\|tool_call_end\|>|<\|tool_calls_section_end\|>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_FUNCTION = re.compile(
    r"<function=(?P<name>[\w.\-]+)>?(?P<body>.*?)(?:</function>|\Z)", re.DOTALL | re.IGNORECASE
)
_INVOKE = re.compile(
    r"<invoke\s+name=\"(?P<name>[\w.\-]+)\">(?P<body>.*?)(?:</invoke>|(?=</?tool_call>)|\Z)",
    re.DOTALL,
)
_MARKED = re.compile(r"(?:\[TOOL_CALLS?\]|<\|python_tag\|>)(?P<body>.*)\Z", re.DOTALL)
_NAMED_FIRST = re.compile(
    r"\A\s*(?P<name>[\w.\-]+)\s*(?:\[ARGS\]|\[CALL_ID\]\w+\[ARGS\])?\s*(?P<body>\{.*)", re.DOTALL
)
_DEEPSEEK = re.compile(
    r"<\uff5ctool\u2581call\u2581begin\uff5c>(?:function)?(?:<\uff5ctool\u2581sep\uff5c>)?"
    r"(?P<name>[\w.\-]+)(?:<\uff5ctool\u2581sep\uff5c>)?\s*(?:```json)?(?P<body>.*?)(?:```)?\s*"
    r"(?:<\uff5ctool\u2581call\u2581end\uff5c>|\Z)",
    re.DOTALL,
)
_HARMONY = re.compile(
    r"(?:<\|start\|>assistant)?(?:<\|channel\|>)?\s*(?:commentary|analysis)?\s*"
    r"to=functions\.(?P<name>[\w.\-]+).*?<\|message\|>(?P<body>.*?)(?:<\|call\|>|\Z)",
    re.DOTALL,
)
_REACT = re.compile(
    r"^\s*Action:\s*(?P<name>[\w.\-]+)\s*\n\s*Action Input:\s*(?P<body>.*?)(?=^\s*Observation:|\Z)",
    re.DOTALL | re.MULTILINE,
)
_ELEMENT = re.compile(
    r"<(?P<name>[\w.\-]+)>\s*(?P<body>(?:<(?P<key>[\w\-]+)>[^<]*</(?P=key)>\s*){1,20})</(?P=name)>"
)
_CHILD = re.compile(r"<([\w\-]+)>\s*([^<]*?)\s*</\1>")
_NAMED = rf'"(?:{"|".join(NAME_KEYS)})"\s*:\s*"([\w.\-]{{1,80}})"'
_ARGUED = rf'"(?:{"|".join(ARGUMENT_KEYS)})"\s*:\s*[{{"]'
_STRAY = re.compile(
    rf"(?:<(?:{_ANY_TAG})>|\[TOOL_CALLS?\]|<\|python_tag\|>)[^\w]*(?:{_NAMED}|([\w.\-]+)\[ARGS\])"
    rf"|(?:<(?:{_ANY_TAG})>\s*){{0,2}}<function=([\w.\-]+)>"
    rf"|(?:<(?:{_ANY_TAG})>\s*){{0,2}}<invoke\s+name=\"([\w.\-]+)\">"
    r"|(?:<\|start\|>assistant)?(?:<\|channel\|>)?\s*(?:commentary|analysis)?\s*"
    r"to=functions\.([\w.\-]+)"
    rf"|\{{\s*{_NAMED}\s*,\s*{_ARGUED}",
    re.IGNORECASE,
)
_LINE_OF_JSON = re.compile(r"^[ \t]*[{\[]", re.MULTILINE)
_STARTS = 5
_FENCE = re.compile(r"```(?P<lang>[\w+\-]*)[ \t]*\n?(?P<body>.*?)(?:```|\Z)", re.DOTALL)
_FENCE_MARK = re.compile(r"^ {0,3}(?:```|~~~)", re.MULTILINE)
_LEFTOVERS = re.compile(
    r"</?(?:s|tool_calls?|function_calls?|function|invoke|tools|tool_response|xml)>|<\|(?:im_end|eot_id|eom_id|end|"
    r"endoftext|tool_call_end|/tool_call)\|>|"
    r"<\uff5ctool\u2581calls?\u2581(?:begin|end)\uff5c>",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Imitation:
    """A tool call, or several, written as text.

    Args:
        calls: what was written; never empty.
        alone: True when nothing else was said.
    """

    calls: tuple[WrittenCall, ...]
    alone: bool

    @property
    def names(self) -> str:
        """The tools it names, for people."""
        return " and ".join(dict.fromkeys(call.name for call in self.calls))

    def is_clear(self, schemas: Mapping[str, Mapping[str, Any]]) -> bool:
        """Whether it can only mean one thing: JSON alone, with arguments that fit.

        Args:
            schemas: the JSON schemas of the tools by name.
        """
        return self.alone and all(
            call.as_json
            and call.arguments is not None
            and call.name in schemas
            and misfit(schemas[call.name], call.arguments) is None
            for call in self.calls
        )


def find_imitation(
    text: str, offered: Collection[str], quoted: IsQuoted = never_quoted
) -> Imitation | None:
    """Return the tool call that a text is; None when it is an answer.

    Args:
        text: the whole answer, thinking left out.
        offered: the names of the tools that were offered; none of anything else is a call.
        quoted: knows what stands in what was read; that is passed over.
    """
    said = _unfenced(common(text.strip()))
    if not said or not any(name in said for name in offered):
        return None
    passed = _Passed(said, quoted)
    for form in (_marked, _at_the_edge, _whole):
        calls, spans = form(said, offered, passed)
        if calls:
            return Imitation(tuple(calls), alone=_is_alone(said, spans))
    return None


def stray_name(text: str, quoted: IsQuoted = never_quoted) -> str | None:
    """Return the tool that an answer calls though nobody has it; None for an answer.

    Only where a template's marks, or nothing but the call itself, leave no other meaning. Fenced
    it is shown to somebody.
    """
    said = common(text.strip())
    found = _STRAY.match(said)
    if found is None:
        return None
    name = next(group for group in found.groups() if group)
    imitation = find_imitation(said, (name,), quoted)
    return name if imitation is not None and imitation.alone else None


def _unfenced(text: str) -> str:
    """Take the fence off an answer that is one fenced block."""
    fence = _FENCE.fullmatch(text)
    if fence is None or fence["lang"].lower() not in FENCES or "```" in fence["body"]:
        return text
    return fence["body"].strip()


class _Passed:
    """What is passed over in an answer because it is quoted.

    Args:
        text: the answer.
        quoted: knows what stands in what was read.
    """

    def __init__(self, text: str, quoted: IsQuoted) -> None:
        self._text = text
        self._quoted = quoted
        self._spans: list[tuple[int, int]] = []

    def over(self, calls: Sequence[WrittenCall], span: tuple[int, int]) -> bool:
        """Return whether calls are passed over: quoted, or what is left of such without sense.

        Args:
            calls: that were read.
            span: where they stand.
        """
        start, end = span
        if all(call.arguments is None for call in calls) and any(
            start < other_end and other_start < end for other_start, other_end in self._spans
        ):
            return True
        if not self._quoted(self._text[start:end], calls):
            return False
        self._spans.append(span)
        return True


_Found = tuple[list[WrittenCall], list[tuple[int, int]]]


def _marked(text: str, offered: Collection[str], passed: _Passed) -> _Found:
    """Find calls between the marks of some template, wherever they stand."""
    readers: tuple[_Reader, ...] = (*_BY_NAME, _by_tag, _by_marker, _by_element)
    for reader in readers:
        calls: list[WrittenCall] = []
        spans: list[tuple[int, int]] = []
        for found, span in reader(text, offered):
            if found and not _is_shown(text, span[0]) and not passed.over([*found], span):
                calls += found
                spans.append(span)
        if calls:
            return calls, spans
    return [], []


_Piece = tuple[Collection[WrittenCall], tuple[int, int]]


def _by_name(pattern: re.Pattern[str], text: str, offered: Collection[str]) -> Iterator[_Piece]:
    """Yield a form whose marks hold the name and whose body holds the arguments."""
    for match in pattern.finditer(text):
        if match["name"] in offered:
            yield [_named_call(match["name"], match["body"])], match.span()


def _by_tag(text: str, offered: Collection[str]) -> Iterator[_Piece]:
    for match in _TAGGED.finditer(text):
        fenced = _FENCE.search(match["body"])
        body = fenced["body"] if fenced else match["body"]
        found: Collection[WrittenCall] = calls_in(body, offered)
        if not found:
            named = _NAMED_FIRST.match(body)
            if named and named["name"] in offered:
                found = [_named_call(named["name"], named["body"])]
        yield found, match.span()


def _by_element(text: str, offered: Collection[str]) -> Iterator[_Piece]:
    """Read an answer that is nothing but an element named like a tool, as Cline's prompt has it."""
    match = _ELEMENT.fullmatch(text)
    if match is not None and match["name"] in offered:
        call = WrittenCall(match["name"], dict(_CHILD.findall(match["body"])), as_json=False)
        yield [call], match.span()


def _is_shown(text: str, at: int) -> bool:
    """Whether what stands at a place is shown to a reader: as code, with an answer around it."""
    before = text[:at]
    if len(_FENCE_MARK.findall(before)) % 2:
        closed = _FENCE_MARK.search(text, at)
        return closed is not None and bool(text[closed.end() :].strip())
    return before.rpartition("\n")[2].replace("```", "").count("`") % 2 == 1


def _by_marker(text: str, offered: Collection[str]) -> Iterator[_Piece]:
    match = _MARKED.search(text)
    if match is None:
        return
    body = _LEFTOVERS.sub("", match["body"])
    found: Collection[WrittenCall] = calls_in(body, offered)
    named = _NAMED_FIRST.match(body)
    if not found and named and named["name"] in offered:
        found = [_named_call(named["name"], named["body"])]
    yield found, match.span()


_Reader = Callable[[str, Collection[str]], Iterator[_Piece]]

_BY_NAME: tuple[_Reader, ...] = tuple(
    partial(_by_name, pattern) for pattern in (_FUNCTION, _INVOKE, _DEEPSEEK, _HARMONY, _REACT)
)


def _at_the_edge(text: str, offered: Collection[str], passed: _Passed) -> _Found:
    """Find fenced calls, or bare JSON, at the beginning or the end of an answer."""
    for match in _FENCE.finditer(text):
        at_edge = not text[: match.start()].strip() or not text[match.end() :].strip()
        if at_edge and match["lang"].lower() in FENCES:
            calls = calls_in(match["body"], offered)
            if calls and not passed.over(calls, match.span("body")):
                return list(calls), [match.span()]
    for start, end in _bare(text):
        calls = calls_in(text[start:end], offered, spoilt=start == 0)
        if calls and not passed.over(calls, (start, end)):
            return list(calls), [(start, end)]
    return [], []


def _bare(text: str) -> Iterator[tuple[int, int]]:
    """Yield where JSON may stand: from the first bracket at the start of a line, to its end."""
    if text[0] in "{[":
        end = max(text.rfind("}"), text.rfind("]")) + 1
        yield 0, end or len(text)
        yield 0, _first_value_end(text)
    starts = [match.end() - 1 for match in _LINE_OF_JSON.finditer(text) if match.start()]
    for start in (*starts[:_STARTS], *starts[-_STARTS:]):
        yield start, len(text)


def _first_value_end(text: str) -> int:
    """Return where the first JSON value of a text ends, by its brackets."""
    depth, quoted, escaped = 0, False, False
    for at, char in enumerate(text):
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = quoted
        elif char == '"':
            quoted = not quoted
        elif not quoted and char in "{[":
            depth += 1
        elif not quoted and char in "}]":
            depth -= 1
            if depth == 0:
                return at + 1
    return len(text)


def _whole(text: str, offered: Collection[str], passed: _Passed) -> _Found:
    """Read all of it as calls written in Python."""
    calls = calls_in(_LEFTOVERS.sub("", text), offered)
    span = 0, len(text)
    return ([] if passed.over(calls, span) else list(calls)), [span]


def _named_call(name: str, body: str) -> WrittenCall:
    body = _LEFTOVERS.sub("", body).strip()
    arguments = arguments_in(body)
    if arguments is None and body.startswith("{"):
        arguments = arguments_in(body[: _first_value_end(body)])
    if arguments is not None:
        return WrittenCall(name, arguments)
    return WrittenCall(name, parameters_in(body), as_json=False)


def _is_alone(text: str, spans: Collection[tuple[int, int]]) -> bool:
    rest, at = [], 0
    for start, end in sorted(spans):
        rest.append(text[at:start])
        at = max(at, end)
    rest.append(text[at:])
    return not _LEFTOVERS.sub("", "".join(rest)).strip()
