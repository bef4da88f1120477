"""The same attacks as an ordinary user, where the tests run as root: other walls stand then."""

import os
import re

import pytest

from tests.support.fuzzing import factor
from tests.support.ordinary_user import USER_ID, run_as_ordinary_user, why_not
from tests.support.untried import security_line

FEW = ("tests/security/test_mounts.py", "tests/security/test_sockets.py")
ALL = (
    *FEW, "tests/security/test_layouts.py", "tests/security/test_programs.py",
    "tests/security/test_seccomp.py", "tests/security/test_workspaces.py",
    "tests/security/test_privacy.py", "tests/security/test_seatbelt.py",
    "tests/integration/test_sandbox.py", "tests/integration/test_sandbox_git.py",
)  # fmt: skip

pytestmark = [
    pytest.mark.process,
    pytest.mark.fuzz,
    pytest.mark.skipif(os.geteuid() != 0, reason="not tried: these run as one anyway"),
]


def test_it_is_an_ordinary_user():
    """Without a capability, and with nothing that is root's."""
    if reason := why_not():
        pytest.skip(reason)
    code = (
        "import os; from pathlib import Path; print(os.getuid(), os.geteuid(), os.getgroups());"
        "print([line for line in open('/proc/self/status') if line.startswith('Cap')]);"
        "print(os.access('/etc/shadow', os.R_OK), os.access(Path.home(), os.W_OK))"
    )
    who, capabilities, access = run_as_ordinary_user(["-c", code]).stdout.splitlines()
    assert who == f"{USER_ID} {USER_ID} []"
    assert re.findall(r"t([0-9a-f]{16})", capabilities) == ["0" * 16] * 5
    assert access == "False True"


def test_the_attacks_are_held_off_for_an_ordinary_user_too():
    """A few of them; all in `make fuzz`."""
    if reason := why_not():
        pytest.skip(reason)
    attacks = ALL if factor() > 1 else FEW
    words = ["-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "-o", "addopts=",
             "--import-mode=importlib", *attacks]  # fmt: skip
    done = run_as_ordinary_user(words, timeout_s=160 if factor() == 1 else 1500)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-2000:]}"
    assert re.search(r"^security: \d\d+ attacks tried", done.stdout, re.MULTILINE)


def test_the_last_line_counts_what_was_not_tried():
    """Reasons once each, with how many; those that gave way by their number."""
    line = security_line(["a", "b"], ["c"], ["Skipped: needs macOS", "Skipped: not tried: x", "x"])
    assert line == (
        "security: 3 attacks tried, 1 of them not held off, 3 not tried here: needs macOS; x (2)"
    )
    assert security_line(["a"], [], []) == "security: 1 attacks tried, 0 not tried here"
