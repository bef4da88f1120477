"""The dim line under a reply on a terminal."""

from noctule.channels.terminal.turn_result import TurnResult
from noctule.core.reports.footer import footer_of


def footer(said: TurnResult) -> str | None:
    """Return the line; None when no model answered."""
    return footer_of(said.turn, said.attempts)
