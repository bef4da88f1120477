"""Running a program as an ordinary user of the machine, where the tests themselves run as root.

The interpreter may lie in a home folder that others may not enter; then it is shown in a mount
namespace of its own, at the same place.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.base.programs import system_program

USER_ID = 65534
"""nobody: it owns nothing."""

_OTHERS_ENTER = 0o001
_CHECKOUT = Path(__file__).resolve().parents[2]


def why_not() -> str | None:
    """Return what is missing for it, as a clause; None when nothing is."""
    if os.geteuid() != 0 or not list(_closed()):
        return None
    missing = [name for name in ("bwrap", "setpriv") if system_program(name) is None]
    return f"needs {' and '.join(missing)}" if missing else None


def run_as_ordinary_user(
    words: Sequence[str], timeout_s: float = 150
) -> subprocess.CompletedProcess[str]:
    """Run Python as a user who is not root; as oneself when not root.

    Args:
        words: for Python, like ``-m pytest``. It starts in the checkout; home and temporary folder
            are one that is theirs and vanishes.
        timeout_s: after how long it is ended.
    """
    with TemporaryDirectory(prefix="noctule-ordinary.", ignore_cleanup_errors=True) as home:
        env = {"PATH": os.environ["PATH"], "HOME": home, "TMPDIR": home}
        argv = [sys.executable, *words]
        if os.geteuid() == 0:
            os.chown(home, USER_ID, USER_ID)
            argv = [*_view(), "setpriv", f"--reuid={USER_ID}", f"--regid={USER_ID}",
                    "--clear-groups", "--no-new-privs", "--bounding-set=-all", *argv]  # fmt: skip
        return subprocess.run(
            argv,
            cwd=_CHECKOUT,
            env=env,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )


def _view() -> list[str]:
    """Return the words of bubblewrap before a command that must get at the interpreter."""
    closed = dict(_closed())
    if not closed:
        return []
    words = ["bwrap", "--dev-bind", "/", "/", "--cap-add", "ALL", "--die-with-parent"]
    for folder in dict.fromkeys(closed.values()):
        words += ["--perms", "0755", "--tmpfs", str(folder)]
    for path, outer in closed.items():
        for way in reversed([one for one in path.parents if outer in one.parents]):
            words += ["--perms", "0755", "--dir", str(way)]
        words += ["--ro-bind", str(path), str(path)]
    return [*words, "--"]


def _closed() -> Iterator[tuple[Path, Path]]:
    """Yield what Python needs in a folder that others may not enter, and the outermost such."""
    needed = [sys.prefix, sys.base_prefix, os.path.realpath(sys.base_prefix), str(_CHECKOUT)]
    for path in map(Path, dict.fromkeys(needed)):
        outer = [one for one in (path, *path.parents) if not one.stat().st_mode & _OTHERS_ENTER]
        if outer:
            yield path, outer[-1]
