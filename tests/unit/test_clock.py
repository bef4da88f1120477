from noctule.core.clock import ScaledClock


async def test_a_scaled_clock_agrees_with_itself() -> None:
    """A sleep moves the wall and the monotonic seconds by at least its length, sooner in truth."""
    clock = ScaledClock(1000)
    wall, steady = clock.now(), clock.monotonic()
    await clock.sleep(20)
    assert (clock.now() - wall).total_seconds() >= 20
    assert clock.monotonic() - steady >= 20
