"""Seatbelt: the sandbox of macOS, whose profile is made from the same list of mounts.

A profile allows nothing but what it names (``deny default``). Of rules that fit, the last one
decides; these are written so that their order does not matter: what may be written excludes what
is kept in it, and what is kept is denied besides. Rules are about the path a file has at that
moment, so nothing on the way to something kept can be moved, and nothing gets a second name.

``sandbox-exec`` is called obsolete by its manual and has no successor for programs of others. What
it does on the machine at hand is tried before anything runs in it (``Seatbelt.flaw``).
"""

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tools.sandbox.mounts import Mount, MountError, mounts_of

PROGRAM = "/usr/bin/sandbox-exec"

_TRIAL_SECONDS = 20
_LONGEST_PATH_BYTES = 1024  # MAXPATHLEN of macOS
_MORE_PROGRAMS = ("/opt/homebrew/bin", "/opt/local/bin")

SYSTEM = (
    "/usr", "/bin", "/sbin", "/System", "/Library/Apple", "/Library/Developer",
    "/Library/Frameworks", "/Library/Java", "/Library/Perl", "/Library/Ruby", "/opt/homebrew",
    "/opt/local", "/nix/store", "/Applications/Xcode.app", "/private/etc", "/private/var/select",
    "/private/var/db/dyld", "/private/var/db/timezone", "/private/var/db/xcode_select_link",
    "/Library/Preferences/com.apple.dt.Xcode.plist",
)  # fmt: skip
"""What programs need to run, and holds nothing of a person's."""

_LINKS = ("/private", "/tmp", "/var", "/etc", "/private/tmp", "/dev")  # noqa: S108 - names alone
_ALWAYS = """\
(version 1)
(deny default)
(deny network*)
(deny process-info*)
(deny file-link file-clone)
(allow process-fork)
(allow process-info* (target same-sandbox))
(allow signal (target same-sandbox))
(allow sysctl-read (sysctl-name-prefix "hw.") (sysctl-name-prefix "machdep.cpu.")
  (sysctl-name "kern.argmax") (sysctl-name "kern.hostname") (sysctl-name "kern.maxfilesperproc")
  (sysctl-name "kern.ngroups") (sysctl-name "kern.osproductversion")
  (sysctl-name "kern.osrelease") (sysctl-name "kern.ostype") (sysctl-name "kern.osversion")
  (sysctl-name "kern.secure_kernel") (sysctl-name "kern.usrstack64") (sysctl-name "kern.version")
  (sysctl-name "sysctl.proc_translated") (sysctl-name "vm.loadavg"))
(allow mach-lookup (global-name "com.apple.system.opendirectoryd.libinfo")
  (global-name "com.apple.system.notification_center"))
(allow ipc-posix-sem)
(allow file-read* (literal "/") (literal "/dev/random") (literal "/dev/urandom")
  (literal "/dev/null") (literal "/dev/zero") (subpath "/dev/fd"))
(allow file-write-data (literal "/dev/null") (literal "/dev/zero") (subpath "/dev/fd"))
(allow file-ioctl (literal "/dev/null") (literal "/dev/zero"))
(allow file-read* process-exec file-map-executable file-write* (subpath (param "TEMP")))
"""
"""What every command may do. ``process-info*`` and arguments of other processes are named because
``deny default`` leaves them open, and the environment of Noctule, keys and all, stands in those."""

_INSIDE = """\
temp=$(/usr/bin/mktemp -d "${TMPDIR:-/tmp}/noctule.XXXXXX") || exit 125
temp=$(cd "$temp" && pwd -P) || exit 125
program=$1 profile=$2
shift 2
"$program" -D "TEMP=$temp" -p "$profile" /usr/bin/env -i HOME="$temp" TMPDIR="$temp" "$@"
code=$?
/bin/rm -rf "$temp"
exit $code
"""

