"""The trust store: which project files a person has looked at and said yes or no to.

It is a JSON file in the data folder, because it is read before there is a configuration, so before
there is a database. An answer holds for one path with one content, and for the code in its folder
that it runs: what has changed is asked about again.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from noctule.config.code import Code, code_of, differences
from noctule.config.document import parse_document
from noctule.core.base.masking import Masker
from noctule.core.base.private_files import make_folder
from noctule.core.clock import Clock, SystemClock
from noctule.core.errors import UsageError

FILE = "trusted-configurations.json"
"""The store's name within the data folder; for its owner alone (0600)."""


@dataclass(frozen=True, slots=True)
class TrustDecision:
    """What a person said about a file.

    Args:
        trusted: whether it may be used.
        same: whether the file still has the content they saw.
        changed: the files of each part that runs code and that they did not see as they are now.
        before: the text they saw, masked; None when it was not kept.
    """

    trusted: bool
    same: bool
    changed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    before: str | None = None

    @property
    def holds(self) -> bool:
        """Whether they said yes to all of it as it is now."""
        return self.trusted and self.same and not self.changed


@dataclass(frozen=True, slots=True)
class TrustStore:
    """The answers that are kept in one data folder.

    Args:
        home: the data folder; it need not exist.
        clock: the time, for when an answer was given.
    """

    home: Path
    clock: Clock

    @classmethod
    def of(cls, home: Path) -> "TrustStore":
        """Return the store of a data folder, on the machine's clock."""
        return cls(home, SystemClock())

    def verdict(self, path: Path, content: bytes) -> TrustDecision | None:
        """Return what was said about a file; None when nobody was asked yet.

        Args:
            path: the file; symlinks are resolved.
            content: all of it, as it would be used.
        """
        entry = self._read().get(str(path.resolve()))
        if entry is None:
            return None
        before = entry.get("text")
        return TrustDecision(
            trusted=entry.get("trusted") is True,
            same=entry.get("sha256") == _digest(content),
            changed=differences(_stored_code(entry), _code(path, content)),
            before=before if isinstance(before, str) else None,
        )

    def changed_part(self, path: Path, content: bytes, part: str) -> list[str]:
        """Return the files of one part that are not as they were trusted; [] when all are."""
        stored = _stored_code(self._read().get(str(path.resolve()), {})) or {}
        now = _code(path, content, only=part)
        return differences({part: stored.get(part, {})}, now).get(part, [])

    def remember(self, path: Path, content: bytes, *, trusted: bool) -> None:
        """Keep an answer, in place of an earlier one about this path.

        Raises:
            UsageError: the data folder cannot be written.
        """
        entries = self._read()
        entries[str(path.resolve())] = {
            "sha256": _digest(content),
            "trusted": trusted,
            "code": _code(path, content),
            "text": Masker().mask(content.decode("utf-8", "replace")),
            "when": self.clock.now().isoformat(),
        }
        self._write(entries)

    def forget(self, path: Path) -> bool:
        """Drop what was said about a path; return whether there was anything.

        Raises:
            UsageError: the data folder cannot be written.
        """
        entries = self._read()
        if entries.pop(str(path.resolve()), None) is None:
            return False
        self._write(entries)
        return True

    def _read(self) -> dict[str, dict[str, Any]]:
        """Return the answers by path; a store that cannot be read trusts nobody."""
        try:
            read = json.loads((self.home / FILE).read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        entries = read.items() if isinstance(read, dict) else ()
        return {path: entry for path, entry in entries if isinstance(entry, dict)}

    def _write(self, entries: dict[str, dict[str, Any]]) -> None:
        target = self.home / FILE
        draft = self.home / f".{FILE}.{os.getpid()}"
        try:
            make_folder(self.home)
            draft.unlink(missing_ok=True)
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(entries, file, indent=1)
            draft.replace(target)
        except OSError as error:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            reason = (error.strerror or "it was refused").lower()
            raise UsageError(
                f"The answer could not be saved in {target} ({reason}). Fix the folder's "
                "permissions, or name the configuration with --config."
            ) from error


def _code(path: Path, content: bytes, only: str | None = None) -> Code:
    return code_of(path.resolve().parent, parse_document(content, str(path)).data, only)


def _stored_code(entry: dict[str, Any]) -> Code | None:
    """Return the code that was seen; None when an older version kept the answer."""
    stored = entry.get("code")
    if not isinstance(stored, dict):
        return None
    return {str(part): files for part, files in stored.items() if isinstance(files, dict)}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
