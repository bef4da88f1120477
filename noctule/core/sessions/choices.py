"""Choices: what a question offers, in words for people, and how their answers are read."""

import re
from dataclasses import dataclass

from noctule.core.base.tool_names import BUILT_IN
from noctule.core.errors import UsageError
from noctule.core.sessions.consent import covered, is_exact, where
from noctule.core.sessions.questions import Approval, CheckAnswer, Question, QuestionKind
from noctule.core.tools.hosts import host_in
from noctule.core.tools.permissions import rule_for

_NO_BECAUSE = re.compile(r"(?:no|n)\b[\s,.:;!\u2013\u2014-]+(\S.*)", re.IGNORECASE | re.DOTALL)
_YES = {"y": Approval.ONCE, "yes": Approval.ONCE}
_WHY = ": "
"""Between a no and its reason, as they are stored."""
_CHECKS = {
    CheckAnswer.DONE: "it happened: go on after it",
    CheckAnswer.AGAIN: "it did not happen: do it",
    CheckAnswer.SKIP: "leave it, and tell the agent so",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer a question offers.

    Args:
        value: what is stored.
        text: what it means, for people.
    """

    value: str
    text: str


def choices_of(question: Question, *, whose: str | None = None) -> tuple[Choice, ...]:
    """Return what a question offers, in order; () means that it takes any text.

    Args:
        question: what is asked.
        whose: the person whose work asks; None: whoever reads it.
    """
    return tuple(Choice(value, _meaning(question, value, whose)) for value in question.choices)


def read_answer(question: Question, said: str) -> str:
    """Return the answer that a person's words mean.

    A choice may be named by its value, its number from 1, or a beginning that no other one has; an
    approval also takes ``yes``, and ``no, because …``: the reason is part of the answer, for the
    agent to read. A question of the agent takes any other text as well.

    Raises:
        UsageError: they are empty, or none of the answers of an approval or a check.
    """
    words = said.strip()
    if not words:
        raise UsageError(f"The answer is empty. {_how(question)}")
    found = _chosen(question, words)
    if found is not None:
        return found
    if question.kind is QuestionKind.QUESTION:
        return words
    if question.kind is QuestionKind.APPROVAL and (no := _NO_BECAUSE.fullmatch(words)):
        return f"{Approval.NO}{_WHY}{no[1].strip()}"
    raise UsageError(f"{words[:60]!r} is no answer to this question. {_how(question)}")


def reason_of(answer: str | None) -> str | None:
    """Return why a person said no; None where they gave no reason, or did not say no."""
    if answer is None or not answer.startswith(f"{Approval.NO}{_WHY}"):
        return None
    return answer.removeprefix(f"{Approval.NO}{_WHY}")


def approvals_for(tool: str) -> tuple[Approval, ...]:
    """Return the answers that the approval of a tool offers."""
    runs = tool in BUILT_IN["shell"]
    return tuple(value for value in Approval if runs or value is not Approval.ALL)


def granted_rule(question: Question, value: str) -> str:
    """Return the rule that allows everything like what an approval is about.

    A command, code and a file are allowed exactly as they are; of every other tool, such as those
    of the web and of MCP servers, every call. What it is bound to besides, the seal says.

    Args:
        question: an approval.
        value: its answer; ``all`` allows every command and code.
    """
    tool = question.tool or ""
    if value == Approval.ALL and tool in BUILT_IN["shell"]:
        return "shell"
    return rule_shown(tool, question.subject)


def rule_shown(tool: str, subject: str | None) -> str:
    """Return the rule that names what a call is shown to be about.

    Args:
        tool: its name.
        subject: what it acts on, without secrets; None: nothing one could name.
    """
    if tool == "fetch" and subject is not None and (host := host_in(subject)):
        return rule_for(tool, host)
    return rule_for(tool, subject if is_exact(tool) else None)


def _meaning(question: Question, value: str, whose: str | None) -> str:
    match question.kind:
        case QuestionKind.APPROVAL if value in set(Approval):
            return _approval(question, Approval(value), whose or "mine")
        case QuestionKind.CHECK if value in set(CheckAnswer):
            return _CHECKS[CheckAnswer(value)]
        case _:
            return value


def _approval(question: Question, value: Approval, whose: str) -> str:
    match value:
        case Approval.ONCE:
            return "yes, this once"
        case Approval.SESSION:
            return f"yes, and {_covered(question)} until this session ends"
        case Approval.ALWAYS:
            return f"yes, and {_covered(question)} {_always(question, whose)}"
        case Approval.ALL:
            return "yes, and every shell command and all Python code until this session ends"
        case Approval.NO:
            return "no, not this (or: no, because …)"


def _covered(question: Question) -> str:
    return covered(question.tool, server=question.server, seal=question.seal)


def _always(question: Question, whose: str) -> str:
    if question.seal is None:
        return f"until this session ends (it is older than what holds in every session of {whose})"
    return where(None, question.workspace, whose=whose)


def _chosen(question: Question, words: str) -> str | None:
    said = words.casefold()
    values = {value.casefold(): value for value in question.choices}
    if said in values:
        return values[said]
    if said.isdecimal() and 1 <= int(said) <= len(question.choices):
        return question.choices[int(said) - 1]
    if question.kind is QuestionKind.QUESTION:
        return None
    if question.kind is QuestionKind.APPROVAL and said in _YES:
        return _YES[said].value
    alike = [value for name, value in values.items() if name.startswith(said)]
    return alike[0] if len(alike) == 1 else None


def _how(question: Question) -> str:
    if not question.choices:
        return "Answer in your own words."
    return f"Answer with one of: {', '.join(question.choices)}."
