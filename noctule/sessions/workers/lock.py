"""One worker at a time on a data folder: a file lock that the system drops with its process."""

import fcntl
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from noctule.core.base.private_files import make_folder
from noctule.core.clock import Clock
from noctule.core.errors import DatabaseBusyError

_LOOK_SECONDS = 0.2
"""How often one who waits looks whether the lock is free."""

WORKERS = frozenset({"serve", "worker"})
"""The commands that keep the lock; every other one works for its own session and gives way."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who works on a data folder.

    Args:
        pid: its process.
        what: the command, like ``serve`` or ``chat``.
        since: when it began.
        stopping: whether it finishes the steps under way and begins nothing more.
    """

    pid: int
    what: str
    since: datetime
    stopping: bool = False

    @property
    def is_worker(self) -> bool:
        """Whether it works on every session and goes on doing so."""
        return self.what in WORKERS and not self.stopping

    @property
    def in_the_way(self) -> str:
        """Why another command waits, as a sentence."""
        if self.stopping:
            return (
                f"`noctule {self.what}` is stopping; this one takes over as soon as it has ended."
            )
        return f"Another `noctule {self.what}` is at work; this one begins as soon as it has ended."


class WorkerLock:
    """The right to work on a data folder.

    A command that works for its own session only gives way to ``serve``, which asks for it with
    a second lock. Both fall with the process that holds them.

    Args:
        folder: the data folder; made when missing.
        clock: dates the holder.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._path = folder / "worker.lock"
        self._wanted = folder / "worker.wanted"
        self._clock = clock
        self._file: int | None = None
        self._asking: int | None = None

    def take(self, what: str) -> bool:
        """Take the lock for a command; return False when somebody else has it.

        Raises:
            DatabaseBusyError: the folder cannot be written.
        """
        file = self._locked(self._path)
        if file is None:
            return False
        self._file = file
        self._note(Holder(os.getpid(), what, self._clock.now()))
        return True

    def stopping(self) -> None:
        """Note that the holder begins nothing more; does nothing without the lock."""
        holder = self.holder()
        if self._file is not None and holder is not None:
            self._note(replace(holder, stopping=True))

    def release(self) -> None:
        """Let go of it; does nothing without it."""
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None

    @asynccontextmanager
    async def held(
        self, what: str, *, tell: Callable[[Holder], None] | None = None
    ) -> AsyncIterator[None]:
        """Hold the lock while the block runs; a command that has it is asked to give way.

        Args:
            what: the command, for whoever asks.
            tell: is told once who is waited for: a worker that is stopping; None tells nobody.

        Raises:
            DatabaseBusyError: another worker has it, and keeps it.
        """
        try:
            await self._wait(what, tell)
        finally:
            self._ask_no_more()
        try:
            yield
        finally:
            self.release()

    async def _wait(self, what: str, tell: Callable[[Holder], None] | None) -> None:
        while not self.take(what):
            holder = self.holder()
            if holder is not None and holder.is_worker:
                raise DatabaseBusyError(
                    f"Another `noctule {holder.what}` (process {holder.pid}, since "
                    f"{holder.since.isoformat(timespec='seconds')}) works on "
                    f"{self._path.parent}. Use that one, end it, or name another data folder "
                    "with NOCTULE_HOME."
                )
            if tell is not None and holder is not None and holder.stopping:
                tell(holder)
                tell = None
            self._ask()
            await self._clock.sleep(_LOOK_SECONDS)

    def holder(self) -> Holder | None:
        """Return who has it, or had it last when nobody has; None when that is not known."""
        try:
            note = json.loads(self._path.read_text(encoding="utf-8"))
            since = datetime.fromisoformat(note["since"])
            return Holder(note["pid"], note["what"], since, bool(note.get("stopping")))
        except (OSError, ValueError, KeyError):
            return None

    def worker(self) -> Holder | None:
        """Return who has it at this moment; None when nobody has."""
        if self._file is not None:
            return self.holder()
        file = self._locked(self._path)
        if file is not None:
            os.close(file)
            return None
        return self.holder()

    def asked(self) -> bool:
        """Whether somebody asks the holder to give way at this moment."""
        file = self._locked(self._wanted)
        if file is not None:
            os.close(file)
        return file is None

    def _ask(self) -> None:
        if self._asking is None:
            self._asking = self._locked(self._wanted)

    def _ask_no_more(self) -> None:
        if self._asking is not None:
            os.close(self._asking)
            self._asking = None

    def _note(self, holder: Holder) -> None:
        """Write down who has it, in one write over what stood there."""
        if self._file is None:
            return
        note = {**asdict(holder), "since": holder.since.isoformat()}
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, json.dumps(note).encode(), 0)

    def _locked(self, path: Path) -> int | None:
        """Open a file and lock it; None when another process has it."""
        try:
            make_folder(path.parent)
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DatabaseBusyError(
                f"The data folder {path.parent} cannot be written ({error.strerror}). "
                "Mend its permissions, or name another with NOCTULE_HOME."
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return None
        return file
