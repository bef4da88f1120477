from hypothesis import given
from hypothesis import strategies as st

from noctule.core.clock import ManualClock
from noctule.models.embedded.restarts import RestartBudget


async def test_fourth_failure_within_a_minute_forbids_the_next_start():
    """Three restarts in 60 s are allowed; after the fourth failure it waits for the first."""
    clock = ManualClock()
    budget = RestartBudget(clock)
    waits = []
    for _ in range(4):
        budget.failed()
        waits.append(budget.wait_seconds())
        await clock.advance(10)

    # failures at 0, 10, 20, 30: at 30 the one at 0 has 30 s to go.
    assert waits == [0, 0, 0, 30]
    await clock.advance(20)
    assert budget.wait_seconds() == 0


async def test_no_restart_means_one_failure_is_enough():
    """With 0 restarts the first failure closes the window."""
    clock = ManualClock()
    budget = RestartBudget(clock, restarts=0, window_seconds=5)
    assert budget.wait_seconds() == 0

    budget.failed()

    assert budget.wait_seconds() == 5


@given(
    pauses=st.lists(st.integers(min_value=0, max_value=90), max_size=30),
    restarts=st.integers(min_value=0, max_value=5),
)
async def test_starts_are_never_more_than_the_window_allows(pauses, restarts):
    """Whatever the pauses, no 60 s hold more than one start and its restarts; a wait is exact."""
    clock = ManualClock()
    budget = RestartBudget(clock, restarts=restarts)
    starts = []
    for pause in pauses:
        await clock.advance(pause)
        wait = budget.wait_seconds()
        if wait:
            assert 0 < wait <= 60
            await clock.advance(wait)
            assert budget.wait_seconds() == 0
        starts.append(clock.monotonic())
        budget.failed()

    for moment in starts:
        assert sum(moment <= start < moment + 60 for start in starts) <= restarts + 1
