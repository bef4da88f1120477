from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.tools import tool

from noctule.core.base.roles import Role
from noctule.core.llm.calls import CallContext
from noctule.core.settings import RoleSettings
from noctule.models.base.timeouts import Timeouts
from noctule.models.request.chat_request import ANSWER_TOKENS, ChatRequest, answer_room
from tests.support.stage import make_settings

ROLE = RoleSettings(primary="first")
CONTEXT = CallContext(role=Role.ENGINEER)


def tokens(*content: Any, **call: Any) -> int:
    messages = [HumanMessage(text) for text in content]
    return ChatRequest(messages=messages, **call).need(ROLE, CONTEXT).context_tokens - ANSWER_TOKENS


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("The quick brown fox jumps over the lazy dog. " * 100, 900, 1400),
        ("敏捷的棕色狐狸跳过了懒狗。" * 100, 1000, 2000),
        ("", 0, 10),
    ],
)
def test_tokens_are_estimated_for_every_script(text: str, least: int, most: int) -> None:
    """The estimate lies between what tokenizers make of English and of Chinese."""
    assert least <= tokens(text) <= most


def test_everything_sent_counts() -> None:
    """Tool calls, blocks of text, pictures and tool definitions take room too."""

    @tool
    def look(place: str) -> str:
        """Look at a place."""
        return place

    plain = tokens("Hello")
    assert tokens([{"type": "text", "text": "Hello " * 100}]) > plain + 100
    assert tokens([{"type": "image", "url": "x"}]) >= 1000
    assert tokens("Hello", tools=[look]) > plain + 30
    assert tokens("Hello", tools=[{"name": "look", "description": "x" * 350}]) > plain + 100
    assert tokens("Hello", tools=[lambda x: x]) > plain
    calls = [{"name": "look", "args": {"place": "x" * 350}, "id": "1"}]
    said = ChatRequest(messages=[AIMessage("", tool_calls=calls)])
    assert said.need(ROLE, CONTEXT).context_tokens - ANSWER_TOKENS > 100


def test_a_call_tells_what_it_needs() -> None:
    """Tools, pictures, a schema and privacy come from the call, the role and the context."""
    need = ChatRequest(messages=[SystemMessage("Be brief."), HumanMessage("Hello")]).need(
        ROLE, CONTEXT
    )
    assert (need.tools, need.vision, need.json_schema, need.private) == (False,) * 4
    full = ChatRequest(
        messages=[HumanMessage([{"type": "image_url", "image_url": {"url": "x"}}])],
        tools=[{"name": "look"}],
        json_schema={"title": "A"},
    )
    need = full.need(ROLE.model_copy(update={"private": True}), CONTEXT)
    assert (need.tools, need.vision, need.json_schema, need.private) == (True,) * 4


def test_a_bound_on_the_answer_is_a_most_and_not_a_plan() -> None:
    """A role that allows long answers is not kept from a small window by that alone."""
    assert [answer_room(bound) for bound in (None, 100, 100_000)] == [512, 100, 512]


def test_timeouts_are_the_roles_else_those_of_limits() -> None:
    """Chat and orchestrator queue for 5 s, the orchestrator answers in seconds, all can be set."""
    settings = make_settings(roles={"writer": {"queue_timeout": "1m", "call_timeout": "2m"}})
    engineer, chat, orchestrator, writer = (
        Timeouts.of(settings, role)
        for role in (Role.ENGINEER, Role.CHAT, Role.ORCHESTRATOR, Role.WRITER)
    )
    assert (engineer.queue_s, engineer.first_token_s, engineer.total_s) == (30, 120, 300)
    assert (engineer.connect_s, engineer.stall_s, engineer.slow_s) == (5, 60, 60)
    assert (chat.queue_s, chat.first_token_s, chat.total_s) == (5, 120, 300)
    assert (orchestrator.queue_s, orchestrator.first_token_s, orchestrator.total_s) == (5, 20, 30)
    assert (writer.queue_s, writer.first_token_s, writer.total_s) == (60, 120, 120)


def test_shorter_limits_hold_for_those_in_a_hurry_too() -> None:
    """The shorter of the two counts; a slowness of 0 means that nothing is too slow."""
    settings = make_settings(
        limits={"queue_timeout": "2s", "call_timeout": "10s", "slow_first_token": "0s"},
        roles={"chat": {"queue_timeout": "9s", "first_token_timeout": "8s"}},
    )
    orchestrator, chat = (Timeouts.of(settings, r) for r in (Role.ORCHESTRATOR, Role.CHAT))
    assert (orchestrator.queue_s, orchestrator.total_s, orchestrator.slow_s) == (2, 10, None)
    assert (chat.queue_s, chat.first_token_s) == (9, 8)
