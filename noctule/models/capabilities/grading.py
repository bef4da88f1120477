"""Grading: what a model's replies to the cases of a probe say about it. Nobody is asked here."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from langchain_core.messages import AIMessage

from noctule.core.llm.proofs import ProofOutcome
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.provider_words import mask_secrets
from noctule.core.provider_errors.refusals import Refusal
from noctule.models.base.arguments import misfit
from noctule.models.capabilities.probe_cases import ProbeCase, WantedCall
from noctule.models.tool_calls.text_tool_calls import find_imitation
from noctule.models.wire.texts import text_of

_KEPT = 2_000
_SHOWN = 80
_MAY_SPEAK_OF_TOOLS = frozenset(
    {Outcome.BAD_REQUEST, Outcome.MODEL_MISSING, Outcome.UNAVAILABLE, Outcome.AUTH}
)
# Ollama, OpenAI, Groq, OpenRouter, vLLM, llama.cpp, LiteLLM; checked 2026-11.
_NO_TOOLS = re.compile(
    r"(?:does not|doesn't|do not|don't|not|cannot|can't|isn't|un)\s?(?:yet |be )?support\w*.{0,40}"
    r"\b(?:tool|function)[\w `'-]*"
    r"|\b(?:tool|function)[\w `'-]*.{0,40}(?:(?:is|are) not|not|isn't|aren't|un)\s?"
    r"(?:supported|available|allowed|enabled)"
    r"|no endpoints found that support tool"
    r"|tools? param\w* requires"
    r"|tool.{0,20}requires? --(?:enable|jinja|tool)"
    r"|unsupported param\w*:? .{0,3}(?:tool|function)"
    r"|unrecognized request argument.{0,30}(?:tool|function)",
    re.IGNORECASE,
)


class CaseGrade(StrEnum):
    """What a reply to one case was."""

    RIGHT = "right"
    WRONG_CALL = "wrong_call"
    """It called, and not what was due."""
    IMITATION = "imitation"
    """It wrote the call as text."""
    IGNORED = "ignored"
    """It answered as if there were no tools, or not at all."""
    BROKEN = "broken"
    """Its call could not be read."""
    REFUSED = "refused"
    """Its server does not take tools."""


@dataclass(frozen=True, slots=True)
class Grade:
    """What came of one case.

    Args:
        case: its name.
        mark: what the reply was.
        why: one clause; "" when it was right.
        said: the raw reply, masked and cut.
        necessary: whether ``proven`` needs it.
        due: whether a call was due.
    """

    case: str
    mark: CaseGrade
    why: str
    said: str
    necessary: bool = True
    due: bool = True

    @property
    def passed(self) -> bool:
        """Whether the reply was right."""
        return self.mark is CaseGrade.RIGHT

    def as_json(self) -> dict[str, Any]:
        """Return it as a proof keeps it."""
        return {"case": self.case, "passed": self.passed, "said": self.said, "why": self.why}


def grade(case: ProbeCase, reply: AIMessage | Refusal) -> Grade | None:
    """Grade one reply; None when it says nothing about the model's calling of tools.

    A limit, an empty budget, a server that is down or a key that is wrong are no verdict.

    Args:
        case: what was asked.
        reply: what the model said, or why there is nothing.
    """
    if isinstance(reply, Refusal):
        marked = _mark_refusal(reply)
        said = f"{reply.outcome.value}: {reply.message}"
    else:
        marked, said = _mark_reply(case, reply), _raw(reply)
    if marked is None:
        return None
    mark, why = marked
    said = mask_secrets(said)[:_KEPT]
    return Grade(case.name, mark, why, said, case.necessary, due=bool(case.wanted))


def broken_over_results(case: ProbeCase, why: str) -> Grade:
    """Return the grade of a case over whose results a server failed twice, and only over them."""
    said = mask_secrets(why)[:_KEPT]
    words = f"its server fails over a conversation with results of tools: {_short(why)}"
    return Grade(case.name, CaseGrade.BROKEN, words, said, case.necessary, due=bool(case.wanted))


def verdict(grades: Sequence[Grade]) -> tuple[ProofOutcome, float]:
    """Return what all grades together say, and the share that is right.

    Args:
        grades: of all cases; of fewer only when a server refused tools.
    """
    score = sum(one.passed for one in grades) / len(grades) if grades else 0.0
    marks = [one.mark for one in grades]
    if CaseGrade.REFUSED in marks:
        return ProofOutcome.REFUSED_BY_SERVER, 0.0
    if all(one.passed for one in grades if one.necessary):
        return ProofOutcome.PROVEN, score
    imitated, broken = marks.count(CaseGrade.IMITATION), marks.count(CaseGrade.BROKEN)
    called = any(one.due and one.mark in {CaseGrade.RIGHT, CaseGrade.WRONG_CALL} for one in grades)
    others = sum(mark in {CaseGrade.WRONG_CALL, CaseGrade.IGNORED} for mark in marks)
    if imitated and imitated >= broken and (not called or imitated >= others):
        return ProofOutcome.TEXT_IMITATION, score
    if broken and (not called or broken >= others):
        return ProofOutcome.BROKEN_OUTPUT, score
    return (ProofOutcome.DECLARED_ONLY if called else ProofOutcome.IGNORED), score


def refuses_tools(refusal: Refusal) -> bool:
    """Whether a refusal says that the server does not take tools for the model."""
    if refusal.outcome not in _MAY_SPEAK_OF_TOOLS:
        return False
    return bool(_NO_TOOLS.search(refusal.message))


def _mark_refusal(refusal: Refusal) -> tuple[CaseGrade, str] | None:
    if refuses_tools(refusal):
        return CaseGrade.REFUSED, f"its server said: {refusal.message}"
    if refusal.outcome is Outcome.MALFORMED_TOOL_CALL:
        return CaseGrade.BROKEN, refusal.message
    if refusal.outcome is Outcome.EMPTY_REPLY:
        return CaseGrade.IGNORED, refusal.message
    return None


def _mark_reply(case: ProbeCase, reply: AIMessage) -> tuple[CaseGrade, str]:
    if reply.invalid_tool_calls:
        return CaseGrade.BROKEN, "its call could not be read"
    if reply.tool_calls:
        return _mark_calls(case, reply)
    text = text_of(reply.content)
    imitation = find_imitation(text, case.tools)
    if imitation is not None:
        return CaseGrade.IMITATION, f"it wrote the call of {imitation.names} as text"
    if case.wanted:
        return CaseGrade.IGNORED, f"it answered in words: {_short(text)}"
    if not text.strip():
        return CaseGrade.IGNORED, "it said nothing"
    return CaseGrade.RIGHT, ""


def _mark_calls(case: ProbeCase, reply: AIMessage) -> tuple[CaseGrade, str]:
    made = [(call["name"], call["args"]) for call in reply.tool_calls]
    if not case.wanted:
        return CaseGrade.WRONG_CALL, f"it called {made[0][0]} where no tool fits"
    if len(made) != len(case.wanted):
        return CaseGrade.WRONG_CALL, f"it made {len(made)} calls where {len(case.wanted)} were due"
    left = list(case.wanted)
    for name, arguments in made:
        tool = case.tools.get(name)
        if tool is None:
            return CaseGrade.WRONG_CALL, f"it called {name}, which it was not offered"
        why = misfit(tool["parameters"], arguments)
        if why is not None:
            return CaseGrade.WRONG_CALL, f"its arguments for {name} do not fit: {why}"
        wanted = next((one for one in left if _is_wanted(one, name, arguments)), None)
        if wanted is None:
            return CaseGrade.WRONG_CALL, f"it called {name} with {_short(json.dumps(arguments))}"
        left.remove(wanted)
    return CaseGrade.RIGHT, ""


def _is_wanted(wanted: WantedCall, name: str, arguments: Mapping[str, Any]) -> bool:
    return wanted.name == name and _holds(wanted.arguments, arguments)


def _holds(wanted: Any, given: Any) -> bool:
    """Whether what was given is what was wanted; a text may be longer and differ in case."""
    if isinstance(wanted, Mapping):
        return isinstance(given, Mapping) and all(
            name in given and _holds(value, given[name]) for name, value in wanted.items()
        )
    if isinstance(wanted, str):
        return isinstance(given, str) and wanted.casefold() in given.casefold()
    if isinstance(wanted, bool) or isinstance(given, bool):
        return wanted is given
    return bool(wanted == given)


def _raw(reply: AIMessage) -> str:
    said: dict[str, Any] = {"content": text_of(reply.content)}
    if reply.tool_calls:
        said["tool_calls"] = [{"name": c["name"], "args": c["args"]} for c in reply.tool_calls]
    if reply.invalid_tool_calls:
        said["invalid_tool_calls"] = [
            {"name": c["name"], "args": c["args"]} for c in reply.invalid_tool_calls
        ]
    return json.dumps(said, ensure_ascii=False, default=str)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
