"""Incoming files: what people send goes to the session's workspace, under a name of ours."""

import asyncio
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from telegram import File, Message
from telegram.error import BadRequest, NetworkError, RetryAfter, TelegramError

from noctule.channels.telegram.base.context import BotContext, IncomingMessage
from noctule.core.base.private_files import make_folder, write_private
from noctule.core.errors import UsageError

FOLDER = "in"
"""The folder of a workspace in which what people sent is."""

_UNSAFE = re.compile(r"[^\w.()+-]+")
_NAME_CHARS = 80
_MEGABYTE = 1_000_000
_MOST_ALIKE = 1000


@dataclass(frozen=True, slots=True)
class Attached:
    """A file of a message, not fetched yet.

    Args:
        file_id: what Telegram calls it.
        name: ours: no folder, no strange characters.
        size: in bytes; None when Telegram did not say.
    """

    file_id: str
    name: str
    size: int | None


def attached(message: Message) -> Attached | None:
    """Return the photo or document of a message; None when it has none."""
    number = message.message_id
    if message.photo:
        largest = message.photo[-1]
        return Attached(largest.file_id, f"photo-{number}.jpg", largest.file_size)
    document = message.document
    if document is None:
        return None
    return Attached(
        document.file_id, safe_name(document.file_name, f"file-{number}"), document.file_size
    )


def attached_files(said: IncomingMessage) -> list[Attached]:
    """Return the photos and documents of everything that belongs to what was said."""
    found = (attached(part.message) for part in said.parts)
    return [file for file in found if file is not None]


def safe_name(given: str | None, instead: str) -> str:
    """Return a file name that is one, whatever somebody called their file.

    Args:
        given: as it came; None when it has none.
        instead: taken when nothing of it is left.
    """
    last = re.split(r"[/\\]", given or "")[-1]
    name = _UNSAFE.sub("_", last).strip("._")
    if not name:
        return instead
    stem, dot, ending = name.rpartition(".")
    if not dot:
        return name[:_NAME_CHARS]
    ending = ending[:10]
    return f"{stem[: _NAME_CHARS - len(ending) - 1]}.{ending}"


async def fetch(bot: BotContext, files: Sequence[Attached], root: Path) -> list[str]:
    """Bring files of a message into a workspace; return their names, relative to it.

    A name that is taken gets a number and what was there stays, unless it holds the very same: that
    is the file that was fetched before a kill, or sent twice.

    Args:
        bot: the bot, and how large files may be.
        files: which.
        root: the workspace; made when it is not there.

    Raises:
        UsageError: one is too large, or cannot be had.
        NetworkError: Telegram cannot be reached; likewise ``RetryAfter``.
    """
    most = bot.settings.max_file_mb * _MEGABYTE
    for file in files:
        if file.size is not None and file.size > most:
            raise UsageError(
                f"{file.name} has {file.size / _MEGABYTE:.1f} MB, and I accept at most "
                f"{bot.settings.max_file_mb} MB. Send a smaller one, or put it on the machine."
            )
    folder = _folder(root)
    names = []
    for file in files:
        content = await _content(bot, file, most)
        name = await asyncio.to_thread(_keep, folder, file.name, content)
        names.append(f"{FOLDER}/{name}")
    return list(dict.fromkeys(names))


def _keep(folder: Path, name: str, content: bytes) -> str:
    """Write a file under the first name that is free; return the name."""
    partial = folder / f".{uuid4().hex}.part"
    write_private(partial, content)
    try:
        for candidate in _candidates(name):
            path = folder / candidate
            try:
                os.link(partial, path)  # never over another, also when two come at once
            except FileExistsError:
                if path.is_symlink() or not path.is_file() or path.read_bytes() != content:
                    continue
            except OSError:  # a file system without links
                if os.path.lexists(path):
                    continue
                partial.replace(path)
            return candidate
    finally:
        partial.unlink(missing_ok=True)
    raise UsageError(f"There are too many files called {name} already. Send it under another name.")


def _candidates(name: str) -> Iterator[str]:
    yield name
    stem, dot, ending = name.rpartition(".")
    for number in range(2, _MOST_ALIKE):
        yield f"{stem}-{number}.{ending}" if dot and stem else f"{name}-{number}"


def _folder(root: Path) -> Path:
    folder = root / FOLDER
    make_folder(folder)
    if folder.is_symlink() or not folder.resolve().is_relative_to(root.resolve()):
        raise UsageError(
            "The folder for this session's files points somewhere else, so I didn't save anything."
        )
    return folder


async def _downloaded(bot: BotContext, found: File) -> bytes:
    """Fetch a file; a Bot API server of one's own with ``--local`` names a path on its own disk."""
    path = found.file_path or ""
    prefix, token, rest = path.partition(f"{bot.quick.token}/")
    inner = rest.rpartition(f"{bot.quick.token}/")[2]
    if inner != rest and prefix:
        # Not on this disk: the server may give it out under its usual address all the same.
        found = File(found.file_id, found.file_unique_id, file_path=f"{prefix}{token}{inner}")
        found.set_bot(bot.quick)
    return bytes(await found.download_as_bytearray())


async def _content(bot: BotContext, file: Attached, most: int) -> bytes:
    try:
        found = await bot.quick.get_file(file.file_id)
        content = await _downloaded(bot, found)
    except TelegramError as error:
        if isinstance(error, NetworkError | RetryAfter) and not isinstance(error, BadRequest):
            raise  # an outage: handling waits for its end
        raise UsageError(
            f"{file.name} could not be fetched from Telegram ({error}). Send it again."
        ) from error
    if len(content) > most:
        raise UsageError(f"{file.name} is larger than {bot.settings.max_file_mb} MB.")
    return content
