from dataclasses import replace
from datetime import UTC, timedelta
from decimal import Decimal

import pytest

from noctule.bootstrap import prompt_rooms
from noctule.config import load_text
from noctule.core.clock import SystemClock
from noctule.core.llm.attempts import CostSource, Usage
from noctule.core.provider_errors.outcomes import Outcome
from noctule.doctor import machine
from noctule.doctor.bindings import advise
from noctule.doctor.finding import Level
from noctule.doctor.presence import compare, missing_models
from noctule.doctor.prompts import prompt_findings
from noctule.doctor.told_windows import told_windows
from noctule.doctor.traffic import traffic
from noctule.models.base.client import PresentModel
from tests.support.stored_records import NOON, an_attempt, later

BASE = """\
endpoints:
  local: {kind: ollama}
  far: {kind: openai, url: "https://far.example/v1", key: "${FAR_KEY}"}
  other: {kind: openai, url: "https://other.example/v1"}
models:
  qwen: {endpoint: local, name: qwen3.5, context: 8192, memory_gb: 4}
  gemma: {endpoint: local, name: "gemma4:26b", memory_gb: 16}
  cheap: {endpoint: other, name: cheap-1, price: {input: 1, output: 2}}
  big: {endpoint: far, name: big-1, tier: frontier, price: {input: 3, output: 15}}
roles:
  chat: {primary: qwen, fallback: cheap}
  orchestrator: {primary: qwen}
  engineer: {primary: qwen}
  research: {primary: big, fallback: qwen}
  writer: {primary: qwen}
  utility: {primary: qwen}
"""


def settings(tmp_path, *changes):
    """Load the base configuration with some texts replaced."""
    text = BASE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return load_text(text, environ={"FAR_KEY": "k" * 20}, folder=tmp_path, file="test")


def advice(tmp_path, *changes, environ=None):
    """Return about and sentence of every advice on a changed configuration."""
    found = list(advise(settings(tmp_path, *changes), environ or {}))
    assert all(finding.level is Level.ADVICE and finding.fix for finding in found)
    return [(finding.about, finding.sentence) for finding in found]


def test_sound_bindings_get_no_advice(tmp_path):
    """Small local models inside, a fallback elsewhere: nothing to say."""
    assert advice(tmp_path) == []


@pytest.mark.parametrize(
    ("binding", "says"),
    [
        ("{primary: big}", "a frontier model"),
        ("{primary: qwen, thinking: true}", "thinks before it decides"),
        ("{primary: cheap}", "each call to cheap costs money"),
    ],
)
def test_a_slow_or_dear_router_is_advised_against(tmp_path, binding, says):
    """Every turn waits for the router and pays for it."""
    old = "orchestrator: {primary: qwen}"
    found = advice(tmp_path, (old, f"orchestrator: {binding}"))
    assert any(says in sentence for _, sentence in found)
    assert {about for about, _ in found} == {"role orchestrator"}


def test_a_thinking_model_may_route_when_it_is_told_not_to_think(tmp_path):
    """The role's own word counts before the model's nature."""
    thinker = ("context: 8192", "thinking: true")
    assert len(advice(tmp_path, thinker)) == 1
    told = ("orchestrator: {primary: qwen}", "orchestrator: {primary: qwen, thinking: false}")
    assert advice(tmp_path, thinker, told) == []


def test_a_fallback_behind_the_same_server_and_key_is_no_fallback(tmp_path):
    """Roles with the same fault are named together; one fallback elsewhere is enough."""
    writer = ("writer: {primary: qwen}", "writer: {primary: qwen, fallback: gemma}")
    engineer = ("engineer: {primary: qwen}", "engineer: {primary: qwen, fallback: gemma}")
    ((about, sentence),) = advice(tmp_path, writer, engineer)
    assert (about, sentence.startswith("engineer, writer: ")) == ("roles", True)
    enough = ("writer: {primary: qwen}", "writer: {primary: qwen, fallback: [gemma, cheap]}")
    assert advice(tmp_path, enough) == []


