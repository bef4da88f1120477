"""Signals on the terminal: taken over for a while, and left alone where they are ignored."""

import asyncio
import os
import signal

from noctule.channels.terminal.interrupts import handled
from noctule.core.clock import SystemClock

CLOCK = SystemClock()


async def test_a_signal_is_handled_within_the_block_and_as_before_behind_it() -> None:
    """What handled it before does so again."""
    heard: list[str] = []
    came = asyncio.Event()

    def take() -> None:
        heard.append("block")
        came.set()

    before = signal.signal(signal.SIGHUP, lambda *_: heard.append("before"))
    try:
        with handled({signal.SIGHUP: take}):
            os.kill(os.getpid(), signal.SIGHUP)
            await came.wait()
        os.kill(os.getpid(), signal.SIGHUP)
        assert heard == ["block", "before"]
    finally:
        signal.signal(signal.SIGHUP, before)


async def test_what_nohup_ignores_stays_ignored() -> None:
    """A terminal that closes ends no work that was started to outlive it."""
    heard: list[str] = []
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with handled({signal.SIGHUP: lambda: heard.append("block")}):
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            os.kill(os.getpid(), signal.SIGHUP)
            await CLOCK.sleep(0.01)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert heard == []
    finally:
        signal.signal(signal.SIGHUP, before)
