"""Stand-in for ``sandbox-exec`` on Linux: does with bubblewrap what a profile says about writing.

    python -m tests.support.seatbelt_stand_in -D TEMP=PATH -p PROFILE PROGRAM ...

It follows the rules of a profile one after the other, as the kernel of a Mac does.
"""

import os
import sys
from collections.abc import Iterator

from tests.support.seatbelt_rules import Form, Profile


def main() -> None:
    """Become the program, inside."""
    _, parameter, _, text, *program = sys.argv[1:]
    temp = parameter.partition("=")[2]
    words = ["--ro-bind", "/", "/", "--dev", "/dev", "--tmpfs", "/tmp", "--unshare-all"]
    words += ["--bind", temp, temp]
    for rule in Profile(text, {"TEMP": temp}).rules:
        if "file-write*" in rule.operations:
            for path in _places(rule.filters):
                words += ["--bind" if rule.allows else "--ro-bind", path, path]
    words += ["--remount-ro", "/tmp"]
    os.execvp("bwrap", ["bwrap", *words, "--", *program])


def _places(filters: tuple[Form, ...]) -> Iterator[str]:
    for form in filters:
        inner = form[1] if form[0] == "require-all" else form
        if isinstance(inner[1], str):
            yield inner[1]


if __name__ == "__main__":
    main()