def test_more_calls_at_once_than_ollama_serves_queue_unseen(tmp_path):
    """Its default is one; the variable counts for this machine."""
    two = ("memory_gb: 4}", "memory_gb: 4, max_concurrent: 2}")
    ((about, sentence),) = advice(tmp_path, two)
    assert (about, "1 by default" in sentence) == ("model qwen", True)
    assert advice(tmp_path, two, environ={"OLLAMA_NUM_PARALLEL": "2"}) == []


@pytest.mark.parametrize(
    ("flaw", "choice", "level", "says", "fix"),
    [
        (None, "auto", Level.OK, "run in it", None),
        ("tools.sandbox is none.", "none", Level.OK, "asked about each command", None),
        ("It is not there. Install it.", "auto", Level.ADVICE, "It is not there.", "Install it."),
        ("This is no Linux.", "auto", Level.ADVICE, "This is no Linux.", "tools.permissions"),
    ],
)
def test_a_missing_sandbox_is_told_with_what_it_means(tmp_path, flaw, choice, level, says, fix):
    """Whoever leaves work for the night learns beforehand that each command would ask."""
    there = settings(tmp_path, ("endpoints:", f"tools: {{sandbox: {choice}}}\nendpoints:"))
    (finding,) = machine.sandbox(flaw, there)
    assert (finding.level, says in finding.sentence) == (level, True)
    (finding,) = machine.sandbox(flaw, there, mac=True)
    assert ("not been run on a Mac" in finding.sentence) == (flaw is None)
    assert (finding.fix is None) if fix is None else (fix in finding.fix)


def presence(tmp_path, *present, changes=()):
    """Return level and sentence for each finding about Ollama's models."""
    found = compare(settings(tmp_path, *changes), "local", present)
    return [(finding.level, finding.sentence) for finding in found]


def test_a_model_that_is_there_is_well(tmp_path):
    """The tag :latest goes without saying; models no role uses are not asked for."""
    there = PresentModel("qwen3.5:latest", 32768, 8192, None, frozenset({"tools"}))
    assert presence(tmp_path, there) == [(Level.OK, "local has qwen3.5.")]
    assert missing_models(settings(tmp_path), "local", [there]) == []
    assert missing_models(settings(tmp_path), "local", []) == ["qwen"]


@pytest.mark.parametrize(
    ("declared", "present", "level", "says"),
    [
        (
            "tools: true",
            {"capabilities": frozenset()},
            Level.WARNING,
            "Configured with tools: true",
        ),
        ("tier: mid", {"capabilities": frozenset()}, Level.ADVICE, "does not report tool support"),
        ("tools: false", {"capabilities": frozenset()}, Level.OK, "local has"),
        ("tools: true", {"capabilities": None}, Level.OK, "local has"),
        ("vision: true", {"capabilities": frozenset({"tools"})}, Level.WARNING, "vision: true"),
        ("thinking: true", {"capabilities": frozenset({"tools"})}, Level.ADVICE, "thinking: true"),
        ("tools: false", {"loaded_context": 4096}, Level.WARNING, "cut silently"),
        ("tools: false", {"loaded_context": 32768}, Level.WARNING, "takes more memory"),
        ("tools: false", {"context": 2048}, Level.WARNING, "holds only 2048 tokens"),
    ],
)
def test_what_was_declared_is_held_against_what_is_there(tmp_path, declared, present, level, says):
    """Capabilities and context windows that do not fit are findings, unknown ones are not."""
    changes = [("memory_gb: 4}", f"memory_gb: 4, {declared}}}")]
    found = presence(tmp_path, PresentModel("qwen3.5:latest", **present), changes=changes)
    assert [(one, says in sentence) for one, sentence in found] == [(level, True)]


def test_a_hosted_model_may_be_listed_under_a_dated_name(tmp_path):
    """A short name of a dated one is there; what is not listed is a warning, not an error."""
    own = settings(tmp_path)
    for name in ("big-1-20261101", "models/big-1"):
        assert next(iter(compare(own, "far", [PresentModel(name)]))).level is Level.OK
    assert next(iter(compare(own, "far", [PresentModel("x")]))).level is Level.WARNING
    assert list(compare(own, "far", [])) == []


