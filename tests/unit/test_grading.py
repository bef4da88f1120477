import json
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.messages.tool import invalid_tool_call, tool_call

from noctule.core.llm.proofs import ProofOutcome
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Refusal
from noctule.models.capabilities.grading import CaseGrade, Grade, grade, refuses_tools, verdict
from noctule.models.capabilities.probe_cases import CASES
from tests.support.probing import BY_NAME, right_arguments, right_message


def calls(*made: tuple[str, dict[str, object]]) -> AIMessage:
    return AIMessage(
        content="",
        tool_calls=[
            tool_call(name=name, args=args, id=f"c{n}") for n, (name, args) in enumerate(made)
        ],
    )


def said(text: str) -> AIMessage:
    return AIMessage(content=text)


TIMER = {"label": "Bread", "minutes": 25, "loud": True}
TICKET: dict[str, Any] = {
    "title": "The printer is broken",
    "priority": "high",
    "contact": {"name": "Ada Byron", "email": "ada@example.org"},
}
REPLIES: list[tuple[str, AIMessage, CaseGrade]] = [
    ("typed", calls(("set_timer", TIMER)), CaseGrade.RIGHT),
    ("typed", calls(("set_timer", {**TIMER, "label": "the bread in the oven"})), CaseGrade.RIGHT),
    ("typed", calls(("set_timer", {**TIMER, "minutes": 25.0})), CaseGrade.RIGHT),
    ("typed", calls(("set_timer", {**TIMER, "minutes": "25"})), CaseGrade.WRONG_CALL),
    ("typed", calls(("set_timer", {**TIMER, "minutes": 52})), CaseGrade.WRONG_CALL),
    ("typed", calls(("set_timer", {**TIMER, "loud": "true"})), CaseGrade.WRONG_CALL),
    ("typed", calls(("set_timer", {**TIMER, "loud": False})), CaseGrade.WRONG_CALL),
    ("typed", calls(("set_timer", {"label": "bread", "minutes": 25})), CaseGrade.WRONG_CALL),
    ("typed", calls(("set_timer", {**TIMER, "volume": 11})), CaseGrade.WRONG_CALL),
    ("typed", calls(("set_timer", {})), CaseGrade.WRONG_CALL),
    ("typed", calls(("start_timer", TIMER)), CaseGrade.WRONG_CALL),
    ("typed", calls(("set_timer", TIMER), ("set_timer", TIMER)), CaseGrade.WRONG_CALL),
    ("typed", said(json.dumps({"name": "set_timer", "arguments": TIMER})), CaseGrade.IMITATION),
    (
        "typed",
        said(f"```json\n{json.dumps({'name': 'set_timer', 'arguments': TIMER}, indent=2)}\n```"),
        CaseGrade.IMITATION,
    ),
    (
        "typed",
        said(f"<tool_call>{json.dumps({'name': 'set_timer', 'arguments': TIMER})}</tool_call>"),
        CaseGrade.IMITATION,
    ),
    ("typed", said('set_timer(label="bread", minutes=25, loud=True)'), CaseGrade.IMITATION),
    ("typed", said("I set a timer for 25 minutes."), CaseGrade.IGNORED),
    ("typed", said(""), CaseGrade.IGNORED),
    (
        "typed",
        AIMessage(
            content="",
            invalid_tool_calls=[
                invalid_tool_call(name="set_timer", args='{"label": "br', id="c", error=None)
            ],
        ),
        CaseGrade.BROKEN,
    ),
    ("choice", calls(("get_weather", {"city": "Lisbon, Portugal"})), CaseGrade.RIGHT),
    ("choice", calls(("get_stock_price", {"symbol": "LIS"})), CaseGrade.WRONG_CALL),
    ("choice", calls(("get_weather", {"city": "Porto"})), CaseGrade.WRONG_CALL),
    ("restraint", said("Cold."), CaseGrade.RIGHT),
    ("restraint", AIMessage(content=[{"type": "text", "text": "Cold."}]), CaseGrade.RIGHT),
    ("restraint", calls(("send_mail", {"to": "a", "text": "cold"})), CaseGrade.WRONG_CALL),
    (
        "restraint",
        said('{"name": "get_stock_price", "arguments": {"symbol": "HOT"}}'),
        CaseGrade.IMITATION,
    ),
    ("restraint", said("  "), CaseGrade.IGNORED),
    ("nested", calls(("open_ticket", TICKET)), CaseGrade.RIGHT),
    ("nested", calls(("open_ticket", {**TICKET, "priority": "urgent"})), CaseGrade.WRONG_CALL),
    ("nested", calls(("open_ticket", {**TICKET, "contact": "Ada Byron"})), CaseGrade.WRONG_CALL),
    (
        "nested",
        calls(("open_ticket", {**TICKET, "contact": {"name": "Ada Byron"}})),
        CaseGrade.WRONG_CALL,
    ),
    ("result", calls(("get_balance", {"customer_id": 4711})), CaseGrade.RIGHT),
    ("result", calls(("find_customer", {"name": "Grace Hopper"})), CaseGrade.WRONG_CALL),
    ("result", calls(("get_balance", {"customer_id": 1})), CaseGrade.WRONG_CALL),
    ("result", said("Her number is 4711."), CaseGrade.IGNORED),
    (
        "parallel",
        calls(("get_weather", {"city": "Cairo"}), ("get_weather", {"city": "Oslo"})),
        CaseGrade.RIGHT,
    ),
    ("parallel", calls(("get_weather", {"city": "Oslo"})), CaseGrade.WRONG_CALL),
    (
        "parallel",
        calls(("get_weather", {"city": "Oslo"}), ("get_weather", {"city": "Oslo"})),
        CaseGrade.WRONG_CALL,
    ),
    (
        "streamed",
        calls(("set_timer", {"label": "tea", "minutes": 4, "loud": False})),
        CaseGrade.RIGHT,
    ),
    ("streamed", calls(("get_weather", {"city": "tea"})), CaseGrade.WRONG_CALL),
]


