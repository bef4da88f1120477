"""Which models are loaded before anybody asks, and when again."""

from types import SimpleNamespace
from typing import Any, cast

from noctule.cli.models import warm_start
from noctule.cli.models.warm_start import WarmStart, worth_warming
from noctule.config import load_text
from noctule.core.clock import ManualClock
from tests.support.command_line import ROLES

GB = 1_000_000_000


def settings(tmp_path, more="", **primaries):
    """Return a configuration with three models of an Ollama and one of a hosted service."""
    roles = "".join(f"  {role}: {{primary: {primaries.get(role, 'quick')}}}\n" for role in ROLES)
    text = (
        "endpoints:\n"
        "  local: {kind: ollama}\n"
        "  away: {kind: ollama, url: 'https://ollama.example'}\n"
        "  off: {kind: ollama, keep_alive: 0s}\n"
        "  cloud: {kind: openai, url: 'https://models.example/v1'}\n"
        "models:\n"
        "  quick: {endpoint: local, name: quick, memory_gb: 6}\n"
        "  again: {endpoint: local, name: quick, memory_gb: 6}\n"
        "  large: {endpoint: local, name: large, memory_gb: 16}\n"
        "  unsized: {endpoint: local, name: unsized}\n"
        "  far: {endpoint: away, name: far}\n"
        "  brief: {endpoint: off, name: brief}\n"
        "  hosted: {endpoint: cloud, name: hosted}\n"
        f"roles:\n{roles}{more}"
    )
    return load_text(text, environ={}, folder=tmp_path, file="config.yaml")


def test_primaries_are_loaded_as_far_as_they_fit(tmp_path):
    """Who decides first; nothing twice, nothing hosted or far, nothing that pushes another out."""
    cases = {
        "one for all": (settings(tmp_path), 16, ["quick"]),
        "two that fit": (settings(tmp_path, writer="large"), 64, ["quick", "large"]),
        "two that do not": (settings(tmp_path, writer="large"), 24, ["quick"]),
        "the first too large": (settings(tmp_path, orchestrator="large"), 16, ["quick"]),
        "the same twice": (settings(tmp_path, writer="again"), 64, ["quick"]),
        "of unknown size": (settings(tmp_path, writer="unsized"), 64, ["quick"]),
        "of unknown size, first": (
            settings(tmp_path, orchestrator="unsized"),
            64,
            ["unsized", "quick"],
        ),
        "memory unknown": (settings(tmp_path, writer="large"), None, ["quick", "large"]),
        "elsewhere": (
            settings(tmp_path, writer="hosted", engineer="far", research="brief"),
            64,
            ["quick"],
        ),
        "switched off": (settings(tmp_path, "warm_at_start: false\n"), 64, []),
    }
    wrong = {}
    for name, (read, gb, expected) in cases.items():
        found = worth_warming(read, None if gb is None else gb * GB)
        if found != expected:
            wrong[name] = found
    assert wrong == {}


async def test_models_are_loaded_again_after_the_machine_slept(tmp_path):
    """Once at the start, once after each long suspension, and not after a short one."""
    clock, loads = ManualClock(), []

    class Client:
        async def warm(self, name):
            loads.append(name)

    records = SimpleNamespace(settings=settings(tmp_path), clock=clock)
    runtime = SimpleNamespace(
        records=records, models=SimpleNamespace(client=lambda _endpoint: Client())
    )
    said = []
    async with WarmStart(cast("Any", runtime), said.append, None).warming():
        for suspended_s, expected in ((0, 1), (10, 1), (3600, 2), (0, 2)):
            clock.suspend(suspended_s)
            await clock.advance(warm_start._LOOK_S + 1)
            for _ in range(20):
                await clock.sleep(0)
            assert len(loads) == expected, (suspended_s, loads)
    assert said[0].startswith("quick: loaded in")
