"""The file with secrets beside the configuration."""

import plistlib
import stat
import subprocess
from pathlib import Path

from noctule.cli.setup.service_file import service_for
from noctule.config.environment import environment_file, keep_in_file, take_environment

VALUES = {"A_TOKEN": "7:AAE-x_y", "ODD": 'it\'s $HOME "q" \\ #%', "EMPTY": ""}


def at(folder: Path) -> tuple[Path, dict[str, str]]:
    environ = {"XDG_CONFIG_HOME": str(folder)}
    return environment_file(environ), environ


def test_what_is_kept_is_read_again_by_us_and_by_a_shell(tmp_path: Path) -> None:
    """Whatever the value holds; the file is for its owner alone, and other lines stay."""
    path, environ = at(tmp_path)
    path.parent.mkdir()
    path.write_text("# mine\nOTHER=1\nexport A_TOKEN=old\n")
    path.chmod(0o644)
    keep_in_file(path, VALUES)
    keep_in_file(path, VALUES)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().startswith("# mine\nOTHER=1\nA_TOKEN=")
    assert path.read_text().count("A_TOKEN") == 1
    assert take_environment(environ) is None
    assert {name: environ[name] for name in VALUES} == VALUES
    for name, value in VALUES.items():
        line = f'. "{path}"; printf %s "${name}"'
        done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=True)
        assert done.stdout == value
    assert [one.name for one in path.parent.iterdir()] == ["environment"]


def test_the_environment_itself_counts_first(tmp_path: Path) -> None:
    """An empty variable counts as unset; what Noctule itself is told by is not in the file."""
    path, environ = at(tmp_path)
    keep_in_file(path, {"A": "file", "B": "file", "NOCTULE_HOME": "/elsewhere"})
    environ |= {"A": "own", "B": " "}
    assert take_environment(environ) is None
    assert (environ["A"], environ["B"], "NOCTULE_HOME" in environ) == ("own", "file", False)


def test_a_file_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    """It is said how to mend it; none, a folder and bytes that are no text break nothing."""
    path, environ = at(tmp_path)
    assert take_environment(environ) is None
    keep_in_file(path, {"A": "file"})
    path.chmod(0o640)
    assert "chmod 600" in str(take_environment(environ))
    path.write_bytes(b"A=\xff\n")
    path.chmod(0o600)
    assert "cannot be read" in str(take_environment(environ))
    path.unlink()
    path.mkdir()
    assert take_environment(environ) is None
    assert "A" not in environ


def test_service_files_name_this_program_also_in_odd_folders(tmp_path: Path) -> None:
    """Percent signs and blanks of a path reach systemd and the shell of launchd as they are."""
    config, secrets = tmp_path / "a b%c/config.yaml", tmp_path / "a b%c/environment"
    environ = {"NOCTULE_HOME": str(tmp_path / "data")}
    service = service_for(config, secrets, environ, platform="darwin")
    assert service is not None
    job = plistlib.loads(service.content)
    shell, flag, line = job["ProgramArguments"]
    assert f"'{config}' serve" in line
    assert f". '{secrets}'" in line
    assert subprocess.run([shell, "-n", flag, line], check=False).returncode == 0
    assert job["EnvironmentVariables"] == environ
    assert job["RunAtLoad"] is True
    program = tmp_path / "bin/systemctl"
    program.parent.mkdir()
    program.touch(0o755)
    environ["PATH"] = str(program.parent)
    service = service_for(config, secrets, environ, platform="linux")
    assert service is not None
    escaped = str(config).replace("%", "%%")
    assert f'--config "{escaped}" serve\n' in service.content.decode()
    assert f"EnvironmentFile={tmp_path}/a b%%c/environment\n" in service.content.decode()
    environ["PATH"] = str(tmp_path)
    assert service_for(config, secrets, environ, platform="linux") is None
