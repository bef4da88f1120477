"""How often a server that fails may be started again."""

from collections import deque

from noctule.core.clock import Clock


class RestartBudget:
    """Allows so many restarts within a window; each failure asks for one.

    Args:
        clock: measures the window.
        restarts: how many restarts the window allows; 0 means the first failure is final until
            the window has passed.
        window_seconds: how long a failure is held against it.
    """

    def __init__(self, clock: Clock, restarts: int = 3, window_seconds: float = 60.0) -> None:
        self._clock = clock
        self._restarts = restarts
        self._window_seconds = window_seconds
        self._failures: deque[float] = deque()

    @property
    def restarts(self) -> int:
        """How many restarts the window allows."""
        return self._restarts

    @property
    def window_seconds(self) -> float:
        """How long a failure is held against it."""
        return self._window_seconds

    def failed(self) -> None:
        """Note that the server could not start, or died."""
        self._failures.append(self._clock.monotonic())

    def wait_seconds(self) -> float:
        """Return how long no start is allowed; 0 means that one is allowed now."""
        now = self._clock.monotonic()
        while self._failures and now - self._failures[0] >= self._window_seconds:
            self._failures.popleft()
        if len(self._failures) <= self._restarts:
            return 0.0
        # With n restarts allowed, the failure n + 1 from the end has to age out of the window.
        oldest = self._failures[-self._restarts - 1]
        return oldest + self._window_seconds - now
