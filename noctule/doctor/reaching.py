"""Is an endpoint up, and does it take its key: it is asked which models it has."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from noctule.core.clock import Clock
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Refusal
from noctule.core.settings import EndpointKind, Settings
from noctule.doctor.finding import Finding, Level
from noctule.models.base.client import PresentModel
from noctule.models.base.endpoints import Endpoints
from noctule.models.binding.hints import DOCTOR, for_refusal
from noctule.models.completion.failures import explain

_PATIENCE_SECONDS = 10.0
_STARTING_SECONDS = 90.0  # the embedded server reads its weights first


@dataclass(frozen=True, slots=True)
class Reached:
    """What came of asking one endpoint.

    Args:
        endpoint: its configured name.
        models: what it has; None when it could not be asked.
        refusal: why not; None when it answered.
    """

    endpoint: str
    models: tuple[PresentModel, ...] | None
    refusal: Refusal | None = None


async def reach(endpoints: Endpoints, name: str, settings: Settings, clock: Clock) -> Reached:
    """Ask an endpoint which models it has; never raises.

    Args:
        endpoints: makes its client.
        name: the endpoint's configured name.
        settings: its kind.
        clock: the time.
    """
    starts = settings.endpoints[name].kind is EndpointKind.EMBEDDED
    patience_s = _STARTING_SECONDS if starts else _PATIENCE_SECONDS
    try:
        async with asyncio.timeout(patience_s):
            return Reached(name, tuple(await endpoints.client(name).present()))
    except TimeoutError:
        late = Refusal(Outcome.TIMEOUT, f"no answer within {patience_s:g} s")
        return Reached(name, None, late)
    except Exception as error:  # noqa: BLE001 - no library's exception reaches a person raw
        return Reached(name, None, explain(error, now=clock.now()))


def report_reached(settings: Settings, reached: Reached) -> Iterator[Finding]:
    """Say whether an endpoint answered.

    Args:
        settings: the configuration.
        reached: what came of asking it.
    """
    name = reached.endpoint
    endpoint = settings.endpoints[name]
    about = f"endpoint {name}"
    if reached.refusal is None:
        count = len(reached.models or ())
        key = " and accepts the key" if endpoint.key is not None else ""
        has = f"; it has {count} model{'' if count == 1 else 's'}" if count else ""
        yield Finding(Level.OK, about, f"It answers{key}{has}.")
        return
    used = name in {
        settings.models[model].endpoint
        for _, role in settings.roles.items()
        for model in role.models
    }
    sentence = f"No answer: {_words(settings, name, reached.refusal)}."
    if not used:
        yield Finding(Level.ADVICE, about, f"{sentence} No role uses it.", "Fix or remove it.")
        return
    level = Level.WARNING if reached.refusal.outcome.limits else Level.ERROR
    yield Finding(level, about, sentence, _fix(settings, name, reached.refusal))


def _words(settings: Settings, name: str, refusal: Refusal) -> str:
    words = " ".join(refusal.message.split()).rstrip(".")
    key = settings.endpoints[name].key
    if key is not None and key.get_secret_value():  # some providers repeat it
        words = words.replace(key.get_secret_value(), "***")
    return words


def _fix(settings: Settings, name: str, refusal: Refusal) -> str:
    if refusal.outcome.limits and not refusal.needs_person:
        return "Wait: it reports that it is overloaded or that a limit is reached."
    model = next((m for m, own in settings.models.items() if own.endpoint == name), None)
    fix = DOCTOR if model is None else for_refusal(settings, model, refusal)
    if fix != DOCTOR:
        return fix
    return "Compare what it says with the endpoint's settings."
