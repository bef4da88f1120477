"""The service files are read by the parsers of their formats and start what they should."""

import plistlib
import subprocess
from configparser import ConfigParser
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "services"
GUIDE = FOLDER.parents[1] / "docs" / "guides" / "telegram.md"


def test_the_systemd_unit_serves_drains_and_starts_again() -> None:
    """Only a configuration that cannot be used keeps it from starting again."""
    unit = ConfigParser(interpolation=None, strict=True, delimiters=("=",))
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # keys of units have capitals
    unit.read_string((FOLDER / "noctule.service").read_text())
    assert unit.sections() == ["Unit", "Service", "Install"]
    service = unit["Service"]
    assert service["ExecStart"].startswith("%h/")
    assert service["ExecStart"].endswith(" serve")
    assert service["EnvironmentFile"].startswith("%h/")
    assert (service["Restart"], service["RestartPreventExitStatus"]) == ("on-failure", "2")
    assert (service["KillSignal"], service["UMask"]) == ("SIGTERM", "0077")
    assert int(service["TimeoutStopSec"]) >= 60
    assert unit["Install"]["WantedBy"] == "default.target"


def test_the_launchd_plist_serves_drains_and_starts_again() -> None:
    """Its shell line is one that a shell can read."""
    job = plistlib.loads((FOLDER / "noctule.plist").read_bytes())
    shell, flag, line = job["ProgramArguments"]
    assert (shell, flag) == ("/bin/sh", "-c")
    assert line.endswith(" serve")
    assert "exec " in line
    assert subprocess.run([shell, "-n", flag, line], check=False).returncode == 0
    assert job["RunAtLoad"] is True
    assert job["KeepAlive"] == {"SuccessfulExit": False}
    assert job["ExitTimeOut"] >= 60
    assert job["Umask"] == 0o077


def test_no_service_file_has_a_secret_or_a_place_of_one_machine() -> None:
    """Tokens stay in a file of the person's own."""
    for path in FOLDER.iterdir():
        text = path.read_text()
        assert "/home/" not in text
        assert "/Users/" not in text
        assert "TOKEN=" not in text


def test_the_guide_names_both() -> None:
    """Whoever reads how to keep it running finds the files."""
    for name in ("noctule.service", "noctule.plist"):
        assert f"examples/services/{name}" in GUIDE.read_text()
