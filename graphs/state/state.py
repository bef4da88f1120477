"""What a session's graph remembers between steps, turns and restarts: a stored format.

Keys and node names are read back from databases written by earlier versions. A change that an
older checkpoint cannot be read under raises ``GRAPH_VERSION``.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NotRequired, TypedDict

from langchain_core.messages import AnyMessage, HumanMessage
from langgraph.graph.message import add_messages
from langgraph.types import Overwrite

ATTACHMENTS = "attachments"
"""Under which key a person's message names the files that came along."""

NOTES = "notes"
"""Under which key a message says that it is what others did, beside the task."""

GRAPH_VERSION = 1
"""Raised when an older checkpoint of an unfinished turn can no longer be gone on from."""


class AnswerState(TypedDict):
    """What a role answered; ``work`` is the record of what it called for it."""

    role: str
    text: str
    model: str | None
    work: NotRequired[str]


class AssignmentState(TypedDict):
    """One assignment of a plan."""

    id: str
    role: str
    task: str
    needs: list[str]


class ResultState(TypedDict):
    """What came of one assignment; ``error`` is set when its role could not do it."""

    role: str
    text: str
    error: str | None


def merge_results(
    left: dict[str, ResultState], right: dict[str, ResultState]
) -> dict[str, ResultState]:
    """Add the results of branches that ran at the same time."""
    return {**left, **right}


class TurnState(TypedDict):
    """The conversation, and the turn that is being answered."""

    messages: Annotated[list[AnyMessage], add_messages]
    turn_id: str
    graph_version: int
    text: str
    route: dict[str, Any] | None
    handed_over_by: str | None
    handed_over_why: str | None
    plan: list[AssignmentState]
    results: Annotated[dict[str, ResultState], merge_results]
    rounds: int
    answer: AnswerState | None
    limit: dict[str, Any] | None
    parked_from: str | None


class AssignmentInput(TypedDict):
    """What one branch of a plan is sent."""

    assignment: AssignmentState
    text: str
    turn_id: str
    complexity: str
    inputs: NotRequired[dict[str, ResultState]]


def new_turn(turn_id: str, text: str, attachments: Sequence[str] = ()) -> Mapping[str, Any]:
    """Return the graph's input for a new turn: the message, and every field of a turn reset.

    Args:
        turn_id: of the turn.
        text: what was said.
        attachments: files that came along, relative to the workspace.
    """
    sent = {ATTACHMENTS: list(attachments)} if attachments else {}
    return {
        # The id makes a second delivery of the same input replace the first.
        "messages": [HumanMessage(text, id=turn_id, additional_kwargs=sent)],
        "turn_id": turn_id,
        "graph_version": GRAPH_VERSION,
        "text": text,
        "route": None,
        "handed_over_by": None,
        "handed_over_why": None,
        "plan": [],
        "results": Overwrite({}),
        "rounds": 0,
        "answer": None,
        "limit": None,
        "parked_from": None,
    }
