from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from noctule.core.clock import ManualClock
from noctule.core.settings import LimitsSettings
from noctule.models.circuits import LONGEST_PAUSE_S, Circuits, Trial
from tests.support.fuzzing import examples

LIMITS = LimitsSettings(circuit_failures=3, circuit_open=timedelta(seconds=30))


def make() -> tuple[Circuits, ManualClock]:
    clock = ManualClock()
    return Circuits(LIMITS, clock), clock


def enter(circuits: Circuits) -> Trial:
    trial = circuits.enter("m")
    assert trial is not None
    return trial


def fail(circuits: Circuits, times: int = 1) -> None:
    for _ in range(times):
        circuits.failed(enter(circuits), "no answer")


def left(circuits: Circuits, clock: ManualClock) -> float | None:
    until = circuits.open_until("m")
    return None if until is None else (until - clock.now()).total_seconds()


async def test_failures_in_a_row_open_it_and_an_answer_between_does_not() -> None:
    """Three in a row open the circuit; an answer starts the count anew."""
    circuits, clock = make()
    fail(circuits, 2)
    circuits.answered(enter(circuits))
    fail(circuits, 2)
    assert left(circuits, clock) is None
    fail(circuits)
    assert left(circuits, clock) == 30
    assert circuits.enter("m") is None
    assert circuits.words("m") == "no answer"
    assert circuits.open_until("other") is None


async def test_after_the_pause_one_probe_goes_through() -> None:
    """While the probe runs all others stay away; its answer closes the circuit."""
    circuits, clock = make()
    fail(circuits, 3)
    await clock.advance(30)
    assert left(circuits, clock) is None
    probe = enter(circuits)
    assert probe.probe
    assert circuits.enter("m") is None
    circuits.answered(probe)
    assert left(circuits, clock) is None
    assert not enter(circuits).probe


async def test_a_failed_probe_doubles_the_pause_up_to_ten_minutes() -> None:
    """30 s, 60 s, 120 s ... 600 s, and 30 s again after an answer."""
    circuits, clock = make()
    fail(circuits, 3)
    pauses = []
    for _ in range(7):
        pause = left(circuits, clock)
        assert pause is not None
        pauses.append(pause)
        await clock.advance(pause)
        fail(circuits)
    assert pauses == [30, 60, 120, 240, 480, 600, 600]
    await clock.advance(600)
    circuits.answered(enter(circuits))
    fail(circuits, 3)
    assert left(circuits, clock) == 30


async def test_a_probe_that_is_cancelled_lets_the_next_one_try() -> None:
    """A cancelled probe says nothing; one that never reports costs no more than a pause."""
    circuits, clock = make()
    fail(circuits, 3)
    await clock.advance(30)
    circuits.said_nothing(enter(circuits))
    assert enter(circuits).probe
    assert circuits.enter("m") is None
    await clock.advance(30)
    assert enter(circuits).probe


async def test_failures_of_calls_sent_before_it_opened_say_nothing_new() -> None:
    """Thirty calls under way that fail together open it once, not ten times."""
    circuits, clock = make()
    trials = [enter(circuits) for _ in range(30)]
    for trial in trials:
        circuits.failed(trial, "down")
    assert left(circuits, clock) == 30


async def test_a_guess_is_shared_until_it_is_over_and_then_doubles() -> None:
    """Everybody parks until the same moment: 60 s, then 120 s ... 30 min, anew after an answer."""
    circuits, clock = make()
    waits = []
    for _ in range(8):
        until = circuits.guess("m")
        assert circuits.guess("m") == until
        waits.append((until - clock.now()).total_seconds())
        await clock.advance(waits[-1])
    assert waits == [60, 120, 240, 480, 960, 1800, 1800, 1800]
    circuits.answered(enter(circuits))
    assert circuits.guess("m") == clock.now() + timedelta(seconds=60)


async def test_a_jump_of_the_wall_clock_does_not_disturb_a_pause() -> None:
    """Pauses are measured, not dated."""
    circuits, clock = make()
    fail(circuits, 3)
    clock.jump(7200)
    assert left(circuits, clock) == 30
    await clock.advance(30)
    assert left(circuits, clock) is None


class AnyCircuit(RuleBasedStateMachine):
    """Whatever calls do, in whatever order their results come in."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.circuits = Circuits(LIMITS, self.clock)
        self.under_way: list[Trial] = []
        self.row = 0
        self.probes: list[float] = []

    @rule()
    def send(self) -> None:
        trial = self.circuits.enter("m")
        assert (trial is None) == (self.circuits.open_until("m") is not None and trial is None)
        if trial is not None:
            self.under_way.append(trial)
            if trial.probe:
                self.probes.append(self.clock.monotonic())

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), result=st.sampled_from(["answered", "failed", "nothing"]))
    def come_back(self, data: st.DataObject, result: str) -> None:
        trial = self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1)))
        was_open = self.circuits.open_until("m") is not None
        if result == "answered":
            self.circuits.answered(trial)
            self.row = 0
            assert self.circuits.open_until("m") is None
        elif result == "failed":
            self.circuits.failed(trial, "down")
            self.row += 1
            if trial.probe or self.row >= LIMITS.circuit_failures:
                assert self.circuits.open_until("m") is not None
            elif not was_open:
                assert self.circuits.open_until("m") is None
        else:
            self.circuits.said_nothing(trial)

    @rule(seconds=st.sampled_from([1, 29, 30, 600]))
    def wait(self, seconds: int) -> None:
        self.clock._now += timedelta(seconds=seconds)
        self.clock._monotonic += seconds

    @invariant()
    def a_pause_is_never_longer_than_ten_minutes(self) -> None:
        until = self.circuits.open_until("m")
        assert until is None or until <= self.clock.now() + timedelta(seconds=LONGEST_PAUSE_S)

    @invariant()
    def an_open_circuit_lets_nobody_through(self) -> None:
        if self.circuits.open_until("m") is not None:
            assert self.circuits.enter("m") is None


TestAnyCircuit = AnyCircuit.TestCase
TestAnyCircuit.settings = settings(max_examples=examples(80), stateful_step_count=40, deadline=None)
