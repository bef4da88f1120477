"""Circuits: a model that fails again and again, or is slow, is left alone for a while.

Closed, it is asked. After some failures in a row it opens and nobody asks it for a pause, which
``Limits`` stores for all to see. When the pause is over one call probes it: an answer closes it,
failure opens it for twice as long.
"""

from dataclasses import dataclass

from noctule.core.settings.limits import LimitsSettings

LONGEST_PAUSE_S = 600.0
_MOST_DOUBLINGS = 16


@dataclass(slots=True)
class _Circuit:
    """Failures in a row, and how often they opened it."""

    failures: int = 0
    openings: int = 0


class CircuitBreaker:
    """Counts the failures of every model, in the memory of this process.

    Args:
        limits: how many failures open one, for how long.
    """

    def __init__(self, limits: LimitsSettings) -> None:
        self._failures = limits.circuit_failures
        self._pause_s = limits.circuit_open.total_seconds()
        self._circuits: dict[str, _Circuit] = {}

    def failed(self, model: str) -> float | None:
        """Count a failure; return the seconds to leave the model alone, None while it may be asked.

        Args:
            model: which one was unreachable, timed out or slow.
        """
        circuit = self._circuits.setdefault(model, _Circuit())
        circuit.failures += 1
        if circuit.failures < self._failures:
            return None
        doublings = min(circuit.openings, _MOST_DOUBLINGS)
        circuit.openings += 1
        return min(self._pause_s * 2.0**doublings, max(LONGEST_PAUSE_S, self._pause_s))

    def close(self, model: str) -> None:
        """Begin to count anew: something was there and answered in time, or a person says so."""
        self._circuits.pop(model, None)
