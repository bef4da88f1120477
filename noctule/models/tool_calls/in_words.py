"""Tools in words: described in the prompt, called by one fenced block of JSON in the answer.

The words are those of ``examples/templates/fenced-json.jinja``, which the models that were tried
follow most often. What a call brought is told as a person's message, so that no template has to
know of tools.
"""

import json
from collections.abc import Sequence
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.utils.function_calling import convert_to_openai_tool

from noctule.models.wire.texts import text_of

_INTRODUCTION = (
    "# Tools\n\nYou may call functions to assist with the user query. These are their "
    "signatures:\n<tools>\n{tools}\n</tools>\n\nTo call a function, answer with a json block that "
    "holds a json object with its name and its arguments, and nothing else:\n```json\n"
    '{{"name": <function-name>, "arguments": <args-json-object>}}\n```\n'
    "You will be given the result. Call one function in a reply."
)
_NO_CALL = " When no function fits, answer in words."


def with_words(messages: Sequence[BaseMessage], words: str) -> list[BaseMessage]:
    """Return messages whose system message ends with some words; one is made where none is."""
    if messages and isinstance(messages[0], SystemMessage):
        first, *rest = messages
        return [SystemMessage(f"{text_of(first.content)}\n\n{words}"), *rest]
    return [SystemMessage(words), *messages]


def said_in_words(
    messages: Sequence[BaseMessage], tools: Sequence[Any], *, must_call: bool = False
) -> list[BaseMessage]:
    """Return a conversation in which tools, calls and results are all text.

    Args:
        messages: with calls and results as the API has them.
        tools: as ``bind_tools`` takes them.
        must_call: whether an answer in words is no choice.
    """
    described = "\n".join(json.dumps(_signature(tool), ensure_ascii=False) for tool in tools)
    told = [_told(message) for message in messages]
    words = _INTRODUCTION.format(tools=described)
    return with_words(told, words if must_call else words + _NO_CALL)


def call_schema(tools: Sequence[Any]) -> dict[str, Any]:
    """Return the JSON schema of one call of one of the tools."""
    return {"title": "call", "anyOf": [_one_call(tool) for tool in tools]}


def written_call(name: str, arguments: object) -> str:
    """Return a call as a model is to write it."""
    body = json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False, default=str)
    return f"```json\n{body}\n```"


def _one_call(tool: Any) -> dict[str, Any]:
    signature = _signature(tool)
    arguments = signature.get("parameters") or {"type": "object", "properties": {}}
    return {
        "type": "object",
        "properties": {"name": {"const": signature["name"]}, "arguments": arguments},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }


def _signature(tool: Any) -> dict[str, Any]:
    signature: dict[str, Any] = convert_to_openai_tool(tool)["function"]
    return signature


def _told(message: BaseMessage) -> BaseMessage:
    if isinstance(message, ToolMessage):
        return HumanMessage(f"<tool_response>\n{text_of(message.content)}\n</tool_response>")
    if isinstance(message, AIMessage) and message.tool_calls:
        calls = [written_call(call["name"], call["args"]) for call in message.tool_calls]
        said = text_of(message.content).strip()
        return AIMessage("\n".join([said, *calls] if said else calls))
    return message
