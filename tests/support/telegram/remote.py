"""An emulator in a process of its own, and people in it who are driven from here.

It outlives whatever is killed in the test::

    async with RemoteTelegram() as telegram:
        anna = telegram.phone("Anna")
        await anna.says("hello")
        seen = await anna.until(lambda seen: seen[-1]["from_bot"] and seen)
"""

import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from tests.support.telegram.phone import SECONDS
from tests.support.telegram.world import TOKEN

Seen = TypeVar("Seen")

_ROOT = Path(__file__).resolve().parents[3]
_START_SECONDS = 30.0
_ROUND_SECONDS = 5.0


class RemoteTelegram:
    """Starts the process and ends it.

    Args:
        options: more options of ``python -m tests.support.telegram``.
    """

    def __init__(self, *options: str) -> None:
        self._options = options
        self._process: asyncio.subprocess.Process | None = None
        self._client: httpx.AsyncClient | None = None
        self.token = TOKEN
        self.url = ""

    @property
    def base_url(self) -> str:
        """What ``telegram.base_url`` of the configuration is set to."""
        return f"{self.url}/bot"

    async def __aenter__(self) -> Self:
        """Start it and wait for its URL."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tests.support.telegram", *self._options),
            cwd=_ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._process.stdout is not None
        async with asyncio.timeout(_START_SECONDS):
            self.url = (await self._process.stdout.readline()).decode().strip()
        if not self.url:
            raise RuntimeError("the emulator ended before it listened; its error output says why")
        self._client = httpx.AsyncClient(base_url=self.url, timeout=_START_SECONDS)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it."""
        if self._client is not None:
            await self._client.aclose()
        if self._process is not None:
            if self._process.returncode is None:
                self._process.send_signal(signal.SIGTERM)
            await self._process.communicate()

    def phone(self, name: str) -> "RemotePhone":
        """Give a person a phone."""
        return RemotePhone(self, name)

    async def ask(self, verb: str, **given: Any) -> Any:
        """Ask the control for something; the verbs are in ``control``.

        Raises:
            ValueError: it refused; the message says why.
        """
        assert self._client is not None
        response = await self._client.post(f"/control/{verb}", json=given)
        if response.is_error:
            raise ValueError(f"{verb}: {response.json()['error']}")
        return response.json()


class RemotePhone:
    """A person in the other process; messages are dictionaries, as ``control.shown`` makes them.

    Args:
        telegram: where the person is.
        name: the person.
    """

    def __init__(self, telegram: RemoteTelegram, name: str) -> None:
        self._telegram = telegram
        self.name = name

    async def do(self, verb: str, **given: Any) -> Any:
        """Do something that takes a person."""
        return await self._telegram.ask(verb, person=self.name, **given)

    async def says(self, text: str, **where: Any) -> dict[str, Any]:
        """Send a text; ``where`` are ``chat``, ``topic`` and ``reply_to`` by id."""
        message: dict[str, Any] = await self.do("says", text=text, **where)
        return message

    async def sees(self, **where: Any) -> list[dict[str, Any]]:
        """Return what is to be read."""
        messages: list[dict[str, Any]] = (await self.do("sees", **where))["messages"]
        return messages

    async def until(
        self,
        predicate: Callable[[list[dict[str, Any]]], Seen],
        within: float = SECONDS,
        **where: Any,
    ) -> Seen:
        """Wait until what is seen satisfies a predicate; return what the predicate returned.

        Raises:
            TimeoutError: it did not come true in that many seconds; says what is to be seen.
        """
        beat = -1
        try:
            async with asyncio.timeout(within):
                while True:
                    seen = await self.do("sees", since=beat, seconds=_ROUND_SECONDS, **where)
                    beat = seen["beat"]
                    if found := predicate(seen["messages"]):
                        return found
        except TimeoutError:
            there = await self.do("transcript", **where)
            raise TimeoutError(f"not seen within {within} s; there is:\n{there}") from None
