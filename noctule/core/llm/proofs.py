"""Proofs: what really came of asking a model to call a tool."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

DEMOTED_FROM = 3
"""So many calls written as text at work speak against a proof, where they are not rare."""

BY_TEXT = "text_"
"""How the names of cases begin in which tools were described in words."""

GUIDED = "guided"
"""How the names of cases end that ask whether a model can be led; they count for nothing else."""

_RARE = 5
"""Rare is fewer than one in so many of the calls seen at work."""


class ProofOutcome(StrEnum):
    """What a model does when it is offered tools."""

    PROVEN = "proven"
    """It calls them as the API has it."""
    PROVEN_BY_TEXT = "proven_by_text"
    """It calls them when they are described to it in words, one fenced call a reply."""
    DECLARED_ONLY = "declared_only"
    """It is said to, and got too little right to rely on it."""
    TEXT_IMITATION = "text_imitation"
    """It writes the call into its answer as text."""
    REFUSED_BY_SERVER = "refused_by_server"
    """Its server does not take tools for it."""
    BROKEN_OUTPUT = "broken_output"
    """Its server fails over the format it writes."""
    IGNORED = "ignored"
    """It answers as if there were no tools."""

    @property
    def words(self) -> str:
        """What it means, as the end of a sentence that begins with the model."""
        return _WORDS[self]


_WORDS = {
    ProofOutcome.PROVEN: "calls tools",
    ProofOutcome.PROVEN_BY_TEXT: "calls tools that are described to it in words",
    ProofOutcome.DECLARED_ONLY: "calls tools, but gets too much wrong to rely on it",
    ProofOutcome.TEXT_IMITATION: "writes tool calls as text",
    ProofOutcome.REFUSED_BY_SERVER: "its server takes no tools for it",
    ProofOutcome.BROKEN_OUTPUT: "writes tool calls that cannot be read",
    ProofOutcome.IGNORED: "answers as if there were no tools",
}


@dataclass(frozen=True, slots=True)
class ProofKey:
    """What a proof holds for.

    Args:
        endpoint: by its configured name.
        model: as the endpoint calls it.
        version: the digest or version the endpoint reports; "" when it reports none.
    """

    endpoint: str
    model: str
    version: str


@dataclass(frozen=True, slots=True)
class Proof:
    """The stored result of a probe.

    Args:
        key: what it holds for.
        outcome: what came of it.
        score: the share of its cases that were right, 0 to 1.
        latency_s: median seconds of an answered case; None when none was.
        probed_at: aware.
        cases: one per case: ``{"case", "passed", "said", "why"}``, ``said`` being the raw reply.
        imitations: how often it wrote a call as text at work since then.
        calls: how often it called a tool properly at work since then.
    """

    key: ProofKey
    outcome: ProofOutcome
    score: float
    latency_s: float | None
    probed_at: datetime
    cases: tuple[Mapping[str, Any], ...] = ()
    imitations: int = 0
    calls: int = 0

    @property
    def is_proven(self) -> bool:
        """Whether tools may be offered to it: proven, and not disproved at work since."""
        if self.outcome is ProofOutcome.PROVEN_BY_TEXT:
            return True  # its calls are text: none of them speaks against it
        return self.outcome is ProofOutcome.PROVEN and not self.is_disproved

    def has_passed(self, case: str) -> bool:
        """Whether it got one case of its probe right; False for one it was not asked."""
        return any(one.get("case") == case and bool(one.get("passed")) for one in self.cases)

    @property
    def was_tried_by_text(self) -> bool:
        """Whether it was asked with tools described in words; a probe of 0.1 never did."""
        return any(str(one.get("case", "")).startswith(BY_TEXT) for one in self.cases)

    @property
    def is_disproved(self) -> bool:
        """Whether it has written too many of its calls as text at work: three, and one in five."""
        seen = self.imitations + self.calls
        return self.imitations >= DEMOTED_FROM and self.imitations * _RARE >= seen

    @property
    def words(self) -> str:
        """The evidence, as one clause: what it does, how much was right, when it was asked."""
        day = f"{self.probed_at:%Y-%m-%d}"
        if self.is_disproved:
            return (
                f"{ProofOutcome.TEXT_IMITATION.words}: {self.imitations} times at work since its "
                f"probe on {day}"
            )
        counted = [case for case in self.cases if not str(case.get("case")).endswith(GUIDED)]
        right = sum(bool(case.get("passed")) for case in counted)
        share = f", {right} of {len(counted)} right" if counted else ""
        return f"{self.outcome.words} ({self.outcome.value}{share}, asked on {day})"
