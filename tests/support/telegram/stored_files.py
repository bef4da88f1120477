"""Files on Telegram's servers."""

import mimetypes
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from tests.support.telegram.params import Upload


@dataclass(frozen=True)
class StoredFile:
    """A file on Telegram's servers.

    Args:
        id: what it is asked for by.
        kind: the folder: ``documents``, ``photos``, ``voice``, ``stickers``.
        name: as its sender called it; "" for photos.
        media_type: what it says it is.
        content: its bytes.
        size: what Telegram says of its size; it may be larger than what is kept here.
    """

    id: str
    kind: str
    name: str
    media_type: str
    content: bytes
    size: int

    @property
    def unique_id(self) -> str:
        """The same for the same file, whoever asks."""
        return f"AQAD{zlib.crc32(self.content + self.name.encode()):08x}"

    @property
    def path(self) -> str:
        """Where it is downloaded, after the token."""
        suffix = PurePosixPath(self.name).suffix
        suffix = suffix or mimetypes.guess_extension(self.media_type) or ""
        return f"{self.kind}/file_{self.id.rpartition('-')[2]}{suffix}"

    @property
    def document(self) -> dict[str, Any]:
        """The fields that all objects about files share."""
        return {"file_id": self.id, "file_unique_id": self.unique_id, "file_size": self.size}


class Files:
    """All files, by id."""

    def __init__(self) -> None:
        self._all: dict[str, StoredFile] = {}

    def __iter__(self) -> Iterator[StoredFile]:
        return iter(self._all.values())

    def add(self, kind: str, upload: Upload, *, size: int | None = None) -> StoredFile:
        """Keep a file; ``size`` claims another size than it has."""
        file_id = f"BQACAgIAAxkBAAI{kind[0].upper()}-{len(self._all) + 1}"
        known = len(upload.content) if size is None else size
        stored = StoredFile(file_id, kind, upload.name, upload.media_type, upload.content, known)
        self._all[file_id] = stored
        return stored

    def get(self, file_id: str) -> StoredFile | None:
        """Return a file; None when there is none."""
        return self._all.get(file_id)

    def at(self, path: str) -> StoredFile | None:
        """Return the file that is downloaded at a path; None when there is none."""
        return next((f for f in self._all.values() if f.path == path), None)
