"""Wakefulness: the machine is kept from sleeping while there is work, and told on if it slept.

macOS has ``caffeinate``, Linux with systemd ``systemd-inhibit``; both hold the machine awake for as
long as a process of ours runs. They are taken from fixed places only, so that no program of that
name in a project is started. Where there is neither, or it does not work, nothing fails.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from noctule.core.base.masking import without_secrets
from noctule.core.clock import Clock

_LOG = logging.getLogger(__name__)

_TRY_AGAIN_S = 600.0
_PLACES: Mapping[str, Sequence[str]] = {
    "caffeinate": ("/usr/bin/caffeinate",),
    "systemd-inhibit": ("/usr/bin/systemd-inhibit", "/bin/systemd-inhibit"),
    "cat": ("/usr/bin/cat", "/bin/cat"),
}
_WHY = "Noctule has sessions at work"


@dataclass(frozen=True, slots=True)
class Inhibitor:
    """A program that keeps a machine awake.

    Args:
        name: of the program.
        command: to start it with; it ends when its standard input does, or this process.
    """

    name: str
    command: tuple[str, ...]


def find_inhibitor(root: Path = Path("/"), platform: str = sys.platform) -> Inhibitor | None:
    """Return what keeps this machine awake; None when there is nothing.

    Args:
        root: where the fixed places are looked for.
        platform: as ``sys.platform``.
    """
    if platform == "darwin":
        program = _find("caffeinate", root)
        # caffeinate(8): -i no idle sleep, -w until that process ends (macOS 14, checked 2026-11)
        command = (program, "-i", "-w", str(os.getpid())) if program else None
        return Inhibitor("caffeinate", command) if command else None
    program, waits = _find("systemd-inhibit", root), _find("cat", root)
    if program is None or waits is None:
        return None
    # systemd-inhibit(1), systemd 255, checked 2026-11: held for as long as the command runs
    told = ("--what=idle:sleep", "--mode=block", "--who=Noctule", f"--why={_WHY}")
    return Inhibitor("systemd-inhibit", (program, *told, waits))


def _find(name: str, root: Path) -> str | None:
    for place in _PLACES[name]:
        path = root / place.lstrip("/")
        if path.is_file() and os.access(path, os.X_OK):
            return str(path)
    return None


class Wakefulness:
    """Keeps the machine awake while somebody needs it.

    Args:
        inhibitor: what does it; None does nothing.
        clock: paces what is tried again.
    """

    def __init__(self, inhibitor: Inhibitor | None, clock: Clock) -> None:
        self._inhibitor = inhibitor
        self._clock = clock
        self._needs = 0
        self._process: asyncio.subprocess.Process | None = None
        self._broken_at: float | None = None

    @contextmanager
    def needed(self) -> Iterator[None]:
        """Need the machine awake while the block runs; ``keep`` sees to it."""
        self._needs += 1
        try:
            yield
        finally:
            self._needs -= 1

    async def keep(self) -> None:
        """Start or end what keeps the machine awake, as it is needed now; never fails."""
        if self._needs:
            await self._start()
        else:
            await self.end()

    async def _start(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            self._process = process
            return
        if process is not None:
            self._note(await _said(process))
        if self._inhibitor is None or self._is_broken():
            return
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._inhibitor.command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for us: work under way still ends awake
                env=without_secrets(os.environ),
            )
        except OSError as error:
            self._note(error.strerror or type(error).__name__)

    async def end(self) -> None:
        """Let the machine sleep."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()

    def _note(self, why: str) -> None:
        if self._broken_at is None:
            name = self._inhibitor.name if self._inhibitor else ""
            _LOG.warning("%s does not keep this machine awake: %s", name, why or "it ended")
        self._broken_at = self._clock.monotonic()

    def _is_broken(self) -> bool:
        at = self._broken_at
        return at is not None and self._clock.monotonic() - at < _TRY_AGAIN_S


async def _said(process: asyncio.subprocess.Process) -> str:
    if process.stderr is None:
        return ""
    return (await process.stderr.read(300)).decode(errors="replace").strip()
