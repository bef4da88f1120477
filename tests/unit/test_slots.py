import asyncio
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from noctule.core.clock import ManualClock
from noctule.models.capacity.concurrency import OVERTAKEN_AT_MOST, ConcurrencyLimiter, Slot
from tests.support.fuzzing import examples
from tests.support.stage import settle

WHERE = ["role:r", "model:m", "endpoint:e"]


def make(clock: ManualClock | None = None, **caps: int) -> ConcurrencyLimiter:
    return ConcurrencyLimiter(
        {name.replace("_", ":"): most for name, most in caps.items()}, clock or ManualClock()
    )


async def take(
    slots: ConcurrencyLimiter, *caps: str, urgent: bool = False, patience_s: float | None = None
) -> Slot | None:
    return await slots.take([caps], slots.ticket(urgent=urgent), patience_s=patience_s)


def release(slot: Slot | None) -> None:
    assert slot is not None
    slot.release()


async def test_what_is_not_capped_never_waits() -> None:
    """Without a cap any number of slots is given at once."""
    slots = make(model_other=1)
    taken = [await take(slots, *WHERE) for _ in range(100)]
    assert all(taken)
    assert slots.waiting == 0


async def test_a_slot_counts_against_every_cap_until_it_is_released_once() -> None:
    """Releasing gives all caps back; releasing twice gives back nothing more."""
    slots = make(role_r=2, model_m=2)
    first, second = await take(slots, *WHERE), await take(slots, *WHERE)
    assert first is not None
    assert second is not None
    assert (slots.used("role:r"), slots.used("model:m")) == (2, 2)
    first.release()
    first.release()
    assert (slots.used("role:r"), slots.used("model:m")) == (1, 1)
    with second:
        pass
    assert slots.used("role:r") == 0


async def test_patience_runs_out_on_the_clock() -> None:
    """Who waits longer than their patience gets nothing and leaves the line."""
    clock = ManualClock()
    slots = make(clock, model_m=1)
    held = await take(slots, "model:m")
    assert held is not None
    waiting = asyncio.create_task(take(slots, "model:m", patience_s=30))
    await settle()
    await clock.advance(29)
    assert not waiting.done()
    await clock.advance(2)
    assert await waiting is None
    assert slots.waiting == 0
    held.release()
    assert slots.used("model:m") == 0


async def test_no_patience_does_not_wait() -> None:
    """A patience of 0 takes what is free and nothing else."""
    slots = make(model_m=1)
    held = await take(slots, "model:m", patience_s=0)
    assert held is not None
    assert await take(slots, "model:m", patience_s=0) is None
    assert slots.waiting == 0


async def test_the_line_is_first_come_first_served_within_a_rank() -> None:
    """Urgent calls go before the others; within each kind the order is that of arrival."""
    slots = make(model_m=1)
    held = await take(slots, "model:m")
    assert held is not None
    order: list[str] = []

    async def go(name: str, *, urgent: bool) -> None:
        slot = await take(slots, "model:m", urgent=urgent)
        assert slot is not None
        order.append(name)
        slot.release()

    names = [("a", False), ("b", False), ("C", True), ("d", False), ("E", True)]
    tasks = [asyncio.create_task(go(name, urgent=urgent)) for name, urgent in names]
    await settle()
    held.release()
    await asyncio.gather(*tasks)
    assert order == ["C", "E", "a", "b", "d"]


async def test_nobody_holds_one_cap_while_waiting_for_another() -> None:
    """A call that waits for its model leaves the endpoint to others."""
    slots = make(model_m=1, endpoint_e=1)
    held = await take(slots, "model:m")
    waiting = asyncio.create_task(take(slots, "model:m", "endpoint:e"))
    await settle()
    other = await take(slots, "endpoint:e", patience_s=0)
    assert other is not None
    other.release()
    assert held is not None
    held.release()
    assert await waiting is not None


async def test_the_best_of_several_options_is_taken_and_any_will_do() -> None:
    """Waiting for several models ends with the first that has room, the best one if many have."""
    slots = make(model_a=1, model_b=1)
    options = [["model:a"], ["model:b"]]
    first = await slots.take(options, slots.ticket(urgent=False), patience_s=None)
    second = await slots.take(options, slots.ticket(urgent=False), patience_s=None)
    assert first is not None
    assert second is not None
    assert (first.option, second.option) == (0, 1)
    waiting = asyncio.create_task(slots.take(options, slots.ticket(urgent=False), patience_s=None))
    await settle()
    second.release()
    third = await waiting
    assert third is not None
    assert third.option == 1


