"""What of a changed configuration is taken over, and what waits for a restart."""

import os
from pathlib import Path

import pytest

from noctule.config import load, load_text
from noctule.config.changes import change
from noctule.config.loading import Loaded
from noctule.config.trust import TrustStore
from noctule.config.watching import WatchedFile

BASE = """\
endpoints:
  shop: {kind: openai, url: "http://127.0.0.1:9/v1"}
  small: {kind: embedded, slots: 2}
models:
  one: {endpoint: shop, name: one, context: 8000}
  tiny: {endpoint: small, name: tiny, context: 4000}
roles:
  chat: &it {primary: one}
  orchestrator: *it
  engineer: *it
  research: *it
  writer: *it
  utility: *it
"""


def read(text):
    return load_text(text, environ={}, folder=Path("/nowhere"), file="config.yaml")


ROLES = ("chat", "orchestrator", "engineer", "research", "writer", "utility")


def test_what_changes_is_told_by_its_path():
    """Each change is taken over or named as waiting, and only what changed is named."""
    old = read(BASE)
    more = "  two: {endpoint: shop, name: two, context: 8000}\nroles:"
    cases = {
        BASE + "# a comment\n": None,
        BASE + "footer: false\n": (("footer",), ()),
        BASE + "limits: {call_timeout: 10s}\n": (("limits.call_timeout",), ()),
        BASE + "limits: {max_turns: 3}\n": ((), ("limits.max_turns",)),
        BASE + "parking: {longest_wait: 3h}\n": (("parking.longest_wait",), ()),
        BASE + "budgets: {all: {scope: global, usd: 1, window: day}}\n": (("budgets.all",), ()),
        BASE + "telegram: {stream: draft, allow: [1]}\n": (
            ("telegram.stream",),
            ("telegram.allow",),
        ),
        BASE + "tools: {sandbox: none}\n": ((), ("tools.sandbox",)),
        BASE + "timezone: Europe/Berlin\n": ((), ("timezone",)),
        BASE.replace("roles:", more): (("models.two",), ()),
        BASE.replace("roles:", more).replace("primary: one", "primary: two"): (
            ("models.two", *(f"roles.{role}" for role in ROLES)),
            (),
        ),
        BASE.replace("slots: 2", "slots: 3"): ((), ("endpoints.small",)),
        BASE.replace("name: tiny", "name: tiny2"): ((), ("models.tiny",)),
        BASE.replace("primary: one", "primary: one, temperature: 0.1"): (
            tuple(f"roles.{role}" for role in ROLES),
            (),
        ),
    }
    wrong = {}
    for text, expected in cases.items():
        found = change(old, read(text))
        got = None if found is None else (found.taken, found.waiting)
        if got != expected:
            wrong[text.removeprefix(BASE)] = got
    assert wrong == {}


def test_parts_that_only_make_sense_together_wait_together():
    """A role that may use a server which is not connected yet does not change without it."""
    text = BASE.replace("engineer: *it", "engineer: {primary: one, tools: [mcp:diary]}")
    found = change(read(BASE), read(text + "tools: {mcp: {diary: {command: [diary]}}}\n"))
    assert found.taken == ()
    assert set(found.waiting) == {"roles.engineer", "tools.mcp"}
    assert found.settings == read(BASE)
    assert str(found) == "no change could be applied. roles.engineer, tools.mcp need a restart."


@pytest.fixture
def watched(tmp_path):
    """A file, and a function that changes it and looks until it has settled."""
    path = tmp_path / "config.yaml"
    path.write_text(BASE.replace("small: {kind: embedded, slots: 2}", "small: {kind: scripted}"))
    environ = {"NOCTULE_HOME": str(tmp_path / "home")}
    loaded = load(path, environ=environ, cwd=tmp_path)
    return path, WatchedFile(loaded, environ), environ


def looks(file, times=3):
    """Return what looking some times gave."""
    return [found for found in (file.look() for _ in range(times)) if found is not None]


def test_a_change_is_seen_once_it_has_settled(watched):
    """A file that is being written is left alone; one that was replaced is read."""
    path, file, _ = watched
    assert looks(file) == []
    path.write_text(path.read_text() + "footer: false\n")
    assert file.look() is None
    found = looks(file)
    assert [isinstance(one, Loaded) for one in found] == [True]
    assert found[0].settings.footer is False
    assert looks(file) == []
    path.write_text(path.read_text() + "timezone: UTC\n")
    assert file.look(at_once=True).settings.timezone == "UTC"
    draft = path.with_name("draft")
    draft.write_text(path.read_text() + "default_role: writer\n")
    draft.replace(path)
    assert looks(file)[0].settings.default_role == "writer"


def test_a_broken_file_is_told_once_with_its_line(watched):
    """Each broken form is said once; a missing file is not said; mending it goes on."""
    path, file, _ = watched
    sound = path.read_text()
    path.write_text(sound + "footer: [\n")
    (said,) = looks(file)
    assert f"{path}:" in said
    assert "previous configuration is used" in said
    assert looks(file) == []
    path.write_text(sound + "footr: false\n")
    (said,) = looks(file)
    assert "footer" in said
    path.unlink()
    assert looks(file) == []
    path.write_text(sound)
    assert looks(file) == []
    path.write_text(sound + "footer: false\n")
    assert len(looks(file)) == 1
    os.utime(path)
    assert looks(file) == []


def test_a_trusted_file_that_changes_waits_until_it_is_trusted_again(tmp_path):
    """A project's file is taken over once its new form was trusted."""
    path = tmp_path / "config.yaml"
    path.write_text(BASE.replace("small: {kind: embedded, slots: 2}", "small: {kind: scripted}"))
    home = tmp_path / "home"
    environ = {"NOCTULE_HOME": str(home), "XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    loaded = load(None, environ=environ, cwd=tmp_path, ask=lambda _: True)
    file = WatchedFile(loaded, environ)
    assert looks(file) == []
    path.write_text(path.read_text() + "footer: false\n")
    (said,) = looks(file)
    assert "noctule trust" in said
    TrustStore.of(home).remember(path, path.read_bytes(), trusted=True)
    (found,) = looks(file)
    assert found.settings.footer is False
