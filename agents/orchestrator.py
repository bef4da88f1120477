"""Orchestrator: who answers a turn, how work is split, and whether its results are enough."""

from collections.abc import Sequence
from enum import StrEnum

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from pydantic import BaseModel, Field

from agents.agent import read_prompt
from agents.roster import ROSTER
from noctule.core.base.roles import Role
from noctule.core.llm.routes import Complexity, DecidedBy, Route
from noctule.core.tools.outside_text import as_data, end_of, holds_data, without_data

_ROUTED_CHARS = 4000
"""How much of a message the router reads: its head and its tail, half each."""

_REASON_CHARS = 300


class Answering(StrEnum):
    """The roles as the router may name them."""

    CHAT = "chat"
    ENGINEER = "engineer"
    RESEARCH = "research"
    WRITER = "writer"
    UTILITY = "utility"


class Second(StrEnum):
    """A second role, or none."""

    NONE = "none"
    ENGINEER = "engineer"
    RESEARCH = "research"
    WRITER = "writer"
    UTILITY = "utility"


class RouteAnswer(BaseModel):
    """What the router's model decides; enums alone, so that small models can hold to it."""

    role: Answering
    then: Second
    complexity: Complexity

    def to_route(self) -> Route:
        """Return the route it stands for."""
        roles = [Role(self.role.value)]
        if self.then is not Second.NONE and self.then.value != self.role.value:
            roles.append(Role(self.then.value))
        return Route(
            roles=tuple(roles),
            complexity=self.complexity,
            by=DecidedBy.MODEL,
            reason="the orchestrator's model decided",
        )


class AssignmentAnswer(BaseModel):
    """One assignment as the orchestrator's model writes it."""

    id: str = Field(max_length=20)
    role: Answering
    task: str
    needs: list[str] = Field(default_factory=list)


class PlanAnswer(BaseModel):
    """Assignments as the orchestrator's model writes them."""

    assignments: list[AssignmentAnswer] = Field(min_length=1, max_length=6)


class ReviewVerdict(StrEnum):
    """What a review says."""

    ACCEPT = "accept"
    REVISE = "revise"
    ADD = "add"


class ReviewAnswer(BaseModel):
    """What the orchestrator's model says of the results."""

    verdict: ReviewVerdict
    assignment: str = "none"
    role: Answering = Answering.WRITER
    task: str = ""


def route_messages(text: str, *, not_role: Role | None, reason: str | None) -> list[BaseMessage]:
    """Return the prompt of a routing call: the person's text alone is the user message.

    Args:
        text: what the person wrote.
        not_role: a role that handed the turn back; None when none did.
        reason: why it did.
    """
    system = read_prompt("route").format(team=_team(without=not_role))
    if not_role is not None:
        system += f"\n\n{not_role.value} handed this message back: {_line(reason)}. Choose another."
    # What was passed on along with it decides nothing; where it is all there is, it is the subject.
    own = without_data(text)
    return [SystemMessage(system), HumanMessage(_excerpt(own if own.strip() else text))]


def plan_messages(text: str, roles: Sequence[Role]) -> list[BaseMessage]:
    """Return the prompt that has the work split among roles."""
    named = ", ".join(role.value for role in roles)
    system = read_prompt("plan").format(team=_team(without=None))
    system = _warned(f"{system}\n\nThis work needs at least: {named}.", text)
    return [SystemMessage(system), HumanMessage(text)]


def review_messages(text: str, results: Sequence[tuple[str, str, str]]) -> list[BaseMessage]:
    """Return the prompt of a review.

    Args:
        text: what the person asked for.
        results: id, role and text of each result.
    """
    shown = "\n\n".join(
        f"[{name}] {role}:\n{as_data(answer, 'what it answered')}" for name, role, answer in results
    )
    asked = f"Asked for:\n{text}\n\nResults:\n{shown}"
    return [SystemMessage(_warned(read_prompt("review"), asked)), HumanMessage(asked)]


def _warned(system: str, text: str) -> str:
    """Return a system text that says what data is, where there is some in what follows."""
    return f"{system}\n\n{read_prompt('data')}" if holds_data(text) else system


def _line(reason: str | None) -> str:
    return " ".join((reason or "").split())[:_REASON_CHARS]


def _team(*, without: Role | None) -> str:
    return "\n".join(
        f"- {role.value}: {agent.speciality}" for role, agent in ROSTER.items() if role != without
    )


def _excerpt(text: str) -> str:
    if len(text) <= _ROUTED_CHARS:
        return text
    half = _ROUTED_CHARS // 2
    left_out = len(text) - 2 * half
    return f"{text[:half]}\n[... {left_out} characters left out ...]\n{end_of(text, half)}"
