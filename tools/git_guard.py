"""GitGuard: what a person's next ``git status`` runs is not for commands in a sandbox to decide.

Whoever may write a repository's configuration or hooks decides that, and so does whoever may say
where they are: ``commondir`` names another folder for both (gitrepository-layout, git 2.39).
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tools.workspace import Workspace

_PROTECTED = ("config", "hooks", "config.worktree", "commondir")
_HERE = "././.\n"
"""As a ``commondir``: the folder itself, which is what is meant without one."""

_STAND_INS = {"config.worktree": "", "commondir": _HERE}


@contextmanager
def guarded(workspace: Workspace) -> Iterator[None]:
    """Put something harmless where a repository lacks what could be made up inside the sandbox.

    It goes away afterwards. After a crash it stays until the next command, and means nothing.

    Args:
        workspace: that of a session; only in a folder that a person gave is there anything to do.
    """
    git = _git_folder(workspace)
    if git is None:
        yield
        return
    with suppress(OSError):
        (git / "hooks").mkdir(exist_ok=True)
    for name, content in _STAND_INS.items():
        with suppress(OSError), (git / name).open("x") as file:
            file.write(content)
    ours = [name for name, content in _STAND_INS.items() if _holds(git / name, content)]
    try:
        yield
    finally:
        for name in ours:
            # Two commands at once share it: who comes last may find that it was exchanged.
            if name == "commondir" or _holds(git / name, _STAND_INS[name]):
                with suppress(OSError):
                    (git / name).unlink()


def protected(workspace: Workspace) -> list[str]:
    """Return the words for bubblewrap that keep it from being changed inside."""
    entry = workspace.root / ".git"
    if not workspace.own and entry.is_file() and not entry.is_symlink():
        return ["--ro-bind", str(entry), str(entry)]  # of a worktree: it says where all that is
    git = _git_folder(workspace)
    if git is None:
        return []
    words = ["--bind", str(git), str(git)]  # onto itself, so it can be neither renamed nor replaced
    for name in _PROTECTED:
        if (path := git / name).exists() and not path.is_symlink():
            words += ["--ro-bind", str(path), str(path)]
    return words


def _holds(path: Path, content: str) -> bool:
    with suppress(OSError, UnicodeDecodeError):
        return path.read_text() == content
    return False


def _git_folder(workspace: Workspace) -> Path | None:
    git = workspace.root / ".git"
    if workspace.own or git.is_symlink() or not git.is_dir():
        return None
    return git
