"""Windows that servers named themselves, when a prompt was too long for them."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from noctule.core.llm.attempts import Attempt
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.overflow_words import window_in
from noctule.core.settings import EndpointKind, Settings
from noctule.doctor.finding import Finding, Level
from noctule.models.capabilities.model_state import DEFAULT_WINDOW_TOKENS

_DAYS = 7
_OWN_WINDOW = frozenset({EndpointKind.OLLAMA, EndpointKind.EMBEDDED})


def told_windows(
    settings: Settings, attempts: Sequence[Attempt], now: datetime
) -> Iterator[Finding]:
    """Say where a server has a smaller window than the configuration says.

    Silent once a longer prompt than that was answered.

    Args:
        settings: what the configuration says.
        attempts: the ledger, newest first.
        now: the end of the days that are looked at.
    """
    answered: dict[str, int] = {}
    seen: set[str] = set()
    for attempt in attempts:
        if attempt.started_at < now - timedelta(days=_DAYS) or attempt.model in seen:
            continue
        if attempt.outcome is Outcome.SUCCESS:
            sent = attempt.usage.input_tokens or 0
            answered[attempt.model] = max(sent, answered.get(attempt.model, 0))
        if attempt.outcome is not Outcome.CONTEXT_OVERFLOW or attempt.model not in settings.models:
            continue
        seen.add(attempt.model)
        told = window_in(attempt.message or "", iter(()))
        if told is not None and answered.get(attempt.model, 0) < told:
            yield from _smaller(settings, attempt.model, told)


def _smaller(settings: Settings, name: str, told: int) -> Iterator[Finding]:
    own = settings.endpoint_of(name).kind in _OWN_WINDOW
    wanted = settings.models[name].context or (DEFAULT_WINDOW_TOKENS if own else None)
    if wanted is not None and wanted <= told:
        return
    said = f"models.{name}.context says {wanted}" if wanted else f"models.{name}.context is not set"
    yield Finding(
        Level.WARNING,
        f"model {name}",
        f"{said}, but its server reports {told} tokens.",
        f"Set models.{name}.context: {told}, or start the server with more.",
    )
