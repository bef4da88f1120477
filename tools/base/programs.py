"""Programs: where the ones Noctule starts itself are, looked up once and never where agents write.

PATH is the person's, and an activated virtual environment of a project stands first on it: whoever
may write there would choose what runs outside of the sandbox.
"""

import os
import sys
from functools import cache
from pathlib import Path

SYSTEM_FOLDERS = (
    "/usr/bin", "/bin", "/usr/local/bin", "/usr/sbin", "/sbin", "/run/current-system/sw/bin",
    "/opt/homebrew/bin", "/opt/local/bin",
)  # fmt: skip
"""Where systems and their package managers put programs (FHS 3.0, NixOS, Homebrew, MacPorts)."""

_NO_PROJECTS = (Path("/"), Path.home())


@cache
def system_program(name: str, *, beside_python: bool = False) -> str | None:
    """Return where a program of the system is, absolute; None when there is none.

    Args:
        name: its bare name.
        beside_python: whether one that was installed with the Python this runs on counts, too;
            agents cannot write there (``tools.base.protected_paths``).
    """
    folders = (*SYSTEM_FOLDERS, f"{sys.prefix}/bin") if beside_python else SYSTEM_FOLDERS
    return next((found for one in folders if (found := _in(Path(one), name))), None)


@cache
def persons_program(name: str) -> str | None:
    """Return where a program is that the configuration calls by its bare name.

    It is looked up on PATH without the folders of projects, once in the life of the process.
    """
    return next((found for one in _persons_folders() if (found := _in(one, name))), None)


def persons_path(*, but: Path | None = None) -> str:
    """Return the person's PATH without the folders of projects, for programs of theirs.

    Args:
        but: a folder, absolute with symlinks resolved, in which no program is found either; None
            excepts no more.
    """
    folders = _persons_folders()
    if but is not None:
        reals = {one: Path(os.path.realpath(one)) for one in folders}
        folders = tuple(one for one, real in reals.items() if but not in (real, *real.parents))
    return ":".join(map(str, folders))


@cache
def _persons_folders() -> tuple[Path, ...]:
    project = _project()
    named = [*os.environ.get("PATH", "").split(":"), *SYSTEM_FOLDERS]
    folders = dict.fromkeys(Path(one) for one in named if Path(one).is_absolute())
    return tuple(folder for folder in folders if not _is_of_a_project(folder, project))


def _is_of_a_project(folder: Path, project: Path) -> bool:
    """Whether a folder of programs belongs to something that agents may be given to work on."""
    if str(folder) in SYSTEM_FOLDERS or folder == Path(sys.prefix) / "bin":
        return False
    for real in (folder, Path(os.path.realpath(folder))):
        if project not in _NO_PROJECTS and project in (real, *real.parents):
            return True
        if "node_modules" in real.parts or (real.parent / "pyvenv.cfg").exists():
            return True
    return False


def _project() -> Path:
    """Return the project one stands in: the folder with a repository, else this one."""
    here = Path(os.path.realpath(Path.cwd()))
    for above in (here, *here.parents):
        if above in _NO_PROJECTS:
            break
        if (above / ".git").exists():
            return above
    return here


def _in(folder: Path, name: str) -> str | None:
    path = folder / name
    return str(path) if path.is_file() and os.access(path, os.X_OK) else None
