"""Watching the configuration's file while a program runs on it."""

import os
from collections.abc import Mapping
from pathlib import Path

from noctule.config.loading import Loaded, load_bytes
from noctule.config.trust import TrustStore
from noctule.config.which_file import Origin
from noctule.core.errors import ConfigError

_Stamp = tuple[int, int, int] | None


class WatchedFile:
    """The file a program runs on, looked at from time to time.

    Args:
        loaded: what was read from it at the start.
        environ: the environment variables; they do not change while a program runs.
    """

    def __init__(self, loaded: Loaded, environ: Mapping[str, str]) -> None:
        self._loaded = loaded
        self._environ = environ
        self._path = loaded.path
        choice = loaded.choice
        self._by_trust = choice is not None and choice.origin is Origin.PROJECT
        self._content = None if choice is None else choice.content
        if self._content is None:
            self._content = _read(self._path)
        self._settled: _Stamp = None
        self._told: bytes | None = None

    def look(self, *, at_once: bool = False) -> Loaded | str | None:
        """Return the file's new content, or why it cannot be used.

        A file that was changed just now is left for the next look: an editor may be writing it.

        Args:
            at_once: True does not leave it for the next look.

        Returns:
            None when it is as it was, or when what is wrong with it was said already.
        """
        stamp = _stamp(self._path)
        settled, self._settled = self._settled, stamp
        if stamp is None or (stamp != settled and not at_once):
            return None
        content = _read(self._path)
        if content is None or content == self._content:
            self._told = None
            return None
        if self._by_trust and not self._is_trusted(content):
            return self._once(
                content,
                f"{self._path} has changed and is not trusted in its new form. To apply it, run "
                f"`noctule trust {self._path}`.",
            )
        try:
            loaded = load_bytes(content, self._path, self._loaded.home, environ=self._environ)
        except ConfigError as error:
            return self._once(content, f"{self._path} has changed and cannot be used: {error}")
        self._content = content
        return loaded

    def _once(self, content: bytes, sentence: str) -> str | None:
        if content == self._told:
            return None
        self._told = content
        return f"{sentence} Until then, the previous configuration is used."

    def _is_trusted(self, content: bytes) -> bool:
        verdict = TrustStore.of(self._loaded.home).verdict(self._path, content)
        return verdict is not None and verdict.holds


def _stamp(path: Path) -> _Stamp:
    try:
        found = os.stat(path)  # noqa: PTH116 - as its parts
    except OSError:  # an editor that replaces a file takes it away first
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
