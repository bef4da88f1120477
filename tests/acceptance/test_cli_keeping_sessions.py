from pathlib import Path

import pytest

from tests.support.command_line import CommandLine

pytestmark = pytest.mark.process


@pytest.fixture
def noctule(tmp_path: Path) -> CommandLine:
    told = CommandLine(tmp_path)
    told.play({"smol": []})
    return told


def test_sessions_are_found_renamed_and_exported(noctule):
    """By state and by what was said; the title changes; the export has every word."""
    bats = noctule.json("chat", "Tell me of bats")[1]["session"]
    noctule.json("chat", "Tell me of owls")
    found = noctule.json("sessions", "--search", "BATS", "--status", "done")[1]
    assert [entry["id"] for entry in found] == [bats]
    assert noctule.json("sessions", "list", "--status", "parked")[1] == []
    assert len(noctule.json("sessions", "--limit", "1")[1]) == 1
    assert "No matching session" in noctule.run("sessions", "--search", "herons").stdout
    assert noctule.json("sessions", "rename", bats, "Night  flyers")[1]["title"] == "Night flyers"
    told = noctule.run("sessions", "export", bats).stdout
    assert told.startswith("# Night flyers\n")
    assert noctule.json("sessions", "export", bats) == noctule.json("sessions", "show", bats)
    assert told.count("Tell me of bats") == 2  # what was said, and the reply that repeats it


def test_a_session_is_deleted_for_good_and_its_cost_stays(noctule):
    """Nothing of it is found any more, its files are gone, the ledger is as it was."""
    notes = noctule.folder / "notes.md"
    notes.write_text("Roosts", encoding="utf-8")
    session = noctule.json("chat", "Read this", "--file", str(notes))[1]["session"]
    before = noctule.json("attempts")[1]
    assert (noctule.home / "workspaces" / session).is_dir()
    refused = noctule.run("sessions", "delete", session)  # nobody there to say yes
    assert refused.returncode == 1
    assert noctule.json("sessions", "delete", session, "--yes") == (0, {"deleted": session})
    assert noctule.json("sessions")[1] == []
    assert not (noctule.home / "workspaces" / session).exists()
    assert noctule.json("attempts")[1] == before
    assert noctule.run("sessions", "show", session).returncode == 2