async def test_a_call_keeps_its_place_in_the_line() -> None:
    """Who came first goes first, also when it only now asks for this model."""
    slots = make(model_m=1)
    held = await take(slots, "model:m")
    early = slots.ticket(urgent=False)
    late = asyncio.create_task(take(slots, "model:m"))
    await settle()
    first = asyncio.create_task(slots.take([["model:m"]], early, patience_s=None))
    await settle()
    assert held is not None
    held.release()
    await settle()
    assert (first.done(), late.done()) == (True, False)
    slot = await first
    assert slot is not None
    slot.release()
    assert await late is not None


async def test_a_call_that_needs_two_caps_is_not_starved_by_those_that_need_one() -> None:
    """Overtaken a few times, it has room kept for it: both caps need never be free by chance."""
    caps = ("role:r", "endpoint:e")
    slots = make(role_r=1, endpoint_e=1)
    held = [await take(slots, cap) for cap in caps]
    both = asyncio.create_task(take(slots, *caps))
    await settle()
    overtaken, following = 0, None
    for turn in range(4 * OVERTAKEN_AT_MOST):
        following = asyncio.create_task(take(slots, caps[turn % 2]))
        await settle(3)
        release(held[turn % 2])
        await settle(3)
        if not following.done():
            release(held[1 - turn % 2])
            break
        overtaken += 1
        held[turn % 2] = following.result()
    assert overtaken == OVERTAKEN_AT_MOST
    release(await both)
    assert following is not None
    release(await following)
    assert (slots.waiting, [slots.used(cap) for cap in caps]) == (0, [0, 0])


async def test_a_slot_given_in_the_same_step_as_a_cancellation_is_not_lost() -> None:
    """A waiter cancelled after its turn came gives the slot on."""
    slots = make(model_m=1)
    held = await take(slots, "model:m")
    waiting = asyncio.create_task(take(slots, "model:m"))
    await settle()
    assert held is not None
    held.release()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert waiting.cancelled()
    assert (slots.used("model:m"), slots.waiting) == (0, 0)


CAPS = {"role:a": 1, "role:b": 2, "model:x": 1, "model:y": 3, "endpoint:e": 2}
NAMES = sorted(CAPS)
JOBS = st.lists(
    st.fixed_dictionaries(
        {
            "options": st.lists(
                st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True),
                min_size=1,
                max_size=3,
            ),
            "urgent": st.booleans(),
            "begins": st.integers(0, 12),
            "lasts": st.integers(0, 6),
            "cancelled": st.one_of(st.none(), st.integers(0, 20)),
            "patience": st.sampled_from([None, None, 0.0, 1.0, 3.0]),
        }
    ),
    max_size=25,
)


@settings(max_examples=examples(150), deadline=None)
@given(jobs=JOBS)
def test_whatever_is_cancelled_caps_hold_and_no_slot_leaks(jobs: list[dict]) -> None:
    """Under random load and cancellations no cap is exceeded, all end, everything comes back."""
    asyncio.run(_load(jobs))


async def _load(jobs: list[dict]) -> None:
    clock = ManualClock()
    slots = ConcurrencyLimiter(CAPS, clock)
    running: Counter[str] = Counter()

    async def work(job: dict) -> None:
        for _ in range(job["begins"]):
            await clock.sleep(0)
        ticket = slots.ticket(urgent=job["urgent"])
        slot = await slots.take(job["options"], ticket, patience_s=job["patience"])
        if slot is None:
            return
        caps = job["options"][slot.option]
        with slot:
            running.update(caps)
            try:
                assert all(running[cap] <= CAPS[cap] for cap in caps)
                for _ in range(job["lasts"]):
                    await clock.sleep(0)
            finally:
                running.subtract(caps)

    tasks = [asyncio.create_task(work(job)) for job in jobs]
    for step in range(24):
        for task, job in zip(tasks, jobs, strict=True):
            if job["cancelled"] == step:
                task.cancel()
        await clock.advance(0.5)
    await settle(40 * len(jobs) + 10)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [r for r in results if isinstance(r, Exception)] == []
    assert slots.waiting == 0
    assert {cap: slots.used(cap) for cap in CAPS} == dict.fromkeys(CAPS, 0)
