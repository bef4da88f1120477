"""Versions: what an endpoint serves under a model's name now."""

import asyncio

from noctule.core.clock import Clock
from noctule.core.settings import EndpointKind, Settings
from noctule.models.base.client import PresentModel
from noctule.models.base.endpoints import Endpoints
from noctule.models.capabilities.model_lookup import find_listed

_MEMORY_S = {EndpointKind.OLLAMA: 600.0}
_USUAL_MEMORY_S = 3600.0
_SILENT_S = 60.0  # some hosts have no list, and whoever is down is found out by the call itself
_PATIENCE_S = 15.0
_STARTING_S = 120.0  # the embedded server reads its weights first


class Versions:
    """Asks endpoints which versions they serve, and remembers the answer for a while.

    Args:
        settings: the models.
        endpoints: whom to ask.
        clock: ages the memory: ten minutes for Ollama, where a pull changes a model under a
            running process, an hour elsewhere.
    """

    def __init__(self, settings: Settings, endpoints: Endpoints, clock: Clock) -> None:
        self._settings = settings
        self._endpoints = endpoints
        self._clock = clock
        self._lists: dict[str, tuple[float, tuple[PresentModel, ...]]] = {}
        self._silent: dict[str, float] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    def is_known(self, model: str) -> bool:
        """Whether it need not be asked for now."""
        endpoint = self._settings.models[model].endpoint
        return self._remembered(endpoint) is not None or self._is_silent(endpoint)

    async def of(self, model: str, *, fresh: bool = False) -> str | None:
        """Return the version of a model.

        Args:
            model: by its configured name.
            fresh: True asks in any case.

        Returns:
            "" where the endpoint does not tell; None when it cannot be asked now.
        """
        settings = self._settings.models[model]
        present = await self._list(settings.endpoint, fresh=fresh)
        if present is None:
            return None
        found = find_listed(settings, self._settings.endpoint_of(model).kind, present)
        if found is None:
            return ""
        return found.version or ("" if found.name == settings.name else found.name)

    async def _list(self, endpoint: str, *, fresh: bool) -> tuple[PresentModel, ...] | None:
        lock = self._locks.setdefault(endpoint, asyncio.Lock())
        async with lock:
            known = None if fresh else self._remembered(endpoint)
            if known is not None or (not fresh and self._is_silent(endpoint)):
                return known
            kind = self._settings.endpoints[endpoint].kind
            patience_s = _STARTING_S if kind is EndpointKind.EMBEDDED else _PATIENCE_S
            try:
                async with asyncio.timeout(patience_s):
                    present = tuple(await self._endpoints.client(endpoint).present())
            except Exception:  # noqa: BLE001 - whatever it is, the calls that follow say it better
                self._silent[endpoint] = self._clock.monotonic()
                return None
            self._lists[endpoint] = (self._clock.monotonic(), present)
            return present

    def _is_silent(self, endpoint: str) -> bool:
        at = self._silent.get(endpoint)
        return at is not None and self._clock.monotonic() - at < _SILENT_S

    def _remembered(self, endpoint: str) -> tuple[PresentModel, ...] | None:
        at, present = self._lists.get(endpoint, (0.0, None))
        if present is None:
            return None
        memory_s = _MEMORY_S.get(self._settings.endpoints[endpoint].kind, _USUAL_MEMORY_S)
        return present if self._clock.monotonic() - at < memory_s else None
