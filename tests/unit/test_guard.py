from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from graphs.loop.loop_limits import LoopUsage, circle, tool_results_since_model, why_stop

CAPS = LoopUsage(steps=30, calls=20, worked_s=3600.0)
LITTLE = LoopUsage(steps=1, calls=1, worked_s=0.0)


def called(number: int, args: dict[str, object], *, failed: bool) -> list[Any]:
    """One tool call and what came of it."""
    call = {"name": "look", "args": args, "id": str(number)}
    status = "error" if failed else "success"
    return [
        AIMessage("", tool_calls=[call]),
        ToolMessage("came of it", tool_call_id=str(number), status=status),
    ]


def test_a_loop_within_its_caps_goes_on():
    """Nothing stops a loop that has taken less than it may."""
    assert why_stop([HumanMessage("hi")], spent=CAPS, caps=CAPS) is None


def test_each_cap_stops_with_its_own_words():
    """Steps, model calls and time are three caps, each named when it is reached."""
    for spent, words in (
        (LoopUsage(31, 1, 0.0), "30 steps"),
        (LoopUsage(1, 21, 0.0), "20 times"),
        (LoopUsage(1, 1, 3601.0), "worked 1 h 00 min"),
    ):
        assert words in (why_stop([], spent=spent, caps=CAPS) or "")


def test_three_failures_in_a_row_stop_the_loop_whatever_they_are():
    """Three failed calls with different arguments are enough; a success in between is not."""
    failing = [m for n in range(3) for m in called(n, {"n": n}, failed=True)]
    assert "last 3 tool calls failed" in (why_stop(failing, spent=LITTLE, caps=CAPS) or "")
    mixed = [*failing[:4], *called(7, {}, failed=False), *failing[4:]]
    assert why_stop(mixed, spent=LITTLE, caps=CAPS) is None


def test_failures_of_one_reply_count_as_one():
    """A model that was wrong three times at once has not been told so yet."""
    calls = [{"name": "look", "args": {"n": n}, "id": str(n)} for n in range(3)]
    results = [ToolMessage("no", tool_call_id=str(n), status="error") for n in range(3)]
    assert why_stop([AIMessage("", tool_calls=calls), *results], spent=LITTLE, caps=CAPS) is None


def test_the_same_calls_with_the_same_results_are_a_circle_after_three_rounds():
    """One, two or three replies that come again; a result that differs breaks it."""
    for length in (1, 2, 3):
        lap = [m for n in range(length) for m in called(n, {"n": n}, failed=False)]
        assert circle(lap * 3) == "look"
        assert circle(lap * 2) is None
        changed = ToolMessage("something new", tool_call_id=str(length - 1))
        assert circle([*lap, *lap, *lap[:-1], changed]) is None
    assert circle([AIMessage("a"), AIMessage("a"), AIMessage("a")]) is None


def test_the_same_failing_call_three_times_stops_the_loop():
    """The same failing call counts although other calls succeeded in between."""
    messages = []
    for number in range(3):
        messages += called(10 + number, {"path": "a"}, failed=True)
        messages += called(20 + number, {"path": "b"}, failed=False)
    assert "the same call of look" in (why_stop(messages, spent=LITTLE, caps=CAPS) or "")


def test_tool_results_count_as_steps():
    """What the last model call led to is counted, and nothing before it."""
    messages = [*called(1, {}, failed=False), *called(2, {}, failed=False)]
    assert tool_results_since_model(messages) == 1


def test_the_same_failing_call_counts_over_replies_and_not_within_one():
    """A reply that repeats a call twenty times has failed once; three such replies stop it."""

    def flood(start):
        calls = [{"name": "look", "args": {"n": 1}, "id": str(start + n)} for n in range(20)]
        failed = [ToolMessage("no", tool_call_id=str(start + n), status="error") for n in range(20)]
        good = called(start + 50, {"ok": start}, failed=False)
        return [AIMessage("", tool_calls=calls), *failed, *good]

    once, thrice = flood(0), [*flood(0), *flood(100), *flood(200)]
    assert why_stop(once, spent=LITTLE, caps=CAPS) is None
    assert "the same call of look failed 3 times" in (
        why_stop(thrice, spent=LITTLE, caps=CAPS) or ""
    )
