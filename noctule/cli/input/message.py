"""Where a message on the command line comes from: its words, standard input, or both."""

import os
import select
import stat
import sys

from noctule.cli.frame.tell import tell
from noctule.core.errors import UsageError
from noctule.core.tools.outside_text import as_data

_QUIET_SECONDS = 2.0
_PIPED = "this came through a pipe"


def read_message(text: str | None, *, most_bytes: int) -> str | None:
    """Return the message; None when a person at the terminal is to be asked for it.

    A pipe or file on standard input is taken along with words of the command line, below them:
    ``cat report | noctule chat "Summarize this"``. ``< /dev/null`` keeps it out.

    Args:
        text: what stands on the command line; ``-`` means standard input alone, and so does None
            where that is no terminal.
        most_bytes: how much of standard input is taken.

    Raises:
        UsageError: standard input is too long or not UTF-8.
    """
    if text is None and sys.stdin.isatty():
        return None
    if text is None or text == "-":
        return _from_stdin(most_bytes)
    if not _is_piped():
        return text
    _say_what_is_awaited()
    piped = _from_stdin(most_bytes)
    return f"{text}\n\n{as_data(piped, _PIPED)}" if piped.strip() else text


def _is_piped() -> bool:
    """Say whether somebody gave this process a pipe or a file to read."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def _say_what_is_awaited() -> None:
    """Tell people who wait for a pipe that stays silent what this command waits for."""
    ready, _, _ = select.select([sys.stdin], [], [], _QUIET_SECONDS)
    if not ready:
        tell(
            "Waiting for the end of standard input, which is sent along. To leave it out, use "
            "< /dev/null."
        )


def _from_stdin(most_bytes: int) -> str:
    data = sys.stdin.buffer.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise UsageError(
            f"The message on standard input has more than {most_bytes:,} bytes, the most that is "
            "taken (limits.max_message_bytes). Save the text and pass it with --file."
        )
    try:
        return data.decode("utf-8").removesuffix("\n")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"The message on standard input is not UTF-8 (byte {error.start + 1}). Convert it, "
            "with `iconv -t UTF-8` for example, or pass the file with --file."
        ) from None
