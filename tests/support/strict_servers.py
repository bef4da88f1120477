"""Servers stricter than any real one: they refuse a conversation for its form alone.

Each rule is one that some server has; together they are what no client may ever break. In a test::

    async with Provider(decide=strict_reply) as provider:
        ...  # a 400 that names the rules broken, else a plain answer
"""

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.support.provider import Reply, Request

_NINE = re.compile(r"[A-Za-z0-9]{9}")


def strict_reply(request: Request) -> Reply:
    """Answer, or refuse with every rule that the request breaks."""
    broken = complaints(request.path, request.body)
    if not broken:
        return Reply(text="Fine.")
    return Reply.refusal(400, message="; ".join(broken))


def complaints(path: str, body: Mapping[str, Any]) -> list[str]:
    """Return what a request breaks; empty when it is spotless.

    Args:
        path: tells the dialect.
        body: as it was sent.
    """
    if path.endswith("/messages"):
        return list(_anthropic(body))
    return list(_chat(body, named=path.endswith("/completions")))


def _chat(body: Mapping[str, Any], *, named: bool) -> Iterator[str]:
    messages = body["messages"]
    roles = [message["role"] for message in messages]
    if "system" in roles[1:]:
        yield "a system message is not the first"
    turns = [message for message in messages if message["role"] != "system"]
    if not turns or turns[0]["role"] != "user":
        yield "the first turn is not the person's"
    if roles[-1] == "assistant":
        yield "the assistant has the last word"
    for before, after in itertools.pairwise(turns):
        pair = (before["role"], after["role"])
        if pair in {("user", "user"), ("assistant", "assistant"), ("tool", "user")}:
            yield f"{pair[1]} after {pair[0]}"
        if after["role"] == "tool" and pair[0] not in {"assistant", "tool"}:
            yield f"tool after {pair[0]}"
    for message in messages:
        yield from _content(message)
    yield from _calls(turns, named=named)


def _content(message: Mapping[str, Any]) -> Iterator[str]:
    content = message.get("content", "x" if message.get("tool_calls") else None)
    if content is None:
        yield f"null content of {message['role']}"
    elif not content and not (message.get("tool_calls") and "content" not in message):
        yield f"empty content of {message['role']}"
    elif isinstance(content, str) and not content.strip():
        yield f"blank content of {message['role']}"


def _calls(turns: list[Mapping[str, Any]], *, named: bool) -> Iterator[str]:
    due: list[str | None] = []
    used: set[str] = set()
    for message in turns:
        if message["role"] == "tool":
            given = message.get("tool_call_id")
            if not due:
                yield "a result without a call"
            elif due.pop(0) != given and named:
                yield f"the result of {given} is not at its place"
            continue
        if due:
            yield f"{len(due)} calls without a result"
        due = []
        for call in message.get("tool_calls") or ():
            yield from _call(call, named=named)
            if named and call["id"] in used:
                yield f"id {call['id']} is used twice"
            used.add(call.get("id", ""))
            due.append(call.get("id"))
    if due:
        yield f"{len(due)} calls without a result"


def _call(call: Mapping[str, Any], *, named: bool) -> Iterator[str]:
    arguments = call["function"]["arguments"]
    if named:
        if not _NINE.fullmatch(call["id"]):
            yield f"id {call['id']} is not nine letters and digits"
        try:
            arguments = json.loads(arguments)
        except ValueError:
            yield "arguments are no JSON"
    if not isinstance(arguments, dict):
        yield "arguments are no object"
    if not call["function"].get("name"):
        yield "a call without a name"


def _anthropic(body: Mapping[str, Any]) -> Iterator[str]:
    messages = body["messages"]
    roles = [message["role"] for message in messages]
    if not roles or roles[0] != "user":
        yield "the first turn is not the person's"
    if roles and roles[-1] == "assistant":
        yield "the assistant has the last word"
    for before, after in itertools.pairwise(roles):
        if before == after:
            yield f"{after} after {before}"
    due: list[str] = []
    for message in messages:
        blocks = message["content"]
        if isinstance(blocks, str):
            blocks = [{"type": "text", "text": blocks}]
        yield from _blocks(blocks, due)
        due = [block["id"] for block in blocks if block["type"] == "tool_use"]
    if due:
        yield "calls without a result"


def _blocks(blocks: list[Mapping[str, Any]], due: list[str]) -> Iterator[str]:
    if not blocks or any(b["type"] == "text" and not b["text"].strip() for b in blocks):
        yield "empty content"
    results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
    if results != due:
        yield f"results {results} where {due} are due"
    for call in (block for block in blocks if block["type"] == "tool_use"):
        if not _NINE.fullmatch(call["id"]):
            yield f"id {call['id']} is not nine letters and digits"
        if not isinstance(call["input"], dict):
            yield "arguments are no object"