def test_models_that_do_not_fit_into_memory_together_are_told(tmp_path):
    """Only models that roles use and that stay loaded count, each once."""
    own = settings(tmp_path, ("writer: {primary: qwen}", "writer: {primary: gemma}"))
    assert machine.staying(own) == ["qwen", "gemma"]
    (finding,) = machine.memory(own, 16_000_000_000)
    assert (finding.level, "20.0 GB" in finding.sentence) == (Level.WARNING, True)
    (finding,) = machine.memory(own, 64_000_000_000)
    assert finding.level is Level.OK
    assert list(machine.memory(own, None)) == []
    leaves = settings(tmp_path, ("{kind: ollama}", "{kind: ollama, keep_alive: 0s}"))
    elsewhere = settings(tmp_path, ("{kind: ollama}", '{kind: ollama, url: "http://10.0.0.9:1"}'))
    assert machine.staying(leaves) == machine.staying(elsewhere) == []


def test_unknown_sizes_are_said_not_guessed(tmp_path):
    """A model without memory_gb is named."""
    own = settings(tmp_path, (", memory_gb: 4", ""))
    (finding,) = machine.memory(own, 64_000_000_000)
    assert (finding.level, "qwen" in finding.sentence) == (Level.ADVICE, True)


def test_utc_by_accident_is_worth_a_word(tmp_path):
    """Where nobody chose a zone and it is UTC, the setting is named."""
    own = settings(tmp_path)
    (finding,) = machine.time_zone(own, UTC, NOON, {})
    assert (finding.level, "timezone" in str(finding.fix)) == (Level.ADVICE, True)
    (finding,) = machine.time_zone(own, UTC, NOON, {"TZ": "UTC"})
    assert finding.level is Level.OK


def cost(model, usage, at):
    """Ten dollars per thousand answers on the big one."""
    return (Decimal("0.01") if model == "big" else Decimal(0)), CostSource.CONFIG


def test_little_traffic_is_told_after_a_week(tmp_path):
    """Silent in the first week, with much to do, and when everything is local."""
    own, now = settings(tmp_path), later(0) + timedelta(days=8)
    answers = [replace(an_attempt(f"a{n}"), usage=Usage(10, 10)) for n in range(20)]
    (finding,) = traffic(own, answers, cost, now)
    assert "All 20 answers" in finding.sentence
    assert "$0.20 on big alone" in finding.sentence
    assert list(traffic(own, answers, cost, later(60))) == []
    assert list(traffic(own, answers * 30, cost, now)) == []
    assert list(traffic(own, [], cost, now)) == []
    local = settings(
        tmp_path, ("primary: big, fallback: qwen", "primary: qwen"), (", fallback: cheap", "")
    )
    assert list(traffic(local, answers, cost, now)) == []


async def test_tools_that_leave_no_room_in_a_window_are_found(tmp_path):
    """By role, with the sizes, the largest tools and what to do; with room nothing is said."""
    found = {}
    every = "tools: [files, shell, python, web, ask, notes, sessions]"
    for context in (2048, 4096, 32_768):
        changed = settings(
            tmp_path,
            ("context: 8192", f"context: {context}"),
            ("engineer: {primary: qwen}", f"engineer: {{primary: qwen, {every}}}"),
        )
        rooms = await prompt_rooms(changed, SystemClock())
        found[context] = [one for one in prompt_findings(rooms) if one.about == "role engineer"]
    (none,), (little,) = found[2048], found[4096]
    assert (none.level, little.level) == (Level.ERROR, Level.WARNING)
    assert "no room for a task: " in none.sentence
    assert "qwen holds 2,048" in none.sentence
    assert "The largest: " in none.sentence
    assert "roles.engineer.tools" in str(none.fix)
    assert found[32_768] == []


def test_a_window_that_a_server_named_is_told(tmp_path):
    """What the server said against what is set; silent once a longer prompt was answered."""
    own, now = settings(tmp_path), later(0)
    words = "request (5000 tokens) exceeds the available context size (4096 tokens)"
    seen = replace(an_attempt("a1"), model="qwen", usage=Usage(6000, 1))
    refused = replace(seen, outcome=Outcome.CONTEXT_OVERFLOW, message=words, usage=Usage())
    (finding,) = told_windows(own, [refused], now)
    assert "4096" in finding.sentence
    assert "models.qwen.context: 4096" in str(finding.fix)
    assert list(told_windows(own, [seen, refused], now)) == []
    assert list(told_windows(own, [refused], now + timedelta(days=8))) == []
