"""Leaving: whoever pays for a request is told just before its first byte goes out.

The HTTP libraries of all clients tell of each step of a request, and wait until whoever listens
has taken note. What is said before a connection is there (names looked up, TLS) has cost nothing.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

Told = Callable[[], Awaitable[None]]

# httpcore 1.0 and its successor, docs "Extensions": trace, checked 2026-11
_LEAVES = ".send_request_headers.started"

_notice: ContextVar["_Notice | None"] = ContextVar("leaving", default=None)


class _Notice:
    """Tells somebody, once."""

    def __init__(self, tell: Told) -> None:
        self._tell: Told | None = tell

    async def give(self) -> None:
        tell, self._tell = self._tell, None
        if tell is not None:
            await tell()


class _Request(Protocol):
    """A request of httpx or of its successor."""

    extensions: Any


@contextmanager
def told_before_leaving(tell: Told) -> Iterator[None]:
    """Have somebody told, once, before the first request of the block leaves.

    Args:
        tell: the request waits for it, and is not sent when it raises.
    """
    token = _notice.set(_Notice(tell))
    try:
        yield
    finally:
        _notice.reset(token)


async def watch(request: _Request) -> None:
    """Watch a request; an HTTP client's hook for each one that it is about to make."""
    notice = _notice.get()
    if notice is None:
        return

    async def trace(event: str, info: Mapping[str, Any]) -> None:
        del info
        if event.endswith(_LEAVES):
            await notice.give()

    request.extensions = {**request.extensions, "trace": trace}