@pytest.mark.parametrize(("name", "reply", "mark"), REPLIES)
def test_each_reply_gets_its_mark(name: str, reply: AIMessage, mark: CaseGrade) -> None:
    """Right tool and right arguments in their types; anything else is told apart by its kind."""
    found = grade(BY_NAME[name], reply)
    assert found is not None
    assert (found.mark, bool(found.why)) == (mark, mark is not CaseGrade.RIGHT)
    assert found.passed == (mark is CaseGrade.RIGHT)


@pytest.mark.parametrize("name", BY_NAME)
def test_what_is_wanted_fits_the_tools_that_are_offered(name: str) -> None:
    """Every case can be passed, and asks for tools it offers."""
    case = BY_NAME[name]
    found = grade(case, right_message(case))
    assert found is not None
    assert found.passed
    assert all(tool in case.tools for tool, _ in right_arguments(case))
    assert [definition["function"]["name"] for definition in case.definitions] == list(case.tools)


@pytest.mark.parametrize(
    "words",
    [
        "registry.ollama.ai/library/gemma:2b does not support tools",
        "`tool calling` is not supported with this model",
        "Unsupported parameter: 'tools' is not supported with this model.",
        "No endpoints found that support tool use. To learn more about provider routing, visit ...",
        '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
        "tools param requires --jinja flag",
        "This model doesn't support function calling.",
        "Function calling is not enabled for models/gemma-3-1b-it",
        "Unrecognized request argument supplied: tools",
    ],
)
def test_servers_say_that_they_take_no_tools_in_many_words(words: str) -> None:
    """Whatever the status, the words decide."""
    for outcome in (Outcome.BAD_REQUEST, Outcome.MODEL_MISSING, Outcome.UNAVAILABLE):
        assert refuses_tools(Refusal(outcome, words))
    assert not refuses_tools(Refusal(Outcome.RATE_LIMITED, words))


@pytest.mark.parametrize(
    ("outcome", "message", "mark"),
    [
        (Outcome.BAD_REQUEST, "gemma:2b does not support tools", CaseGrade.REFUSED),
        (Outcome.MALFORMED_TOOL_CALL, "the output does not match the format", CaseGrade.BROKEN),
        (Outcome.EMPTY_REPLY, "the answer was empty", CaseGrade.IGNORED),
        (Outcome.BAD_REQUEST, "temperature must be 1", None),
        (Outcome.RATE_LIMITED, "slow down", None),
        (Outcome.QUOTA_EXHAUSTED, "the budget is used up", None),
        (Outcome.OVERLOADED, "busy", None),
        (Outcome.UNAVAILABLE, "Connection refused", None),
        (Outcome.TIMEOUT, "no answer within 30 s", None),
        (Outcome.AUTH, "wrong key", None),
        (Outcome.MODEL_MISSING, "model 'x' not found", None),
        (Outcome.CONTENT_FILTERED, "filtered", None),
        (Outcome.CONTEXT_OVERFLOW, "too long", None),
    ],
)
def test_a_refusal_is_a_verdict_only_when_it_is_about_tools(
    outcome: Outcome, message: str, mark: CaseGrade | None
) -> None:
    """Limits, budgets, outages, keys and other requests say nothing about the model."""
    found = grade(BY_NAME["typed"], Refusal(outcome, message))
    assert (None if found is None else found.mark) == mark


