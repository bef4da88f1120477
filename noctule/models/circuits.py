"""Circuits: a model that fails again and again, or is slow, is left alone for a while.

Closed, it is asked. After some failures in a row it opens and nobody asks it for a pause. When
the pause is over one call probes it: an answer closes it, failure opens it for twice as long. A
probe that never reports back costs no more than its pause: then the next one may try.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from noctule.core.clock import Clock
from noctule.core.settings.limits import LimitsSettings

LONGEST_PAUSE_S = 600.0
_FIRST_GUESS_S = 60.0
_LONGEST_GUESS_S = 1800.0
_MOST_DOUBLINGS = 16


@dataclass(frozen=True, slots=True)
class Trial:
    """One call that was let through.

    Args:
        model: whose circuit it passed.
        probe: True when it is the one that tries whether a pause may end.
    """

    model: str
    probe: bool = False


@dataclass(slots=True)
class _Circuit:
    """The state of one model; times are the clock's monotonic seconds."""

    failures: int = 0
    openings: int = 0
    until: float | None = None
    words: str = ""
    guesses: int = 0
    guess_until: float = 0.0


class Circuits:
    """The circuits of every model, in the memory of this process.

    Args:
        limits: how many failures open one, for how long.
        clock: times the pauses; a jump of the wall clock does not disturb them.
    """

    def __init__(self, limits: LimitsSettings, clock: Clock) -> None:
        self._failures = limits.circuit_failures
        self._pause_s = limits.circuit_open.total_seconds()
        self._clock = clock
        self._circuits: dict[str, _Circuit] = {}

    def open_until(self, model: str) -> datetime | None:
        """Return when a model may be asked again; None when it may be asked now."""
        circuit = self._circuits.get(model)
        if circuit is None or circuit.until is None:
            return None
        left = circuit.until - self._clock.monotonic()
        return self._clock.now() + timedelta(seconds=left) if left > 0 else None

    def words(self, model: str) -> str:
        """Return what the last failure of a model said; "" when it never failed."""
        circuit = self._circuits.get(model)
        return "" if circuit is None else circuit.words

    def enter(self, model: str) -> Trial | None:
        """Let a call through; None when the model is to be left alone.

        The first one after a pause is the probe; the circuit stays open for all others while
        it runs, for another pause at most.
        """
        circuit = self._circuits.get(model)
        if circuit is None or circuit.until is None:
            return Trial(model)
        now = self._clock.monotonic()
        if now < circuit.until:
            return None
        circuit.until = now + self._pause(circuit)
        return Trial(model, probe=True)

    def answered(self, trial: Trial) -> None:
        """Close the circuit: something was there and answered in time, be it with a refusal."""
        self._circuits.pop(trial.model, None)

    def failed(self, trial: Trial, words: str) -> None:
        """Count a failure (unreachable, timed out, slow); it opens the circuit or keeps it open.

        Args:
            trial: the call that failed.
            words: what happened, for people.
        """
        circuit = self._circuits.setdefault(trial.model, _Circuit())
        circuit.failures += 1
        circuit.words = words
        now = self._clock.monotonic()
        paused = circuit.until is not None and now < circuit.until
        if paused and not trial.probe:
            return  # it was sent before the pause began and says nothing new
        if trial.probe or circuit.failures >= self._failures:
            circuit.openings += 1
            circuit.until = now + self._pause(circuit)

    def said_nothing(self, trial: Trial) -> None:
        """Note that a call ended without telling anything (it was cancelled)."""
        circuit = self._circuits.get(trial.model)
        if trial.probe and circuit is not None and circuit.until is not None:
            circuit.until = self._clock.monotonic()  # the next call may probe at once

    def guess(self, model: str) -> datetime:
        """Return when a model that fails may be worth another try: 60 s, doubled up to 30 min.

        The guess is kept until it is over, so that everybody who asks meanwhile waits for the
        same moment; it grows when it turns out to have been too early.
        """
        circuit = self._circuits.setdefault(model, _Circuit())
        now = self._clock.monotonic()
        if now >= circuit.guess_until:
            wait = _FIRST_GUESS_S * 2 ** min(circuit.guesses, _MOST_DOUBLINGS)
            circuit.guesses += 1
            circuit.guess_until = now + min(wait, _LONGEST_GUESS_S)
        until = max(circuit.guess_until, circuit.until or 0.0)
        return self._clock.now() + timedelta(seconds=until - now)

    def _pause(self, circuit: _Circuit) -> float:
        doublings = min(max(circuit.openings - 1, 0), _MOST_DOUBLINGS)
        return min(self._pause_s * 2.0**doublings, max(LONGEST_PAUSE_S, self._pause_s))
