"""Which folder of a person's agents may work in."""

import os
from pathlib import Path

from noctule.core.base.private_files import make_folder
from noctule.core.errors import UsageError
from noctule.core.sessions.sessions import Session
from noctule.core.tools.forbidden_workspaces import overlaps, refusal
from noctule.core.tools.workspace_registry import CONFIG, FILE, is_given


def accepted_workspace(folder: str | None, home: Path | None) -> str | None:
    """Return a folder as it is stored: absolute, symlinks resolved.

    Args:
        folder: as a person or a channel named it; None makes one of the session's own later.
        home: Noctule's data folder; None where there is none to protect.

    Raises:
        UsageError: it is not absolute, no folder, or holds what no agent may touch.
    """
    if folder is None:
        return None
    path = Path(folder)
    if not path.is_absolute():
        raise UsageError(f"The workspace {folder!r} is not an absolute path. Write all of it.")
    try:
        if not path.is_dir():
            raise UsageError(f"The workspace {folder!r} is no folder. Make it, or name another.")
        resolved = path.resolve()
    except (OSError, ValueError) as error:  # too long a name, a NUL, a folder nobody may enter
        raise UsageError(
            f"The workspace {folder[:200]!r} cannot be entered ({error}). Name another."
        ) from None
    _check(resolved, None if home is None else home.resolve())
    if home is not None:
        _note_given(home, resolved)
    return str(resolved)


def workspace_of(session: Session, home: Path) -> str | None:
    """Return the folder a session's agents work in; None while there is none.

    Args:
        session: which.
        home: Noctule's data folder, where sessions that were given no folder have one of their own.
    """
    own = home / "workspaces" / session.id
    return session.workspace or (str(own) if own.is_dir() else None)


def check_has_workspace(session: Session, folder: str | None) -> None:
    """Refuse another folder for a session that has begun.

    Raises:
        UsageError: a folder was named.
    """
    if folder is not None:
        raise UsageError(
            f"Session {session.id} has its workspace already. Leave --workspace out, or begin a "
            "new session."
        )


def _check(folder: Path, home: Path | None) -> None:
    refused = refusal(folder, Path.home())
    if refused is not None:
        raise UsageError(refused)
    if home is not None and overlaps(folder, home):
        raise UsageError(
            f"{folder} overlaps with Noctule's own data folder ({home}). Name the folder of the "
            "project, or move the data folder with NOCTULE_HOME."
        )


def _note_given(home: Path, folder: Path) -> None:
    """Put a folder on the list of those in which a configuration has to be named."""
    given = home / FILE
    text = given.read_text(encoding="utf-8") if given.is_file() else ""
    if (folder / CONFIG).is_file() or is_given(text, folder):
        return
    make_folder(home)
    handle = os.open(given, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "a", encoding="utf-8") as file:
        file.write(f"{folder}\n")
