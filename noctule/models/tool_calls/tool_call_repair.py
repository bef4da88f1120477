"""Repair: what becomes of an answer in which a model wrote a tool call as text."""

import re
from collections.abc import Collection

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.messages.tool import tool_call

from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Refusal
from noctule.models.base.client import ModelRequest
from noctule.models.base.offered import NO_CALLS, names_of, schemas_of
from noctule.models.tool_calls.quotations import Quotations
from noctule.models.tool_calls.text_tool_calls import Imitation, find_imitation, stray_name
from noctule.models.wire.texts import text_of

_CALL = r"(?:tool|function)[\s_-]?call"
_ASKED_FOR = re.compile(
    rf"(?:example|sample|show|what|how|explain|describe|document|format|syntax).{{0,80}}{_CALL}"
    rf"|{_CALL}\w*.{{0,60}}(?:example|format|syntax|look|work|mean)",
    re.IGNORECASE | re.DOTALL,
)
_ILLUSTRATES = re.compile(
    r"\b(?:examples?|for instance|e\.g\.|looks? like|would look|formats?|samples?|illustrat\w+|"
    r"schemas?|syntax|beispiel\w*|ejemplos?|exemples?|esempi\w*)(?!\w)",
    re.IGNORECASE,
)


def offered_names(request: ModelRequest) -> frozenset[str]:
    """Return the tools an answer may call; none where the request forbids or wants JSON."""
    return readable_names(request, ())


def readable_names(request: ModelRequest, known: Collection[str]) -> frozenset[str]:
    """Return the tools whose written calls are looked for in an answer.

    Args:
        request: the tools that were offered.
        known: names of tools that the role may have, offered now or not.
    """
    forbidden = isinstance(request.tool_choice, str) and request.tool_choice in NO_CALLS
    if forbidden or request.json_schema is not None:
        return frozenset()
    return names_of(request.tools) | {*known}


def repair(
    request: ModelRequest, message: AIMessage, known: Collection[str] = ()
) -> AIMessage | Refusal | None:
    """Make the call that was written, where it can only mean one thing.

    Args:
        request: the tools that were offered.
        message: the whole answer.
        known: names of tools that the role may have, offered now or not.

    Returns:
        None when nothing was written as text, or only quoted; the message with the call made; or
        why that would be guessing.
    """
    names = readable_names(request, known)
    if not names or message.tool_calls:
        return None
    text, read = text_of(message.content), Quotations(request.messages)
    offered = offered_names(request)
    imitation = find_imitation(text, offered, read) if offered else None
    imitation = imitation or find_imitation(text, names, read)
    if imitation is None:
        stray = None if _is_asked_for(request) else stray_name(text, read)
        return None if stray is None else _refused(stray)
    if _is_shown(request, text, imitation):
        return None
    if not offered or not imitation.is_clear(schemas_of(request.tools)):
        return _refused(imitation.names)
    calls = [
        tool_call(name=call.name, args=dict(call.arguments or {}), id=f"written_{number}")
        for number, call in enumerate(imitation.calls)
    ]
    return message.model_copy(update={"content": "", "tool_calls": calls})


def rightly_named(request: ModelRequest, message: AIMessage) -> AIMessage:
    """Return a message whose calls name tools as they were offered, where only one can be meant.

    Seen: ``functions.look`` (OpenAI's and Kimi's own way), ``default_api.look`` (Gemini),
    ``look<|channel|>commentary`` (gpt-oss), another case, a dash for an underscore.
    """
    offered = names_of(request.tools)
    renamed = {
        call["name"]: _meant(call["name"], offered)
        for call in message.tool_calls
        if call["name"] not in offered
    }
    if not any(renamed.values()):
        return message
    calls = [
        {**call, "name": renamed.get(call["name"]) or call["name"]} for call in message.tool_calls
    ]
    return message.model_copy(update={"tool_calls": calls})


def _meant(name: str, offered: Collection[str]) -> str | None:
    plain = _plain_name(name)
    for said in (plain, re.split(r"[.:/]", plain)[-1]):
        alike = [one for one in offered if _plain_name(one) == said]
        if len(alike) == 1:
            return alike[0]
    return None


def _plain_name(name: str) -> str:
    return name.partition("<|")[0].strip(" \t\r\n\"'`()").casefold().replace("-", "_")


def _refused(names: str) -> Refusal:
    why = f"it wrote the call of {names} as text instead of making it"
    return Refusal(Outcome.MALFORMED_TOOL_CALL, why)


def _is_shown(request: ModelRequest, text: str, imitation: Imitation) -> bool:
    """Whether a call stands there as an example: asked for, or introduced as one."""
    if _is_asked_for(request):
        return True
    return not imitation.alone and bool(_ILLUSTRATES.search(text))


def _is_asked_for(request: ModelRequest) -> bool:
    """Whether the person wants to see what a tool call looks like."""
    said = (m for m in reversed(request.messages) if isinstance(m, HumanMessage))
    last = next(said, None)
    return last is not None and bool(_ASKED_FOR.search(text_of(last.content)))
