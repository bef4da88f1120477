"""A newcomer's first contact: no model has ever answered here, and nothing listens."""

from collections.abc import Mapping

from noctule.core.errors import NoServerError
from noctule.core.ports.database import Database
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Refusal
from noctule.core.settings import EndpointKind, Settings

_LOOKED_AT = 100
"""Whoever has asked more often than this has come to know Noctule."""

_OLLAMA = "http://127.0.0.1:11434"


async def first_contact(
    settings: Settings, database: Database, role: str, asked: Mapping[str, Refusal]
) -> NoServerError | None:
    """Return what to tell somebody who has no model server at all; None for everybody else.

    Sleeping would not help them: there is nothing that could come back.

    Args:
        settings: where models should be.
        database: whether one has ever answered.
        role: whose call it was.
        asked: what came of each model that was asked by this call, by its configured name.
    """
    if not asked or not all(_is_nowhere(refusal) for refusal in asked.values()):
        return None
    async with database.read() as work:
        attempts = await work.attempts.list(limit=_LOOKED_AT)
    if len(attempts) == _LOOKED_AT or any(one.outcome is Outcome.SUCCESS for one in attempts):
        return None
    names = dict.fromkeys(settings.models[model].endpoint for model in asked)
    kinds = {settings.endpoints[name].kind for name in names}
    start = "start Ollama (`ollama serve`)"
    if EndpointKind.OLLAMA not in kinds:
        start = f"start the server of endpoint {next(iter(names))}"
    places = [_place(settings, name) for name in names]
    return NoServerError(role=role, places=places, start=start)


def _is_nowhere(refusal: Refusal) -> bool:
    return refusal.never_sent and not refusal.needs_person


def _place(settings: Settings, name: str) -> str:
    endpoint = settings.endpoints[name]
    url = endpoint.url or (_OLLAMA if endpoint.kind is EndpointKind.OLLAMA else "its address")
    return f"{url} (endpoint {name})"
