from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noctule.core.base.roles import Role
from noctule.core.llm.proofs import Proof, ProofKey, ProofOutcome
from noctule.core.llm.requirements import needs_tools, uses_tools
from noctule.core.settings.role import RoleSettings

KEY = ProofKey("here", "model", "1")
AT = datetime(2026, 11, 22, tzinfo=UTC)


def proof(**changes: Any) -> Proof:
    return Proof(
        **{
            "key": KEY,
            "outcome": ProofOutcome.PROVEN,
            "score": 1.0,
            "latency_s": 1.0,
            "probed_at": AT,
            **changes,
        }
    )


@pytest.mark.parametrize(
    ("imitations", "calls", "proven"),
    [(0, 0, True), (2, 0, True), (3, 0, False), (3, 12, False), (3, 13, True), (20, 80, False)],
)
def test_three_imitations_that_are_not_rare_disprove_it(
    imitations: int,
    calls: int,
    proven: bool,  # noqa: FBT001 - a parameter
) -> None:
    """One in five of what was seen at work, and no fewer than three."""
    assert proof(imitations=imitations, calls=calls).is_proven is proven


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_proper_calls_never_speak_against_a_proof(imitations: int, calls: int) -> None:
    """More of them keep what fewer kept; more imitations never mend what was disproved."""
    seen = proof(imitations=imitations, calls=calls)
    if seen.is_proven:
        assert proof(imitations=imitations, calls=calls + 1).is_proven
    else:
        assert not proof(imitations=imitations + 1, calls=calls).is_proven


def test_other_outcomes_are_never_proven() -> None:
    """However well it went at work; there are two ways to call tools."""
    proven = {ProofOutcome.PROVEN, ProofOutcome.PROVEN_BY_TEXT}
    for outcome in ProofOutcome:
        assert proof(outcome=outcome, calls=99).is_proven is (outcome in proven)


def test_calls_as_text_do_not_speak_against_a_model_that_calls_by_text() -> None:
    """It is how it was asked to call."""
    assert proof(outcome=ProofOutcome.PROVEN_BY_TEXT, imitations=99).is_proven


def test_the_evidence_is_a_clause_with_a_day() -> None:
    """What it does, how much was right, when it was asked; what happened at work comes first."""
    cases = ({"passed": True}, {"passed": False})
    ignored = proof(outcome=ProofOutcome.IGNORED, cases=cases)
    assert ignored.words == (
        "answers as if there were no tools (ignored, 1 of 2 right, asked on 2026-11-22)"
    )
    turned = proof(imitations=4)
    assert turned.words == (
        "writes tool calls as text: 4 times at work since its probe on 2026-11-22"
    )


@pytest.mark.parametrize(
    ("role", "tools", "needs", "uses"),
    [
        (Role.ENGINEER, None, True, True),
        (Role.RESEARCH, None, True, True),
        (Role.WRITER, (), False, False),
        (Role.CHAT, None, False, True),
        (Role.CHAT, ("sessions",), True, True),
        (Role.CHAT, (), False, False),
        (Role.UTILITY, None, False, False),
        (Role.UTILITY, ("files",), True, True),
        (Role.ORCHESTRATOR, ("files",), False, False),
    ],
)
def test_who_needs_tools(
    role: Role,
    tools: tuple[str, ...] | None,
    needs: bool,  # noqa: FBT001 - a parameter
    uses: bool,  # noqa: FBT001 - a parameter
) -> None:
    """Specialists unless told otherwise, and whoever names some; chat uses them where it can."""
    binding = RoleSettings(primary="first", tools=tools)
    assert (needs_tools(role, binding), uses_tools(role, binding)) == (needs, uses)
