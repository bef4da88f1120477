from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool

from noctule.core.base.roles import Role
from noctule.core.llm.attempts import Purpose
from noctule.core.llm.calls import CallContext
from noctule.core.llm.token_parts import TokenParts
from noctule.models.request.chat_request import ChatRequest
from noctule.models.request.token_breakdown import parts_of

COUNT = st.integers(0, 10**7)
PARTS = st.builds(TokenParts, COUNT, COUNT, COUNT, COUNT)
SYSTEM = SystemMessage("You are a bat. " * 10)


@tool
def look(place: str) -> str:
    """Look at a place."""
    return place


def parts(*messages, tools=(), tokens=1000, **context):
    call = ChatRequest(messages=messages, tools=tools)
    found = parts_of(call, CallContext(role=Role.ENGINEER, **context), tokens)
    assert found is not None
    assert found.total == tokens
    return found


@given(PARTS, COUNT)
def test_parts_sum_to_what_was_counted(estimate, total):
    """Scaled parts sum to the total exactly, each within a token of its share."""
    scaled = estimate.scaled_to(total)
    assert scaled.total == total
    if estimate.total:
        for name in ("prompt_tokens", "text_tokens", "resent_tokens", "tool_tokens"):
            share = getattr(estimate, name) * total / estimate.total
            assert abs(getattr(scaled, name) - share) < 1 + 1e-6 * share


@given(st.lists(PARTS, max_size=5))
def test_sums_lose_nothing(several):
    """The parts of several calls sum to all their tokens."""
    assert TokenParts.sum_of(several).total == sum(one.total for one in several)


def test_unknown_stays_unknown():
    """Where nobody counted there are no parts, not parts of nothing."""
    call = ChatRequest(messages=[HumanMessage("hello")])
    assert parts_of(call, CallContext(role=Role.CHAT), None) is None
    assert parts_of(call, CallContext(role=Role.CHAT), 0) == TokenParts()


def test_a_first_call_is_prompt_and_new_text():
    """Nothing was sent before; the schemas of tools belong to the prompt."""
    plain = parts(SYSTEM, HumanMessage("Where do bats sleep?" * 5))
    assert (plain.resent_tokens, plain.tool_tokens) == (0, 0)
    assert plain.prompt_tokens > plain.text_tokens > 0
    offered = parts(SYSTEM, HumanMessage("Where do bats sleep?" * 5), tools=[look])
    assert offered.prompt_tokens > plain.prompt_tokens


def test_a_loop_sends_its_context_again_and_tool_output_once():
    """After an answer everything before it is context; only newer tool output counts as such."""
    asked = AIMessage("", tool_calls=[{"name": "look", "args": {"place": "cave"}, "id": "1"}])
    said = ToolMessage("dark " * 50, tool_call_id="1")
    first = parts(SYSTEM, HumanMessage("look"), asked, said)
    assert first.text_tokens == 0
    assert first.tool_tokens > first.resent_tokens > 0
    second = parts(SYSTEM, HumanMessage("look"), asked, said, AIMessage("Done."))
    assert second.tool_tokens == 0
    assert second.resent_tokens > second.prompt_tokens


def test_a_message_that_was_never_answered_is_context_of_the_next_turn():
    """What stands before the turn's own message was sent with an earlier turn."""
    earlier, now = HumanMessage("x" * 400, id="t1"), HumanMessage("y" * 400, id="t2")
    both = parts(earlier, now, turn_id="t2")
    assert both.resent_tokens == both.text_tokens == 500
    assert parts(earlier, now).resent_tokens == 0


def test_a_summary_is_made_of_what_was_sent_before():
    """Whatever the form in which the old messages are sent, none of it is new."""
    summary = parts(SYSTEM, HumanMessage("so far: " * 50), purpose=Purpose.SUMMARY)
    assert (summary.text_tokens, summary.tool_tokens) == (0, 0)
    assert summary.resent_tokens > 0
