"""The parent's handle on the process that serves the embedded model."""

import asyncio
import logging
import secrets
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from noctule.core.clock import Clock
from noctule.core.errors import EmbeddedModelError, OurBugError
from noctule.models.embedded.launch import ServeRequest
from noctule.models.embedded.options import PACKAGED_SAMPLING, EmbeddedOptions
from noctule.models.embedded.process import ServerProcess
from noctule.models.embedded.restarts import RestartBudget
from noctule.models.embedded.templates import readable_template
from noctule.models.embedded.weights import packaged_weights, readable_weights

logger = logging.getLogger(__name__)

# -P: a file called xllamacpp.py in the person's working folder is not the one meant.
_COMMAND: Final = (sys.executable, "-P", "-m", "noctule.models.embedded.child")


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where the server listens, until it dies.

    Ask ``EmbeddedServer.address`` for it before every call, and open a connection for each
    (``httpx.Limits(max_keepalive_connections=0)``): the server closes a connection after a
    streamed reply without announcing it, and a request that follows at once on the same
    connection is lost (6 of 80; xllamacpp 2026.10, checked 2026-11).

    Args:
        url: the OpenAI base URL, ending in ``/v1``.
        api_key: what it wants as bearer token; made anew at every start.
    """

    url: str
    api_key: str = field(repr=False)


class EmbeddedServer:
    """Keeps one llama.cpp server process alive while somebody wants it.

    Safe to share among the tasks of one event loop: one start at a time, and all get the same
    address. What llama.cpp writes goes to the logger ``noctule.models.embedded.process`` at
    level DEBUG.

    Args:
        options: what is served and how.
        clock: measures the window of the restarts.
        on_event: told in a sentence when the server died and when it runs again, beside the
            log; None means the log alone.
        restarts: how often it may come back; None means 3 times within 60 s.
        start_seconds: how long loading may take; a large file on a slow disk takes minutes.
        command: the program that serves; another than the child module is for tests.
    """

    def __init__(
        self,
        options: EmbeddedOptions,
        *,
        clock: Clock,
        on_event: Callable[[str], None] | None = None,
        restarts: RestartBudget | None = None,
        start_seconds: float = 120.0,
        command: Sequence[str] = _COMMAND,
    ) -> None:
        self._options = options
        self._on_event = on_event
        self._restarts = restarts or RestartBudget(clock)
        self._start_seconds = start_seconds
        self._command = tuple(command)
        self._lock = asyncio.Lock()
        self._process: ServerProcess | None = None
        self._address: ServerAddress | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._failure: str | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The process id of the live server; None when there is none."""
        return self._process.pid if self._process and self._process.is_alive else None

    async def start(self) -> ServerAddress:
        """Start the server unless it lives already; ``address`` by its other name."""
        return await self.address()

    async def address(self) -> ServerAddress:
        """Return the address of a live server, starting or restarting it first if need be.

        Raises:
            EmbeddedModelError: the weights are missing or wrong, it did not come up, or it
                failed more often than it may be restarted.
            OurBugError: it was closed.
        """
        if self._address is not None and self.pid is not None:
            return self._address
        async with self._lock:
            if self._closed:
                raise OurBugError(
                    "The embedded model server was asked for after it had been closed. "
                    "Please report this."
                )
            if self._address is None or self.pid is None:
                self._address = await self._start()
            return self._address

    async def close(self) -> None:
        """End the server and wait until it is gone; closing again does nothing."""
        self._closed = True
        async with self._lock:
            if self._process and self._watcher:
                await self._process.end()
                await self._watcher
            self._process = self._address = self._watcher = None

    async def _start(self) -> ServerAddress:
        self._refuse_when_hopeless()
        order = await asyncio.to_thread(_order, self._options)
        try:
            process = await ServerProcess.launch(self._command, order, self._start_seconds)
        except EmbeddedModelError as error:
            self._restarts.failed()
            self._failure = str(error)
            raise
        self._process = process
        self._watcher = asyncio.create_task(self._watch(process))
        if self._failure is not None:
            self._failure = None
            self._report("The embedded model server runs again.")
        return ServerAddress(url=f"{process.url}/v1", api_key=order["api_key"])

    def _refuse_when_hopeless(self) -> None:
        wait_seconds = self._restarts.wait_seconds()
        if wait_seconds > 0:
            raise EmbeddedModelError(
                "The embedded model server failed too often (more than "
                f"{self._restarts.restarts} times within {self._restarts.window_seconds:g} s) and "
                f"is left alone for another {wait_seconds:.0f} s. The last time: {self._failure}"
            )

    async def _watch(self, process: ServerProcess) -> None:
        """Wait for the end of the process, and say so when nobody wanted it."""
        await process.wait()
        if not self._closed:
            self._restarts.failed()
            self._failure = (
                f"The embedded model server died ({process.ending}). {process.last_words}"
                "It is started again when it is next needed; if this goes on, give it less "
                "context or fewer slots, or name another model."
            )
            self._report(self._failure)

    def _report(self, sentence: str) -> None:
        logger.warning("%s", sentence)
        if self._on_event:
            self._on_event(sentence)


def _order(options: EmbeddedOptions) -> ServeRequest:
    """Say what is to be served; reads the weights, so it blocks."""
    sampling, template = options.sampling, options.chat_template
    if options.weights is None:
        weights = packaged_weights()
        sampling = sampling or PACKAGED_SAMPLING
    else:
        weights = readable_weights(options.weights)
    return ServeRequest(
        weights=str(weights),
        chat_template=None if template is None else readable_template(template),
        alias=options.alias,
        api_key=secrets.token_urlsafe(32),
        slots=options.slots,
        context_tokens=options.context_tokens,
        threads=options.threads,
        cache_mib=options.cache_mib,
        default_max_tokens=options.default_max_tokens,
        temperature=sampling.temperature if sampling else None,
        top_p=sampling.top_p if sampling else None,
        repeat_penalty=sampling.repeat_penalty if sampling else None,
        verbosity=options.verbosity,
    )
