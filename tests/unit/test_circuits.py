from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from noctule.core.clock import ManualClock
from noctule.core.llm.limits import LimitKey
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Refusal
from noctule.core.settings import LimitsSettings
from noctule.models.base.fingerprint import Fingerprints
from noctule.models.base.ledger import Ledger
from noctule.models.capacity.circuit_breaker import LONGEST_PAUSE_S, CircuitBreaker
from noctule.models.capacity.limits import Limits
from tests.support.fuzzing import examples
from tests.support.scratch import scratch_database
from tests.support.stage import make_settings

LIMITS = LimitsSettings(circuit_failures=3, circuit_open=timedelta(seconds=30))
MODEL = "first"


class Unwritten(Ledger):
    """A ledger that keeps nothing, so that no loop has to run."""

    def enter(self, entry, *, alone=False):
        return _Done()


class _Done:
    def add_done_callback(self, callback):
        callback(self)


class Line:
    """One model and its circuit."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        database = scratch_database()
        self.limits = Limits(
            make_settings(), database, Unwritten(database), self.clock, Fingerprints(b"salt")
        )

    @property
    def left(self) -> float | None:
        """Seconds for which nobody may ask; None when somebody may."""
        limit = self.limits.in_force(MODEL)
        if limit is None or limit.ends_at is None:
            return None
        return (limit.ends_at - self.clock.now()).total_seconds()

    @property
    def guess(self) -> float:
        """Seconds until a sleeper asks again."""
        limit = self.limits.known(MODEL)
        assert limit is not None
        assert limit.not_before is not None
        return (limit.not_before - self.clock.now()).total_seconds()

    def fail(self, times: int = 1, *, asked_at: datetime | None = None) -> None:
        for _ in range(times):
            asked = asked_at or self.clock.now() + timedelta(microseconds=1)
            self.limits.failed(MODEL, Refusal(Outcome.UNAVAILABLE, "no answer"), asked_at=asked)

    def answer(self) -> None:
        self.limits.answered(MODEL, refuses=False)


def test_the_pause_of_a_circuit_doubles_up_to_ten_minutes() -> None:
    """Nothing before the third failure, then 30 s, 60 s ... 600 s, and anew after an answer."""
    circuits = CircuitBreaker(LIMITS)
    pauses = [circuits.failed("m") for _ in range(9)]
    assert pauses == [None, None, 30, 60, 120, 240, 480, 600, 600]
    assert circuits.failed("other") is None
    circuits.close("m")
    assert [circuits.failed("m") for _ in range(3)] == [None, None, 30]


async def test_failures_in_a_row_open_it_and_an_answer_between_does_not() -> None:
    """Three in a row keep everybody away; an answer starts the count anew."""
    line = Line()
    line.fail(2)
    line.answer()
    line.fail(2)
    assert line.left is None
    line.fail()
    assert line.left == 30
    limit = line.limits.in_force(MODEL)
    assert limit is not None
    assert (limit.is_outage, limit.reason) == (True, "no answer")
    assert limit.key == LimitKey("here", "", MODEL)
    assert line.limits.in_force("second") is None


async def test_after_the_pause_one_probe_goes_through() -> None:
    """While the probe runs all others stay away; its answer closes the circuit."""
    line = Line()
    line.fail(3)
    await line.clock.advance(30)
    assert line.left is None
    probed = line.limits.enter(MODEL, most_s=300)
    assert line.left == 1
    line.answer()
    line.limits.leave(probed)
    assert line.left is None
    assert line.limits.enter(MODEL, most_s=300) == ()


async def test_few_failures_keep_nobody_away_while_another_call_runs() -> None:
    """Before the circuit opens calls go side by side."""
    line = Line()
    line.fail()
    assert line.limits.enter(MODEL, most_s=300) == ()
    assert line.left is None


async def test_a_probe_that_is_cancelled_lets_the_next_one_try() -> None:
    """A cancelled probe says nothing; one that never reports costs its own time at most."""
    line = Line()
    line.fail(3)
    await line.clock.advance(30)
    line.limits.leave(line.limits.enter(MODEL, most_s=300))
    assert line.left is None
    line.limits.enter(MODEL, most_s=300)
    assert line.left == 1
    await line.clock.advance(300)
    assert line.left is None


async def test_failures_of_calls_sent_before_it_opened_say_nothing_new() -> None:
    """Thirty calls under way that fail together open it once, not ten times."""
    line = Line()
    line.fail(30, asked_at=line.clock.now())
    assert line.left == 30


async def test_a_guess_is_shared_until_it_is_over_and_then_grows() -> None:
    """Everybody sleeps until the same moment: a minute, then 2 min ... 29 min and its margin."""
    line = Line()
    line.fail()
    await line.clock.advance(10)
    line.fail()
    waits = [line.guess + 10]
    for _ in range(7):
        await line.clock.advance(line.guess)
        line.fail()
        waits.append(line.guess)
    least = [63, 120, 240, 480, 960, 1740, 1740, 1740]
    assert all(low <= wait <= low * 1.05 for low, wait in zip(least, waits, strict=True)), waits
    assert len(set(waits[5:])) == 3
    line.answer()
    line.fail()
    assert line.guess == 63


class AnyCircuit(RuleBasedStateMachine):
    """Whatever calls do, in whatever order their results come in."""

    def __init__(self) -> None:
        super().__init__()
        self.line = Line()
        self.under_way: list[datetime] = []
        self.row = 0

    @rule()
    def send(self) -> None:
        if self.line.left is None:
            self.under_way.append(self.line.clock.now())

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), result=st.sampled_from(["answered", "failed"]))
    def come_back(self, data: st.DataObject, result: str) -> None:
        asked_at = self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1)))
        was_open = self.line.left is not None
        if result == "answered":
            self.line.answer()
            self.row = 0
            assert self.line.left is None
        else:
            self.line.fail(asked_at=asked_at)
            self.row += 1
            if not was_open and self.row < LIMITS.circuit_failures:
                assert self.line.left is None
            if self.row >= LIMITS.circuit_failures:
                assert self.line.left is not None

    @rule(seconds=st.sampled_from([1, 29, 30, 600]))
    def wait(self, seconds: int) -> None:
        self.line.clock._now += timedelta(seconds=seconds)
        self.line.clock._monotonic += seconds

    @invariant()
    def a_pause_is_never_longer_than_ten_minutes(self) -> None:
        assert self.line.left is None or self.line.left <= LONGEST_PAUSE_S

    @invariant()
    def a_sleeper_never_waits_longer_than_half_an_hour(self) -> None:
        assert self.line.limits.known(MODEL) is None or self.line.guess <= 1800


TestAnyCircuit = AnyCircuit.TestCase
TestAnyCircuit.settings = settings(max_examples=examples(80), stateful_step_count=40, deadline=None)
