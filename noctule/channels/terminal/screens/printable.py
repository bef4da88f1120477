"""Text of models and providers as a terminal may be given it."""

from noctule.core.base.printable import printable

__all__ = ["printable", "shown"]


def shown(text: str) -> str:
    """Return text of records and conversations as a terminal is shown it, without secrets."""
    from noctule.channels.discretion import masked  # noqa: PLC0415 - not for --help

    return printable(masked(text))
