"""Records for the tests of the stores: valid, plain, and each with an id of its own."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from noctule.core.llm.attempts import Attempt, CostSource, Purpose, SkippedModel, Usage
from noctule.core.llm.limits import Limit, LimitKey
from noctule.core.llm.proofs import Proof, ProofKey, ProofOutcome
from noctule.core.llm.token_parts import TokenParts
from noctule.core.ports.database import Database
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Evidence
from noctule.core.sessions.grants import Grant, digest_of
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.parkings import Parking, ParkingKind
from noctule.core.sessions.questions import Question, QuestionKind
from noctule.core.sessions.sessions import Session, SessionKind, Turn
from noctule.core.sessions.steers import Steer
from noctule.core.tools.effects import Effect
from noctule.core.tools.notes import Note

NOON = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
KEY = LimitKey("cloud", "f1", "haiku")


def later(seconds: float) -> datetime:
    """Return a moment after NOON."""
    return NOON + timedelta(seconds=seconds)


def a_session(name: str = "s1", **changes: Any) -> Session:
    """Return a session of the data folder's owner."""
    return replace(Session(name, "local", SessionKind.CHAT, None, NOON), **changes)


def a_turn(name: str = "t1", session_id: str = "s1", **changes: Any) -> Turn:
    """Return a queued turn."""
    return replace(Turn(name, session_id, "hello", Status.QUEUED, NOON), **changes)


def an_attempt(name: str = "a1", **changes: Any) -> Attempt:
    """Return an attempt with every field filled."""
    attempt = Attempt(
        id=name,
        call_id="c1",
        session_id="s1",
        turn_id="t1",
        role="writer",
        purpose=Purpose.ANSWER,
        model="haiku",
        endpoint="cloud",
        outcome=Outcome.SUCCESS,
        started_at=NOON,
        wait_s=0.25,
        first_token_s=0.5,
        duration_s=1.75,
        usage=Usage(100, 20, 80, 10, 5, Decimal("0.000123")),
        cost_usd=Decimal("0.000123456"),
        cost_source=CostSource.PROVIDER,
        fallback_from="opus",
        skipped=(SkippedModel("coder", "busy 2 s"),),
        message=None,
        discarded=True,
        tier="mid",
        local=False,
        parts=TokenParts(50, 10, 30, 10),
    )
    return replace(attempt, **changes)


def a_limit(key: LimitKey = KEY, **changes: Any) -> Limit:
    """Return a limit that the provider timed in a header."""
    limit = Limit(key, Outcome.RATE_LIMITED, "slow down", later(60), Evidence.HEADER, NOON)
    return replace(limit, **changes)


def a_parking(name: str = "p1", turn_id: str = "t1", **changes: Any) -> Parking:
    """Return a parking on a limit, due in a minute."""
    parking = Parking(
        id=name,
        turn_id=turn_id,
        session_id="s1",
        kind=ParkingKind.LIMIT,
        reason="slow down",
        parked_at=NOON,
        wake_at=later(60),
        evidence=Evidence.HEADER,
        key=KEY,
        model="haiku",
        tried=("haiku: rate_limited", "qwen: cannot call tools"),
        interrupt_id="i1",
        lap=2,
        tool_call_id="c1",
    )
    return replace(parking, **changes)


async def with_turns(database: Database, *names: str) -> None:
    """Store session s1 and queued turns in it."""
    async with database.work() as work:
        await work.sessions.add(a_session())
        for name in names:
            await work.turns.add(a_turn(name))
        await work.commit()


def an_effect(name: str = "c1", **changes: Any) -> Effect:
    """Return a tool call that is about to happen."""
    effect = Effect(
        session_id="s1",
        tool_call_id=name,
        turn_id="t1",
        tool="write_file",
        arguments={"path": "a.txt", "text": "Bats · 🦇", "lines": [1, 2]},
        started_at=NOON,
        before={"sha256": None, "size": 0},
    )
    return replace(effect, **changes)


def a_question(name: str = "q1", **changes: Any) -> Question:
    """Return an unanswered approval."""
    question = Question(
        id=name,
        session_id="s1",
        turn_id="t1",
        tool_call_id=f"call of {name}",
        kind=QuestionKind.APPROVAL,
        text="May the engineer run `git push`?",
        asked_at=NOON,
        choices=("once", "session", "always", "no"),
        tool="shell",
        subject="git push",
        workspace="/home/anna/bats",
        seal={"the command": digest_of("git push")},
    )
    return replace(question, **changes)


def a_grant(name: str = "g1", **changes: Any) -> Grant:
    """Return a lasting grant of the data folder's owner, with what it is bound to."""
    grant = Grant(
        id=name,
        owner="local",
        rule="shell:git push",
        granted_at=NOON,
        tool="shell",
        workspace="/home/anna/bats",
        seal={"the command": digest_of("git push")},
    )
    return replace(grant, **changes)


def a_note(title: str = "Bats", text: str = "They sleep by day.", **changes: Any) -> Note:
    """Return a note of the data folder's owner."""
    note = Note(f"note of {title}", "local", title, text, NOON, "s1")
    return replace(note, **changes)


def a_proof(key: ProofKey | None = None, **changes: Any) -> Proof:
    """Return a proof with every field filled."""
    proof = Proof(
        key=key or ProofKey("cloud", "claude-haiku-4-5", "2026-11"),
        outcome=ProofOutcome.PROVEN,
        score=0.875,
        latency_s=0.75,
        probed_at=NOON,
        cases=({"case": "one call", "passed": True, "said": "…", "why": None},),
        imitations=1,
        calls=12,
    )
    return replace(proof, **changes)


def a_steer(name: str = "r1", **changes: Any) -> Steer:
    """Return a remark nobody has read yet."""
    return replace(Steer(name, "t1", "in English, please", NOON), **changes)
