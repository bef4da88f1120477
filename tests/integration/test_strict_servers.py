import pytest
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from noctule.models.base.client import ModelRequest
from tests.support.every_client import MODEL, both_ways, every_client
from tests.support.provider import Provider
from tests.support.strict_servers import strict_reply

CALL = {"name": "look", "args": {"city": "Rome"}, "id": "call_0"}
TORN = {"name": "look", "args": '{"ci', "id": "call_1", "error": "cut off"}
CALLED = AIMessage("", tool_calls=[CALL])
FOUND = ToolMessage("sunny", tool_call_id="call_0")
BLOCKS = AIMessage(
    [
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        {"type": "tool_use", "id": "call_0", "name": "look", "input": {"city": "Rome"}},
    ],
    tool_calls=[CALL],
)
HISTORIES: dict[str, list[BaseMessage]] = {
    "plain": [HumanMessage("hi")],
    "a failed turn": [
        SystemMessage("S"),
        HumanMessage("a"),
        AIMessage("b"),
        HumanMessage("its turn failed"),
        HumanMessage("again"),
    ],
    "after compaction": [
        SystemMessage("S"),
        HumanMessage("task"),
        HumanMessage("summary"),
        CALLED,
        FOUND,
    ],
    "the newest outputs alone": [SystemMessage("S"), FOUND],
    "the same id in two turns": [HumanMessage("a"), CALLED, FOUND, AIMessage(""), CALLED, FOUND],
    "somebody speaks while tools run": [HumanMessage("a"), CALLED, HumanMessage("stop"), FOUND],
    "somebody speaks after results": [HumanMessage("a"), CALLED, FOUND, HumanMessage("and now?")],
    "an interrupted call": [HumanMessage("a"), CALLED, HumanMessage("and?")],
    "a call that was cut": [
        HumanMessage("a"),
        AIMessage("", tool_calls=[CALL], invalid_tool_calls=[TORN]),
        FOUND,
    ],
    "an answer at the end": [HumanMessage("a"), AIMessage("b"), AIMessage("c")],
    "system in the middle": [
        SystemMessage("S"),
        HumanMessage("a"),
        SystemMessage("T"),
        HumanMessage("b"),
    ],
    "an empty result": [HumanMessage("a"), CALLED, ToolMessage("", tool_call_id="call_0")],
    "blocks of another provider": [HumanMessage("a"), BLOCKS, FOUND],
    "empty turns": [SystemMessage(""), HumanMessage(" "), AIMessage(""), HumanMessage("a")],
}


@pytest.mark.parametrize("kind", ["openai", "embedded", "ollama", "anthropic"])
async def test_every_client_keeps_the_rules_of_the_strictest_server(kind: str) -> None:
    """Whatever the history, no server has a reason to refuse its form, whole or streamed."""
    async with Provider(decide=strict_reply) as provider, every_client(provider) as clients:
        refused = {}
        for name, history in HISTORIES.items():
            try:
                said = await both_ways(clients[kind], ModelRequest(MODEL, history))
            except Exception as error:  # noqa: BLE001 - each library has its own
                refused[name] = str(error)
            else:
                assert [message.text for message in said] == ["Fine.", "Fine."]
        assert refused == {}
