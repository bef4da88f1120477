"""The service file: what keeps ``noctule serve`` running, for systemd or launchd."""

import os
import plistlib
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from noctule.core.base.private_files import make_folder, write_private


@dataclass(frozen=True, slots=True)
class ServiceFile:
    """A service file that could be written.

    Args:
        path: where the service manager looks for it.
        start: the command that starts it, now and after each restart of the machine.
        content: all of it.
    """

    path: Path
    start: str
    content: bytes


def service_for(
    config: Path, environment: Path, environ: Mapping[str, str], *, platform: str = sys.platform
) -> ServiceFile | None:
    """Return the service file for this machine; None when its service manager is not known.

    Args:
        config: the configuration it serves.
        environment: the file with its secrets.
        environ: the environment variables; NOCTULE_HOME is passed on.
        platform: as Python calls the machine's.
    """
    from noctule.config.places import packaged_service  # noqa: PLC0415 - not for --help

    home = environ.get("NOCTULE_HOME") and str(Path(environ["NOCTULE_HOME"]).expanduser().resolve())
    program = _program()
    if platform == "darwin":
        job = plistlib.loads(packaged_service("noctule.plist").read_bytes())
        command = shlex.join([*program, "--config", str(config), "serve"])
        job["ProgramArguments"][2] = f"set -a; . {shlex.quote(str(environment))}; exec {command}"
        if home:
            job["EnvironmentVariables"] = {"NOCTULE_HOME": home}
        path = Path.home() / "Library/LaunchAgents/noctule.plist"
        start = f"launchctl bootstrap gui/$(id -u) {shlex.quote(str(path))}"
        return ServiceFile(path, start, plistlib.dumps(job, sort_keys=False))
    if shutil.which("systemctl", path=environ.get("PATH")) is None:
        return None
    text = packaged_service("noctule.service").read_text(encoding="utf-8")
    lines = []
    for line in text.splitlines():
        if line.startswith("ExecStart="):
            words = [*program, "--config", str(config), "serve"]
            lines.append("ExecStart=" + " ".join(map(_quoted, words)))
        elif line.startswith("EnvironmentFile="):
            lines.append("EnvironmentFile=" + str(environment).replace("%", "%%"))
            lines += [f"Environment={_quoted(f'NOCTULE_HOME={home}')}"] if home else []
        else:
            lines.append(line)
    base = environ.get("XDG_CONFIG_HOME", "")
    folder = Path(base) if Path(base).is_absolute() else Path.home() / ".config"
    start = "systemctl --user enable --now noctule && loginctl enable-linger"
    return ServiceFile(
        folder / "systemd/user/noctule.service", start, ("\n".join(lines) + "\n").encode()
    )


def write(service: ServiceFile) -> None:
    """Write the file, for its owner to change.

    Raises:
        OSError: it cannot be written; an old one is as it was.
    """
    make_folder(service.path.parent)
    draft = service.path.with_name(f".{service.path.name}.{os.getpid()}")
    try:
        write_private(draft, service.content)
        draft.replace(service.path)
    finally:
        draft.unlink(missing_ok=True)


def _program() -> list[str]:
    """Return how this very Noctule is started: by its command, else by its interpreter."""
    beside = Path(sys.executable).with_name("noctule")
    return [str(beside)] if beside.is_file() else [sys.executable, "-P", "-m", "noctule"]


def _quoted(word: str) -> str:
    """Quote for a systemd command line (systemd.service(5), "Command lines", checked 2026-11)."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if escaped != word or " " in word else word
