"""The log: a file in the data folder, without secrets; the terminal shows none of it."""

import logging
import os
import re
import secrets as randomness
import stat
import tempfile
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from noctule.config import find_home
from noctule.core.base.masking import Masker
from noctule.core.base.private_files import make_folder
from noctule.core.clock import SystemClock

FILE = "noctule.log"
_MOST_BYTES = 5_000_000
_BY_FORM = Masker()
_FORMAT = "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_SHORTEST_SECRET = 8  # shorter values are words, and hiding them would hide the log


class FileLog(logging.FileHandler):
    """Appends to a file that is made, for its owner alone, when there is something to say."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, mode="a", encoding="utf-8", delay=True, errors="backslashreplace")

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; a folder that cannot be written must not end a command."""
        with suppress(OSError):
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Keep quiet: what cannot be logged is not worth a traceback on the terminal."""

    def _open(self) -> TextIOWrapper:
        path = Path(self.baseFilename)
        _make_room(path)
        return _append_privately(path)


class Discreet(logging.Formatter):
    """Writes records without the secrets of the configuration.

    Args:
        secrets: the values to hide.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        super().__init__(_FORMAT)
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line, its traceback included; what looks like a key is hidden.

        Further lines are indented: none of them can look like a record.
        """
        from noctule.channels.terminal.screens.printable import printable  # noqa: PLC0415 - not for --help

        text = printable(_BY_FORM.mask(hide(super().format(record), self._secrets)))
        return text.replace("\n", "\n    ")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's name
        """Return the record's moment with its offset."""
        return datetime.fromtimestamp(record.created).astimezone().isoformat("T", "milliseconds")


def log_to(home: Path, secrets: Sequence[str]) -> None:
    """Send everything logged in this process to the data folder's log.

    Args:
        home: the data folder.
        secrets: values that must not be written.
    """
    handler = FileLog(home / FILE)
    handler.setFormatter(Discreet(secrets))
    root = logging.getLogger()
    for earlier in [h for h in root.handlers if isinstance(h, FileLog)]:
        root.removeHandler(earlier)
        earlier.close()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("noctule").setLevel(logging.INFO)
    for chatty in ("httpx", "httpcore"):  # they log whole URLs, a bot's token included
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


def keep_traceback(error: BaseException, home: Path | None, secrets: Sequence[str]) -> Path | None:
    """Append a traceback to the log; to one in the temporary folder where that is not possible.

    Args:
        error: what was raised.
        home: the data folder; None where the configuration was not read yet.
        secrets: values that must not be written.

    Returns:
        The file, or None when nothing could be written anywhere.
    """
    from noctule.channels.terminal.screens.printable import printable  # noqa: PLC0415 - not for --help

    if home is None:
        home = find_home(environ=os.environ, cwd=Path.cwd())
    text = "".join(traceback.format_exception(error))
    hidden = _BY_FORM.mask(hide(text, [*secrets, *_in_environment(os.environ)]))
    for path in (home / FILE, _fallback()):
        with suppress(OSError):
            make_folder(path.parent)
            with _append_privately(path) as log:
                now = SystemClock().now().isoformat()
                lines = printable(hidden).rstrip().replace("\n", "\n    ")
                log.write(f"{now} {os.getpid()} ERROR noctule:\n    {lines}\n")
            return path
    return None


def secrets_of(settings: BaseModel, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return every value that must not be written: of the configuration and the environment."""
    found = {*_in_settings(settings), *_in_environment(environ)}
    return tuple(sorted((text for text in found if len(text) >= _SHORTEST_SECRET), key=len))[::-1]


def hide(text: str, secrets: Iterable[str]) -> str:
    """Return text with ``***`` in place of every secret."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def _in_settings(value: Any) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for _, inner in value:
            yield from _in_settings(inner)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _in_settings(inner)


def _in_environment(environ: Mapping[str, str]) -> Iterator[str]:
    for name, value in environ.items():
        if _SECRET_NAME.search(name) and len(value) >= _SHORTEST_SECRET:
            yield value


def _append_privately(path: Path) -> TextIOWrapper:
    """Open a log for its owner alone; whatever else stands there is not written to.

    Raises:
        OSError: it is a link, a pipe or another user's file, or cannot be opened.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    file = os.open(path, flags, 0o600)
    try:
        about = os.fstat(file)
        if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid() or about.st_nlink > 1:
            raise PermissionError(13, "it is not a file of this user's alone", str(path))
        if about.st_mode & 0o077:
            os.fchmod(file, 0o600)
    except OSError:
        os.close(file)
        raise
    return TextIOWrapper(os.fdopen(file, "ab"), encoding="utf-8", errors="backslashreplace")


def _fallback() -> Path:
    """Return a log in the temporary folder that nobody can have put there before."""
    return Path(tempfile.gettempdir()) / f"noctule-{os.getuid()}-{randomness.token_hex(8)}.log"


def _make_room(path: Path) -> None:
    make_folder(path.parent)
    with suppress(FileNotFoundError):
        if path.stat().st_size > _MOST_BYTES:
            path.replace(path.with_suffix(".log.1"))
