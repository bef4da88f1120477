import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping

import pytest

from noctule.core.clock import ManualClock
from noctule.core.settings import Settings
from noctule.models.capacity.caps import shared_caps
from noctule.models.capacity.shared_concurrency import SharedSlots
from tests.support.command_line import ROLES
from tests.support.stage import settle

SHARED = {"model:m": "model:m", "endpoint:e": "endpoint:e"}


class Office:
    """Room among all workers, given first come first served; counts what it is asked."""

    def __init__(self) -> None:
        self.held: dict[tuple[int, str], Mapping[str, int]] = {}
        self.asked = 0
        self.left = 0
        self._tells: list[Callable[[str], None]] = []

    def service(self) -> "Desk":
        return Desk(self, len(self._tells))

    def used(self) -> Counter[str]:
        return Counter(cap for caps in self.held.values() for cap in caps)


class Desk:
    """Where one worker asks."""

    def __init__(self, bot: Office, number: int) -> None:
        self._bot = bot
        self._number = number

    async def take(self, permit_id: str, caps: Mapping[str, int], *, rank: int) -> Collection[str]:
        self._bot.asked += 1
        await settle(1)
        used = self._bot.used()
        full = [cap for cap, most in caps.items() if used[cap] >= most]
        if not full:
            self._bot.held[self._number, permit_id] = dict(caps)
        return full

    def give_back(self, permit_id: str) -> None:
        self._bot.left += 1
        for cap in self._bot.held.pop((self._number, permit_id), {}):
            for tell in self._bot._tells:
                tell(cap)

    def on_room(self, tell: Callable[[str], None]) -> None:
        self._bot._tells.append(tell)


def workers(bot: Office, clock: ManualClock, number: int, **caps: int) -> list[SharedSlots]:
    most = {name.replace("_", ":"): value for name, value in caps.items()}
    return [SharedSlots(most, clock, bot.service(), SHARED) for _ in range(number)]


async def take(slots: SharedSlots, *options: str, patience_s: float | None = None):
    ways = [[option] for option in options]
    return await slots.take(ways, slots.ticket(urgent=False), patience_s=patience_s)


async def test_workers_share_the_room_under_a_cap() -> None:
    """Three workers under a cap of two let two calls through, and the others one by one."""
    bot, clock = Office(), ManualClock()
    three = workers(bot, clock, 3, model_m=2)
    calls = [asyncio.create_task(take(slots, "model:m")) for slots in three for _ in range(4)]
    seen = []
    for _ in range(len(calls)):
        await settle()
        ready = [call for call in calls if call.done()]
        seen.append(bot.used()["model:m"])
        first = ready[0]
        calls.remove(first)
        slot = first.result()
        assert slot is not None
        slot.release()
    assert (max(seen), calls, bot.held) == (2, [], {})


async def test_a_full_cap_costs_one_question_until_room_is_told() -> None:
    """A hundred calls that wait under a full cap ask once, and once in two seconds."""
    bot, clock = Office(), ManualClock()
    one, two = workers(bot, clock, 2, model_m=1)
    slot = await take(one, "model:m")
    waiting = [asyncio.create_task(take(two, "model:m")) for _ in range(100)]
    await settle()
    assert bot.asked == 2
    for _ in range(10):
        await clock.advance(1)
        await settle()
    assert bot.asked <= 2 + 5
    assert slot is not None
    slot.release()
    await settle()
    assert sum(call.done() for call in waiting) == 1
    for call in waiting:
        call.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await two.close()


async def test_a_full_cap_elsewhere_leaves_the_other_options() -> None:
    """Who may go two ways takes the one that other workers leave room on."""
    bot, clock = Office(), ManualClock()
    one, two = workers(bot, clock, 2, model_m=1, endpoint_e=1)
    assert await take(one, "model:m") is not None
    slot = await take(two, "model:m", "endpoint:e")
    assert slot is not None
    assert slot.option == 1
    assert await take(two, "model:m", patience_s=0) is None
    await two.close()


async def test_nothing_stays_taken_by_who_leaves() -> None:
    """Patience that runs out and a call that is cancelled give their place back."""
    bot, clock = Office(), ManualClock()
    one, two = workers(bot, clock, 2, model_m=1)
    slot = await take(one, "model:m")
    impatient = asyncio.create_task(take(two, "model:m", patience_s=5))
    cancelled = asyncio.create_task(take(two, "model:m"))
    await settle()
    cancelled.cancel()
    for _ in range(6):
        await clock.advance(1)
        await settle()
    assert await impatient is None
    assert bot.left == 2
    assert slot is not None
    slot.release()
    assert bot.held == {}
    await two.close()


def test_caps_of_this_machine_hold_for_this_machine() -> None:
    """A hosted model's cap holds everywhere, a loopback server's here, llama.cpp's per process."""
    settings = Settings.model_validate(
        {
            "endpoints": {
                "cloud": {
                    "kind": "openai",
                    "url": "https://models.example/v1",
                    "max_concurrent": 2,
                },
                "here": {"kind": "ollama"},
                "inside": {"kind": "embedded"},
            },
            "models": {
                "big": {"endpoint": "cloud", "name": "big", "max_concurrent": 1},
                "small": {"endpoint": "here", "name": "small"},
                "tiny": {"endpoint": "inside", "name": "tiny"},
            },
            "roles": {role: {"primary": "big", "max_concurrent": 3} for role in ROLES},
        }
    )
    shared = shared_caps(settings)
    assert {cap: shared.get(cap) for cap in ("role:chat", "model:big", "endpoint:cloud")} == {
        "role:chat": "role:chat",
        "model:big": "model:big",
        "endpoint:cloud": "endpoint:cloud",
    }
    assert shared["model:small"].startswith("model:small@")
    assert "model:tiny" not in shared


pytestmark = pytest.mark.timeout(60)
