"""Webhooks: updates that are sent to the bot instead of being asked for."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPClientError
from tornado.simple_httpclient import HTTPTimeoutError

from tests.support.telegram.params import Params
from tests.support.telegram.polling import allow
from tests.support.telegram.refusals import bad_request
from tests.support.telegram.world import World

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"
FIRST_RETRY_SECONDS = 0.2
LONGEST_RETRY_SECONDS = 5.0


@dataclass
class Webhook:
    """Delivers updates to a URL, one after another, until each was taken with a 2xx.

    Args:
        world: whose updates.
        url: where to.
        secret: sent in a header; "" sends none.
        most_connections: what the bot asked for; updates are sent one by one anyway.
    """

    world: World
    url: str
    secret: str = ""
    most_connections: int = 40
    last_error: str = ""
    last_error_date: int = 0
    _task: "asyncio.Task[None] | None" = field(default=None, init=False)

    def start(self) -> None:
        """Begin to deliver."""
        self._task = asyncio.create_task(self._deliver())

    async def stop(self) -> None:
        """End it; what is on its way may arrive and be sent again later."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def document(self) -> dict[str, Any]:
        """The ``WebhookInfo`` object."""
        document = {
            "url": self.url,
            "has_custom_certificate": False,
            "pending_update_count": len(self.world.updates.pending),
            "max_connections": self.most_connections,
            "ip_address": "127.0.0.1",
        }
        if self.last_error:
            error = {"last_error_date": self.last_error_date, "last_error_message": self.last_error}
            document |= error
        return document

    async def _deliver(self) -> None:
        client = AsyncHTTPClient(force_instance=True)
        wait_seconds = FIRST_RETRY_SECONDS
        try:
            while True:
                update = await self.world.updates.next()
                if await self._post(client, update.document):
                    self.world.updates.drop(update)
                    wait_seconds = FIRST_RETRY_SECONDS
                else:
                    await self.world.clock.sleep(wait_seconds)
                    wait_seconds = min(wait_seconds * 2, LONGEST_RETRY_SECONDS)
        finally:
            client.close()

    async def _post(self, client: AsyncHTTPClient, document: dict[str, Any]) -> bool:
        headers = {"Content-Type": "application/json"}
        if self.secret:
            headers[SECRET_HEADER] = self.secret
        try:
            await client.fetch(self.url, method="POST", headers=headers, body=json.dumps(document))
        except HTTPTimeoutError:
            self._failed("Connection timed out")
        except HTTPClientError as error:
            self._failed(f"Wrong response from the webhook: {error.code} {error.message}")
        except OSError:
            self._failed("Connection refused")
        else:
            return True
        return False

    def _failed(self, why: str) -> None:
        self.last_error = why
        self.last_error_date = self.world.now


async def set_webhook(world: World, params: Params) -> bool:
    """``setWebhook``; loopback URLs do not need TLS here, unlike on the real API."""
    url = params.text("url")
    if not url:
        return await delete_webhook(world, params)
    if not url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    secret = params.text("secret_token")
    if not all(letter.isalnum() or letter in "_-" for letter in secret):
        raise bad_request("secret token contains unallowed characters")
    allow(world, params)
    await _put(world, params, Webhook(world, url, secret, params.integer("max_connections", 40)))
    return True


async def delete_webhook(world: World, params: Params) -> bool:
    """``deleteWebhook``."""
    await _put(world, params, None)
    return True


def get_webhook_info(world: World, params: Params) -> dict[str, Any]:
    """``getWebhookInfo``."""
    info = world.webhook.document if world.webhook else Webhook(world, "").document
    return info | (
        {"allowed_updates": sorted(world.updates.allowed)} if world.updates.allowed else {}
    )


async def _put(world: World, params: Params, webhook: Webhook | None) -> None:
    if world.webhook is not None:
        await world.webhook.stop()
    if params.flag("drop_pending_updates"):
        world.updates.forget()
    world.webhook = webhook
    world.updates.by_webhook = webhook is not None
    if webhook is not None:
        world.updates.interrupt("setWebhook request")
        webhook.start()
