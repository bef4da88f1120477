"""Webhook: Telegram posts updates to us; each is stored before the post is answered."""

import hmac
import logging
from collections.abc import Sequence
from typing import Protocol

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from noctule.channels.telegram.delivery.log_redaction import trail
from noctule.channels.telegram.inbound.raw_updates import posted_update
from noctule.core.errors import NoctuleError

_LOG = logging.getLogger(__name__)

_ADDRESS = "127.0.0.1"
_MOST_BYTES = 20_000_000
_SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - a header's name


class Taker(Protocol):
    """Who stores updates."""

    async def take(self, payloads: Sequence[object]) -> int | None:
        """Store them."""
        ...


class Webhook:
    """A small server on loopback; a proxy with a certificate stands in front of it.

    Args:
        inbox: stores what is posted.
        port: 0 takes a free one.
        secret: what a post must bring along.
    """

    def __init__(self, inbox: Taker, *, port: int, secret: str) -> None:
        given = {"inbox": inbox, "secret": secret}
        self._server = HTTPServer(
            Application([(r"/.*", _Post, given)], log_function=lambda _: None),
            max_body_size=_MOST_BYTES,
        )
        self._sockets = bind_sockets(port, _ADDRESS)

    @property
    def port(self) -> int:
        """The port it listens on."""
        port: int = self._sockets[0].getsockname()[1]
        return port

    def start(self) -> None:
        """Listen."""
        self._server.add_sockets(self._sockets)

    async def close(self) -> None:
        """Stop listening, and finish what was begun."""
        self._server.stop()
        await self._server.close_all_connections()


class _Post(RequestHandler):
    def initialize(self, inbox: Taker, secret: str) -> None:
        self._inbox = inbox
        self._secret = secret

    async def post(self) -> None:
        brought = self.request.headers.get(_SECRET_HEADER, "")
        if not hmac.compare_digest(brought.encode(), self._secret.encode()):
            self.set_status(403)
            return
        update = posted_update(self.request.body)
        if update is None:
            # Any other status would have Telegram post it again, before everything behind it.
            _LOG.warning("a post of %d bytes holds no update", len(self.request.body))
            return
        try:
            await self._inbox.take([update.payload])
        except NoctuleError as error:
            _LOG.warning("an update was not stored, Telegram sends it again: %s", error)
            self.set_status(503)
        except Exception as broke:  # noqa: BLE001 - likewise: sent again for as long as it lasts
            _LOG.error("an update was not stored, Telegram sends it again: %s", trail(broke))
            self.set_status(503)
