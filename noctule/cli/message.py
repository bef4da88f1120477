"""Where a message on the command line comes from: its words, or standard input."""

import sys

from noctule.core.errors import UsageError


def read_message(text: str | None, *, most_bytes: int) -> str | None:
    """Return the message; None when a person at the terminal is to be asked for it.

    Args:
        text: what stands on the command line; ``-`` means standard input, and so does None where
            that is no terminal.
        most_bytes: how much of standard input is taken.

    Raises:
        UsageError: standard input is too long or not UTF-8.
    """
    if text is not None and text != "-":
        return text
    if text is None and sys.stdin.isatty():
        return None
    return _from_stdin(most_bytes)


def _from_stdin(most_bytes: int) -> str:
    data = sys.stdin.buffer.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise UsageError(
            f"The message on standard input has more than {most_bytes:,} bytes, and no more are "
            "taken (limits.max_message_bytes). Put the text into a file and name it, or shorten it."
        )
    try:
        return data.decode("utf-8").removesuffix("\n")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"The message on standard input is not UTF-8 (byte {error.start + 1}). Convert it, "
            "with `iconv -t UTF-8` for example."
        ) from None
