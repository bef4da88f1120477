"""The emulator as a process of its own: ``python -m tests.support.telegram --port 0``.

It prints its URL, can be driven over ``/control`` (see ``control``), and ends on SIGTERM, or by
itself after ``--seconds``.
"""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from tests.support.telegram.server import TelegramServer
from tests.support.telegram.world import TOKEN


async def _run(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = TelegramServer(
        options.token,
        options.port,
        reads_groups=options.reads_groups,
        floods=options.floods,
        log=options.log,
    )
    async with server as telegram:
        print(telegram.url, flush=True)  # noqa: T201 - whoever started it reads the URL here
        try:
            async with asyncio.timeout(options.seconds):
                await stop.wait()
        except TimeoutError:
            sys.exit("nobody stopped the emulator in time; it ends by itself")


def _main() -> None:
    parser = argparse.ArgumentParser(description="a Bot API on loopback, for tests")
    parser.add_argument("--port", type=int, default=0, help="0 takes any that is free")
    parser.add_argument("--token", default=TOKEN, help="the bot's token")
    parser.add_argument("--reads-groups", action="store_true", help="no privacy mode in groups")
    parser.add_argument("--floods", action="store_true", help="429 for more than Telegram allows")
    parser.add_argument("--log", type=Path, help="file for a JSON line per call")
    parser.add_argument("--seconds", type=float, default=900, help="ends by itself after this")
    asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    _main()
