"""HTTP requests as calls of the Bot API, with what goes wrong on purpose."""

import asyncio
import inspect
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from tornado.web import Application, RequestHandler

from tests.support.telegram.calls import Call
from tests.support.telegram.control import Control, ControlHandler
from tests.support.telegram.faults import BEFORE, Fault, Trouble
from tests.support.telegram.methods import METHODS, spelled
from tests.support.telegram.params import Params, Upload
from tests.support.telegram.refusals import Refusal
from tests.support.telegram.world import World

_LONGER_THAN_ANY_TIMEOUT_SECONDS = 3600.0


def application(world: World) -> Application:
    """Return the web application that speaks for a world."""
    given = {"world": world}
    return Application(
        [
            (r"/bot([^/]+)/([^/]+)/?", MethodHandler, given),
            (r"/file/bot([^/]+)/(.+)", FileHandler, given),
            (r"/control/([a-z_]+)", ControlHandler, {"control": Control(world)}),
            (r".*", NotFoundHandler),
        ],
        log_function=lambda handler: None,
    )


class NotFoundHandler(RequestHandler):
    """What lies beside the API."""

    def prepare(self) -> None:
        """Answer 404 as the Bot API does."""
        self.set_status(HTTPStatus.NOT_FOUND)
        self.finish(Refusal(404, "Not Found").body)


class ApiHandler(RequestHandler):
    """One request, with what goes wrong on purpose."""

    def initialize(self, world: World) -> None:
        """Know the world; Tornado makes one handler for each request."""
        self.world = world
        self._working: asyncio.Task[Any] | None = None

    def on_connection_close(self) -> None:
        """Stop waiting for somebody who has hung up."""
        if self._working is not None:
            self._working.cancel()

    async def _serve(self, token: str, call: Call, work: Callable[[], Any]) -> None:
        self._working = asyncio.ensure_future(self._carry_out(token, call, work))
        try:
            result = await self._working
        except Refusal as refusal:
            self._answer(call, refusal.code, refusal.body)
        except (ConnectionError, asyncio.CancelledError):
            self._hang_up(call)
        else:
            self._answer(call, HTTPStatus.OK.value, result)

    async def _carry_out(self, token: str, call: Call, work: Callable[[], Any]) -> Any:
        if token != self.world.token:
            raise Refusal(401, "Unauthorized")
        fault = self.world.faults.take(call.method, call.chat)
        if fault is not None and fault.trouble in BEFORE:
            await self._fail(fault)
        result = work()
        if inspect.isawaitable(result):
            result = await result
        call.took_effect = True
        if fault is not None:
            await self._fail(fault)
        return result

    async def _fail(self, fault: Fault) -> None:
        if fault.trouble is Trouble.REFUSE:
            raise fault.refusal
        if fault.trouble is Trouble.SLOW:
            await self.world.clock.sleep(fault.seconds)
        elif fault.trouble in {Trouble.HANG_BEFORE, Trouble.HANG_AFTER}:
            await self.world.clock.sleep(_LONGER_THAN_ANY_TIMEOUT_SECONDS)
        else:
            raise ConnectionResetError("dropped on purpose")

    def _answer(self, call: Call, code: int, document: dict[str, Any] | bytes) -> None:
        said = ""
        if isinstance(document, dict):
            said = document.get("description", "")
            retry_after = document.get("parameters", {}).get("retry_after")
            if retry_after is not None:
                self.set_header("Retry-After", str(retry_after))
        else:
            self.set_header("Content-Type", "application/octet-stream")
        self.world.calls.end(call, self.world.clock.monotonic(), code, said)
        self.set_status(code)
        self.finish(document)

    def _hang_up(self, call: Call) -> None:
        self.world.calls.end(call, self.world.clock.monotonic(), None, "no answer")
        self.detach().close()


class FileHandler(ApiHandler):
    """The download of a file; its calls are those of a method ``download``."""

    async def get(self, token: str, path: str) -> None:
        """Send the bytes."""
        call = self.world.calls.begin(self.world.clock.monotonic(), "download", {"path": path})
        await self._serve(token, call, lambda: self._content(path))

    def _content(self, path: str) -> bytes:
        stored = self.world.files.at(path)
        if stored is None:
            raise Refusal(404, "Not Found")
        return stored.content


class MethodHandler(ApiHandler):
    """One call of a method."""

    async def get(self, token: str, name: str) -> None:
        """Call a method with parameters in the query."""
        await self._call(token, name)

    async def post(self, token: str, name: str) -> None:
        """Call a method with parameters as a form, in parts or as JSON."""
        await self._call(token, name)

    async def _call(self, token: str, name: str) -> None:
        params = self._params()
        now = self.world.clock.monotonic()
        call = self.world.calls.begin(now, spelled(name), params.shown)
        await self._serve(token, call, lambda: self._result(call, params))

    async def _result(self, call: Call, params: Params) -> dict[str, Any]:
        if call.method not in METHODS:
            raise Refusal(404, "Not Found: method not found")
        self.world.flood.count(call.method, call.chat, call.at)
        result = METHODS[call.method](self.world, params)
        if inspect.isawaitable(result):
            result = await result
        return {"ok": True, "result": result}

    def _params(self) -> Params:
        values: dict[str, Any] = {
            name: found[-1].decode("utf-8", "replace")
            for name, found in self.request.arguments.items()
        }
        if self.request.headers.get("Content-Type", "").startswith("application/json"):
            values |= json.loads(self.request.body or b"{}")
        uploads = {
            name: Upload(found[-1].filename, found[-1].body, found[-1].content_type)
            for name, found in self.request.files.items()
        }
        return Params(values, uploads)
