"""Structured answers: asked for as JSON, validated, and asked once more when they do not fit."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from langchain_core.messages import AIMessage, HumanMessage
from pydantic import BaseModel, ValidationError

from noctule.core.llm.calls import CallContext
from noctule.models.binding.binding import Binding
from noctule.models.request.chat_request import ChatRequest
from noctule.models.wire.texts import text_of

ValueT = TypeVar("ValueT")

_SHOWN_PROBLEMS = 5


class UnfitAnswerError(ValueError):
    """An answer is no JSON, or does not fit its schema; the text says why."""


@dataclass(frozen=True, slots=True)
class Structured(Generic[ValueT]):
    """What came of asking for a structured answer.

    Args:
        value: the answer; None when the model gave nothing that fits.
        message: the last message it came from.
        problem: why it does not fit; None when it does.
    """

    value: ValueT | None
    message: AIMessage
    problem: str | None = None


async def ask_structured(
    binding: Binding, call: ChatRequest, context: CallContext, read: Callable[[str], ValueT]
) -> Structured[ValueT]:
    """Ask for an answer that fits the call's schema; one that does not is asked for once more.

    The second time it is the same model, told what was wrong. An answer cut off at
    ``max_tokens`` is one that does not fit: small models fill a JSON answer with white space.

    Args:
        binding: whom to ask.
        call: carries the schema.
        context: for whom; nothing is streamed, because half a JSON text is of no use to anybody.
        read: turns text into the value.

    Raises:
        LimitError: as ``Binding.call``.
        NoModelError: likewise.
    """
    quiet = replace(context, stream=False)
    reply = await binding.call(call, quiet)
    first = _read(reply.message, read)
    if first.problem is None:
        return first
    again = replace(
        call,
        messages=[
            *call.messages,
            AIMessage(content=text_of(reply.message.content) or "(nothing)"),
            HumanMessage(content=_correction(first.problem)),
        ],
    )
    same = replace(quiet, wish=replace(quiet.wish, pinned=reply.attempt.model))
    reply = await binding.call(again, same, call_id=reply.attempt.call_id)
    return _read(reply.message, read)


def json_schema_of(answer: type[BaseModel]) -> Mapping[str, Any]:
    """Return the JSON schema of a pydantic model, with its name as the title."""
    return {"title": answer.__name__, **answer.model_json_schema()}


def reader_of(answer: type[BaseModel]) -> Callable[[str], Any]:
    """Return what turns text into a pydantic model.

    The returned function raises ``UnfitAnswerError``.
    """

    def read(text: str) -> BaseModel:
        try:
            return answer.model_validate(read_object(text))
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)[:_SHOWN_PROBLEMS]
            problems = (f"{'.'.join(map(str, e['loc'])) or 'it'}: {e['msg']}" for e in found)
            raise UnfitAnswerError("; ".join(problems)) from error

    return read


def read_object(text: str) -> dict[str, Any]:
    """Return the JSON object in a text; what stands around it (fences, chatter) is passed over.

    Raises:
        UnfitAnswerError: there is none, or it is cut off.
    """
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        raise UnfitAnswerError("there is no complete JSON object in it")
    try:
        found = json.loads(text[start : end + 1], strict=False)
    except ValueError as error:
        raise UnfitAnswerError(f"it is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise UnfitAnswerError("it is no JSON object")
    return found


def _read(message: AIMessage, read: Callable[[str], ValueT]) -> Structured[ValueT]:
    try:
        return Structured(read(text_of(message.content)), message)
    except UnfitAnswerError as error:
        return Structured(None, message, str(error))


def _correction(problem: str) -> str:
    return (
        f"That answer cannot be used: {problem}. "
        "Answer again with one JSON object that fits the schema, and nothing else."
    )
