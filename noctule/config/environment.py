"""The environment file: secrets in a file only their owner can read, beside the configuration.

It holds what a service manager puts into the environment (``EnvironmentFile`` of systemd), one
``NAME=value`` a line. Commands take over what their own environment does not have, so that a
service and a terminal know the same.
"""

import os
import re
import shlex
import stat
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from noctule.config.places import user_config
from noctule.core.base.private_files import make_folder

_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")
_OF_NOCTULE = "NOCTULE_"
"""Variables that say which configuration and data folder are meant: never taken from a file."""


def environment_file(environ: Mapping[str, str]) -> Path:
    """Return where the file is, or would be."""
    return user_config(environ=environ).with_name("environment")


def take_environment(environ: MutableMapping[str, str]) -> str | None:
    """Add what the file has and the environment lacks; an empty variable counts as lacking.

    Args:
        environ: the environment variables, which are changed.

    Returns:
        A sentence when the file is there and was not used; else None.
    """
    path = environment_file(environ)
    try:
        about = path.stat()
    except OSError:
        return None
    if not stat.S_ISREG(about.st_mode):
        return None
    if about.st_mode & 0o077 or about.st_uid != os.getuid():
        return (
            f"{path} is not used: other users can read or write it. As its owner, run `chmod 600` "
            "on it."
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return f"{path} is not used: it cannot be read as text."
    for name, value in _parse(text).items():
        if not name.startswith(_OF_NOCTULE) and not environ.get(name, "").strip():
            environ[name] = value
    return None


def keep_in_file(path: Path, values: Mapping[str, str]) -> None:
    """Put variables into the file, for its owner alone (0600); its other lines stay.

    Args:
        path: the file; its folder is made.
        values: by name; none has a line break.

    Raises:
        OSError: it cannot be written; the old file is as it was.
    """
    make_folder(path.parent)
    there = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    others = [line for line in there if not (m := _LINE.fullmatch(line)) or m[1] not in values]
    lines = [*others, *(f"{name}={shlex.quote(value)}" for name, value in values.items())]
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write("\n".join(lines) + "\n")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _parse(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.splitlines():
        if (match := _LINE.fullmatch(line)) is not None:
            try:
                words = shlex.split(match[2])
            except ValueError:  # an open quote: systemd takes it as it stands, nobody needs it
                continue
            found[match[1]] = " ".join(words)
    return found
