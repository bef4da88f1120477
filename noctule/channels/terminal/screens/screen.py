"""What a turn is shown on: a terminal that is redrawn, or streams that are only appended to."""

import sys
from collections.abc import Callable
from typing import Protocol

from noctule.channels.terminal.screens.printable import shown


class Screen(Protocol):
    """Blocks of streaming text, one after another, with lines about them in between.

    Everything it is given is made printable here.
    """

    def status(self, text: str | None) -> None:
        """Show what is going on, for as long as nothing else is said; None shows nothing."""
        ...

    def begin(self, title: str | None) -> None:
        """Begin a block of text.

        Args:
            title: who speaks; None where it is plain.
        """
        ...

    def text(self, piece: str) -> None:
        """Add to the block."""
        ...

    def end(self) -> None:
        """End the block; does nothing without one."""
        ...

    def take_back(self, why: str) -> None:
        """Take the block back, as far as that can still be done, and say so where it cannot.

        Args:
            why: one clause.
        """
        ...

    def note(self, text: str) -> None:
        """Add a dim line that is no part of a reply."""
        ...

    def problem(self, text: str) -> None:
        """Add a sentence that nobody should overlook."""
        ...

    def aside(self) -> "Screen":
        """Return where text goes that is not the reply somebody waits for."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was found; what is shown stays."""
        ...


def tell_on(screen: Screen | None) -> Callable[[str], None]:
    """Return what tells a line that is no part of a reply: the screen, or stderr without one."""
    if screen is not None:
        return screen.note

    def to_stderr(text: str) -> None:
        print(shown(text), file=sys.stderr, flush=True)  # noqa: T201 - stdout is one document

    return to_stderr