_ATTACK = """\
cd "$1" || exit 1
echo fine >free && cat free
{
  echo evil >kept/file; rm -f kept/file; mv kept/file a; ln kept/file link && echo evil >link
  echo evil >kept/new; mv kept b; mv way c; mv way/kept d; rm -rf way/kept/file
  mv "$1" "$TMPDIR/moved" && echo evil >"$TMPDIR/moved/kept/file"
  echo evil >"$2"; cat "$2"
  exec 3<>"/dev/tcp/127.0.0.1/$3"
} 2>/dev/null
exit 0
"""


class Seatbelt:
    """``sandbox-exec`` and what it is told.

    Args:
        program: the program, absolute.
    """

    def __init__(self, program: str = PROGRAM) -> None:
        self._program = program

    def wrapped(
        self,
        argv: Sequence[str],
        root: Path,
        env: Mapping[str, str],
        mounts: Sequence[Mount],
        *,
        readable: Iterable[str] = (),
        hidden: Sequence[Path] = (),
    ) -> list[str]:
        """Return the command that runs another one inside, with a temporary folder of its own.

        Args:
            argv: the other command.
            root: the workspace, where it runs.
            env: its environment; home and temporary folder are set here.
            mounts: those of the workspace.
            readable: files and folders it may read and run besides the system.
            hidden: folders that are not seen, whatever they lie in; the workspace is.

        Raises:
            MountError: a path cannot be written into a profile.
        """
        given = {name: value for name, value in env.items() if name not in ("HOME", "TMPDIR")}
        if "PATH" in given:
            given["PATH"] = ":".join([given["PATH"], *_MORE_PROGRAMS])
        text = profile(mounts, readable=readable, hidden=hidden)
        told = [f"{name}={value}" for name, value in given.items()]
        # Whoever calls it may stand elsewhere, as a trial does.
        enter = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', str(root)]
        return ["/bin/sh", "-c", _INSIDE, "sh", self._program, text, *told, *enter, *argv]

    def flaw(self) -> str | None:
        """Return why commands cannot run in it, a sentence or two; None when it holds.

        Really attacks one from inside: what is kept, what lies outside, and the network.
        """
        if not os.access(self._program, os.X_OK):
            return f"There is no sandbox for commands on this Mac: {self._program} is missing."
        if os.geteuid() == 0:
            return "As root there is no sandbox for commands on a Mac. Run Noctule as yourself."
        place = Path(os.path.realpath(tempfile.mkdtemp(prefix="noctule-trial.")))
        try:
            gave_way = self._attacked(place)
        except (OSError, MountError, subprocess.TimeoutExpired) as error:
            gave_way = f"{self._program} could not be run: {error}"
        finally:
            shutil.rmtree(place, ignore_errors=True)
        if gave_way is None:
            return None
        return f"The sandbox for commands does not hold on this Mac ({gave_way})."

    def _attacked(self, place: Path) -> str | None:
        """Return what gave way, a clause; None when nothing did and a command could work."""
        root, secret = place / "workspace", place / "secret"
        for kept in (root / "kept", root / "way" / "kept"):
            kept.mkdir(parents=True)
            (kept / "file").write_text("mine")
        secret.write_text("secret")
        kept_there = [root / "kept", root / "way/kept/file"]
        mounts = mounts_of(root, writable=True, kept=kept_there)
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.setblocking(False)
            port = str(server.getsockname()[1])
            argv = ["/bin/bash", "-c", _ATTACK, "bash", str(root), str(secret), port]
            trial = subprocess.run(  # noqa: S603 - a fixed command
                self.wrapped(argv, root, {"PATH": "/usr/bin:/bin"}, mounts),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TRIAL_SECONDS,
                check=False,
            )
            with suppress(BlockingIOError):
                server.accept()[0].close()
                return "the network can be reached"
        said = trial.stdout.decode("utf-8", "replace").split()
        intact = [_holds(path / "file", "mine") for path in (root / "kept", root / "way/kept")]
        if not all(intact) or (root / "kept/new").exists():
            return "what it must keep was changed"
        if "secret" in said or not _holds(secret, "secret"):
            return "files outside of the workspace can be reached"
        if said != ["fine"]:
            why = trial.stderr.decode("utf-8", "replace").strip().splitlines()
            return why[-1] if why else f"no command works in it, exit code {trial.returncode}"
        return None


