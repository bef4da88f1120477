"""Everything the bot asked of the API, in order."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.telegram.pulse import Pulse


@dataclass
class Call:
    """One call of a method.

    Args:
        number: counted from 1.
        at: when it came, in monotonic seconds.
        method: as the documentation spells it, where it is known.
        params: what it was called with; JSON is parsed, files are only named.
        chat: the chat it was about; None when about none.
        ended: when it was answered, in monotonic seconds; None while it is not.
        code: the HTTP status that was sent; None when none was (not yet, or dropped on purpose).
        said: the description of a refusal; "" when it did as asked.
        took_effect: whether it changed or told anything.
    """

    number: int
    at: float
    method: str
    params: dict[str, Any]
    chat: int | None
    ended: float | None = None
    code: int | None = None
    said: str = ""
    took_effect: bool = False


class Calls:
    """The list of all calls.

    Args:
        log: a file that gets a line of JSON for each call that ended; None writes none.
    """

    def __init__(self, log: Path | None = None) -> None:
        self.all: list[Call] = []
        self.pulse = Pulse()
        self._log = log

    def __iter__(self) -> Iterator[Call]:
        return iter(self.all)

    def __len__(self) -> int:
        return len(self.all)

    def of(self, method: str, chat: int | None = None) -> list[Call]:
        """Return the calls of a method, in one chat or in all."""
        wanted = method.lower()
        return [
            call
            for call in self.all
            if call.method.lower() == wanted and (chat is None or call.chat == chat)
        ]

    async def until(
        self, method: str, *, times: int = 1, chat: int | None = None, within: float = 20.0
    ) -> list[Call]:
        """Wait until a method was called that often and answered or dropped; return these calls.

        Raises:
            TimeoutError: it was not in that many seconds.
        """

        def ended() -> list[Call]:
            calls = [call for call in self.of(method, chat) if call.ended is not None]
            return calls if len(calls) >= times else []

        return await self.pulse.until(ended, within)

    def begin(self, at: float, method: str, params: dict[str, Any]) -> Call:
        """Note a call that came."""
        chat = str(params.get("chat_id", ""))
        number = int(chat) if chat.lstrip("-").isdigit() else None
        call = Call(len(self.all) + 1, at, method, params, number)
        self.all.append(call)
        self.pulse.beat()
        return call

    def end(self, call: Call, at: float, code: int | None, said: str = "") -> None:
        """Note how a call ended."""
        call.ended, call.code, call.said = at, code, said
        if self._log is not None:
            with self._log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(vars(call)) + "\n")
        self.pulse.beat()
