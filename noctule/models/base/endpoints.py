"""Endpoints: one client each, built when it is first asked."""

import logging
from collections.abc import Callable, Collection

from noctule.models.base.client import Client

BuildClient = Callable[[str], Client]
"""Builds the client of an endpoint, by its name in the configuration."""

_LOG = logging.getLogger(__name__)


class Endpoints:
    """The clients of one process.

    Args:
        build: makes a client; called once for each endpoint that is used.
    """

    def __init__(self, build: BuildClient) -> None:
        self._build = build
        self._clients: dict[str, Client] = {}

    def client(self, endpoint: str) -> Client:
        """Return the client of an endpoint.

        Raises:
            NoctuleError: it cannot be used as it is configured.
        """
        client = self._clients.get(endpoint)
        if client is None:
            client = self._clients[endpoint] = self._build(endpoint)
        return client

    def share(self, other: "Endpoints", names: Collection[str]) -> None:
        """Use another's clients of some endpoints, as far as they are built."""
        self._clients |= {name: other._clients[name] for name in names if name in other._clients}  # noqa: SLF001 - of the same class

    async def close(self) -> None:
        """Let go of every connection and child process; a client that cannot is left behind."""
        while self._clients:
            name, client = self._clients.popitem()
            try:
                await client.close()
            except Exception as error:  # noqa: BLE001 - the others must be closed as well
                _LOG.warning("endpoint %s did not close in order: %r", name, error)
