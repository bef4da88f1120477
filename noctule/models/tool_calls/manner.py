"""Manner: how one model is asked for tool calls, and how its answer is read.

What a model has shown decides (``core.llm.proofs``): whether it calls as the API has it or in
words, whether it may call several tools in one reply, and whether it is led. A model that is led
calls something in every reply, by ``tool_choice`` or a JSON schema, and ends its work by calling
``finish``: the end is an act of its own and a call cannot be malformed. Whoever asks sees none of
this: tools go in, calls or an answer in words come out.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from langchain_core.messages import AIMessage, ToolCall
from langchain_core.messages.tool import tool_call

from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Refusal
from noctule.models.base.client import ModelRequest
from noctule.models.base.offered import names_of
from noctule.models.tool_calls.in_words import call_schema, said_in_words, with_words
from noctule.models.tool_calls.quotations import IsQuoted, Quotations, never_quoted
from noctule.models.tool_calls.text_tool_calls import Imitation, find_imitation
from noctule.models.tool_calls.tool_call_repair import offered_names
from noctule.models.wire.texts import text_of

FINISH = "finish"
"""The tool by which a model that is led ends its work."""

FINISH_TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": FINISH,
        "description": "End the work with a report. Call it once the task is done, or when it "
        "cannot be done.",
        "parameters": {
            "type": "object",
            "properties": {
                "report": {
                    "type": "string",
                    "description": "What the person gets: what was done and found, in full.",
                }
            },
            "required": ["report"],
        },
    },
}

_SEVERAL = "Call several tools at once when they do not depend on one another."
_ONE = "Call one tool at a time."
_LED = f"Call one tool in every reply. When the task is done, call {FINISH} with your report."


@dataclass(frozen=True, slots=True)
class Manner:
    """How a model is asked for tool calls.

    Args:
        by_text: tools are described to it in words, and it writes each call as text.
        led: it has to call something in every reply, and ends with ``finish``.
        several: more than one call of a reply is taken.
    """

    by_text: bool = False
    led: bool = False
    several: bool = True

    def shaped(self, request: ModelRequest, *, loop: bool = False) -> ModelRequest:
        """Return the request as this model is to see it.

        Args:
            request: as it is asked of any model.
            loop: whether the caller goes on until nothing is called: only then is a model led.
        """
        if not offered_names(request):
            return request
        led = self._leads(request, loop=loop)
        tools = [*request.tools, FINISH_TOOL] if led else list(request.tools)
        messages = request.messages
        if loop:
            line = _LED if led else _SEVERAL if self.several else _ONE
            messages = with_words(messages, line)
        if not self.by_text:
            choice = "required" if led else request.tool_choice
            return replace(request, messages=messages, tools=tools, tool_choice=choice)
        return replace(
            request,
            messages=said_in_words(messages, tools, must_call=led),
            tools=(),
            tool_choice=None,
            json_schema=call_schema(tools) if led else None,
        )

    def read(
        self, request: ModelRequest, message: AIMessage, *, loop: bool = False
    ) -> AIMessage | Refusal:
        """Return an answer as whoever asked is to see it, or why it cannot be used.

        Args:
            request: as it was before ``shaped``.
            message: the whole answer.
            loop: as it was shaped.
        """
        offered = offered_names(request)
        if not offered:
            return message
        led = self._leads(request, loop=loop)
        if self.by_text:
            named = offered | {FINISH} if led else offered
            read = read_text(message, named, Quotations(request.messages))
            if isinstance(read, Refusal):
                return read
            message = read
        if not self.several:
            message = only_first(message)
        return _finished(message) if led else message

    def _leads(self, request: ModelRequest, *, loop: bool) -> bool:
        free = request.tool_choice is None and FINISH not in names_of(request.tools)
        return self.led and loop and free


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms one request is made.

    Args:
        manner: how the model is asked for calls.
        loop: whether the caller goes on until nothing is called.
        closes: whether the stream may be closed once the call has come that is taken of it: then
            nobody is told what the answer took.
        known: names of tools that the role may have, offered in this request or not.
        raw: whether the reply is wanted as it comes, as a probe does.
    """

    manner: Manner = Manner()
    loop: bool = False
    closes: bool = False
    known: frozenset[str] = frozenset()
    raw: bool = False


def only_first(message: AIMessage) -> AIMessage:
    """Return a message with its first whole call and none of the others.

    A model that cannot make several calls repeats the first; what else it wrote, it wrote before
    it knew what came of that one.
    """
    if not message.tool_calls or len(message.tool_calls) + len(message.invalid_tool_calls) == 1:
        return message
    return _with_calls(message, message.tool_calls[:1])


def _with_calls(message: AIMessage, calls: Sequence[ToolCall]) -> AIMessage:
    kept, content = {call["id"] for call in calls}, message.content
    if isinstance(content, list):
        content = [block for block in content if not _is_other_call(block, kept)]
    return message.model_copy(
        update={"content": content, "tool_calls": list(calls), "invalid_tool_calls": []}
    )


def _is_other_call(block: object, kept: set[str | None]) -> bool:
    if not isinstance(block, dict) or block.get("type") not in {"tool_use", "tool_call"}:
        return False
    return block.get("id") not in kept


def read_text(
    message: AIMessage, offered: Collection[str], quoted: IsQuoted = never_quoted
) -> AIMessage | Refusal:
    """Return an answer with the calls made that it holds as text, or why they cannot be read.

    Args:
        message: the whole answer.
        offered: the names of the tools.
        quoted: knows what stands in what was read, which nobody calls by repeating it.
    """
    text = text_of(message.content)
    found = find_imitation(text, offered, quoted)
    if found is None:
        return message
    calls = [
        tool_call(name=call.name, args=dict(call.arguments), id=f"written_{number}")
        for number, call in enumerate(found.calls)
        if call.arguments is not None
    ]
    if not calls:
        why = f"the call of {found.names} has arguments that cannot be read"
        return Refusal(Outcome.MALFORMED_TOOL_CALL, why)
    return message.model_copy(update={"content": _words_before(text, found), "tool_calls": calls})


def _words_before(text: str, found: Imitation) -> str:
    """Return what a model said before it wrote its call."""
    return "" if found.alone else text.partition("```")[0].strip() if "```" in text else ""


def _finished(message: AIMessage) -> AIMessage | Refusal:
    """Return the report as an answer in words; calls beside it come first, and it is made again."""
    others = [call for call in message.tool_calls if call["name"] != FINISH]
    if others or not message.tool_calls:
        return message if len(others) == len(message.tool_calls) else _with_calls(message, others)
    report = message.tool_calls[0]["args"].get("report")
    said = report if isinstance(report, str) and report.strip() else text_of(message.content)
    if not said.strip():
        return Refusal(Outcome.EMPTY_REPLY, "it ended its work without a report")
    return message.model_copy(update={"content": said, "tool_calls": [], "invalid_tool_calls": []})