def grades(**marks: CaseGrade) -> list[Grade]:
    return [
        Grade(
            case.name,
            marks.get(case.name, CaseGrade.RIGHT),
            "",
            "",
            necessary=case.necessary,
            due=bool(case.wanted),
        )
        for case in CASES
    ]


def everywhere(mark: CaseGrade, **others: CaseGrade) -> list[Grade]:
    return grades(**{case.name: mark for case in CASES if case.wanted} | others)


@pytest.mark.parametrize(
    ("graded", "outcome"),
    [
        (grades(), ProofOutcome.PROVEN),
        (grades(parallel=CaseGrade.WRONG_CALL), ProofOutcome.PROVEN),
        (grades(parallel=CaseGrade.IGNORED, nested=CaseGrade.WRONG_CALL), ProofOutcome.PROVEN),
        (grades(typed=CaseGrade.WRONG_CALL), ProofOutcome.DECLARED_ONLY),
        (grades(choice=CaseGrade.WRONG_CALL), ProofOutcome.DECLARED_ONLY),
        (grades(restraint=CaseGrade.WRONG_CALL), ProofOutcome.DECLARED_ONLY),
        (grades(result=CaseGrade.IGNORED), ProofOutcome.DECLARED_ONLY),
        (grades(streamed=CaseGrade.IMITATION), ProofOutcome.TEXT_IMITATION),
        (grades(streamed=CaseGrade.BROKEN), ProofOutcome.BROKEN_OUTPUT),
        (everywhere(CaseGrade.IMITATION), ProofOutcome.TEXT_IMITATION),
        (everywhere(CaseGrade.IMITATION, typed=CaseGrade.IGNORED), ProofOutcome.TEXT_IMITATION),
        (everywhere(CaseGrade.IGNORED, nested=CaseGrade.IMITATION), ProofOutcome.TEXT_IMITATION),
        (everywhere(CaseGrade.IGNORED), ProofOutcome.IGNORED),
        (everywhere(CaseGrade.BROKEN), ProofOutcome.BROKEN_OUTPUT),
        (everywhere(CaseGrade.BROKEN, typed=CaseGrade.IGNORED), ProofOutcome.BROKEN_OUTPUT),
        (everywhere(CaseGrade.WRONG_CALL), ProofOutcome.DECLARED_ONLY),
        (everywhere(CaseGrade.WRONG_CALL, nested=CaseGrade.IMITATION), ProofOutcome.DECLARED_ONLY),
        ([Grade("typed", CaseGrade.REFUSED, "", "")], ProofOutcome.REFUSED_BY_SERVER),
        (
            [*grades()[:3], Grade("nested", CaseGrade.REFUSED, "", "")],
            ProofOutcome.REFUSED_BY_SERVER,
        ),
    ],
)
def test_the_grades_of_all_cases_make_one_verdict(
    graded: list[Grade], outcome: ProofOutcome
) -> None:
    """Calling, choosing, restraint, results and streaming are necessary; the rest adds to it."""
    assert verdict(graded)[0] is outcome


def test_the_score_is_the_share_that_was_right() -> None:
    """One wrong of seven is six sevenths; a server that takes no tools scores nothing."""
    assert verdict(grades())[1] == 1.0
    assert verdict(grades(parallel=CaseGrade.IGNORED))[1] == pytest.approx(6 / 7)
    assert verdict([Grade("typed", CaseGrade.REFUSED, "", "")])[1] == 0.0


def test_a_kept_reply_is_short_and_holds_no_key() -> None:
    """A model that repeats a key, or talks for a megabyte, leaves 2,000 masked characters."""
    found = grade(BY_NAME["typed"], said("sk-abcdefgh12345678 " + "x" * 1_000_000))
    assert found is not None
    assert len(found.said) == 2_000
    assert "sk-abc" not in found.said
    assert set(found.as_json()) == {"case", "passed", "said", "why"}