def here() -> Seatbelt | None:
    """Return the sandbox of this machine if it is a Mac."""
    return Seatbelt() if sys.platform == "darwin" else None


def profile(
    mounts: Sequence[Mount], *, readable: Iterable[str] = (), hidden: Sequence[Path] = ()
) -> str:
    """Return a profile in the language of Seatbelt, with a parameter ``TEMP``.

    Args:
        mounts: those of the workspace; they may be read, and written where they are writable.
        readable: files and folders besides.
        hidden: folders that are not seen though they lie in what may be read.

    Raises:
        MountError: a path cannot be written into it.
    """
    seen = _visible(mounts)
    shown = dict.fromkeys([*SYSTEM, *readable])
    reading = [_except("subpath", Path(each), hidden) for each in shown]
    reading += [_except("subpath", each.path, ()) for each in seen]
    ways = dict.fromkeys(
        above
        for path in (*map(Path, shown), *(each.path for each in seen))
        for above in path.parents
    )
    stand = [*_LINKS, *map(str, ways)]
    rules = [
        _rule("allow", "file-read-metadata", [_filter("literal", each) for each in stand]),
        _rule("allow", "file-read* process-exec file-map-executable", reading),
    ]
    for writable in (True, False):
        # What is kept comes last.
        for each in seen:
            if each.writable is writable:
                others = [one.path for one in seen if _next_other(each, one, seen)]
                verb = "allow" if writable else "deny"
                rules.append(_rule(verb, "file-write*", [_except("subpath", each.path, others)]))
    points = [_filter("literal", str(each.path)) for each in seen]
    rules.append(_rule("deny", "file-write-unlink", [*points, '(literal (param "TEMP"))']))
    rules.append(_rule("deny", "file-write-setugid", []))
    return _ALWAYS + "\n".join(rules) + "\n"


def _visible(mounts: Sequence[Mount]) -> list[Mount]:
    """Return the mounts that a later one does not cover, by every name that their places have."""
    seen: list[Mount] = []
    for mount in mounts:
        for path in _names(mount.path):
            seen = [each for each in seen if path not in (each.path, *each.path.parents)]
            seen.append(Mount(path, mount.writable))
    return seen


def _next_other(outer: Mount, inner: Mount, seen: Sequence[Mount]) -> bool:
    """Whether a mount in another begins something else: one may be written and the other not."""
    between = (
        each for each in seen if outer.path in each.path.parents and each.path in inner.path.parents
    )
    return (
        outer.path in inner.path.parents
        and inner.writable is not outer.writable
        and all(each.writable is outer.writable for each in between)
    )


def _names(path: Path) -> list[Path]:
    """Return a path, and as it is written on the disk where capitals make no difference.

    Raises:
        MountError: it cannot be looked up.
    """
    ask = getattr(fcntl, "F_GETPATH", None)  # macOS: rules are held against that
    if ask is None:
        return [path]
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            told = fcntl.fcntl(file, ask, bytes(_LONGEST_PATH_BYTES))
        finally:
            os.close(file)
    except OSError as error:
        raise MountError(
            f"{path} cannot be kept, because it cannot be opened ({error.strerror}), so no command "
            "runs here."
        ) from error
    return list(dict.fromkeys([path, Path(os.fsdecode(told.rstrip(b"\0")))]))


def _rule(verb: str, operations: str, filters: Sequence[str]) -> str:
    return f"({' '.join([verb, operations, *filters])})"


def _except(kind: str, path: Path, others: Iterable[Path]) -> str:
    """Return a filter for a folder without some that lie in it."""
    within = [
        f"(require-not {_filter('subpath', str(each))})" for each in others if path in each.parents
    ]
    whole = _filter(kind, str(path))
    return f"(require-all {' '.join([whole, *within])})" if within else whole


def _filter(kind: str, path: str) -> str:
    if any(ord(letter) < ord(" ") for letter in path):
        raise MountError(
            f"{path!r} holds a control character, which no profile of the sandbox can name, so no "
            "command runs here. Rename it."
        )
    quoted = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'({kind} "{quoted}")'


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_text() == text
    except OSError:
        return False
