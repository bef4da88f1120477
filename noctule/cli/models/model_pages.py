"""The list of models, for programs and for people."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from noctule.cli.frame.moments import iso, show
from noctule.cli.frame.tables import CellFit, Column, print_table
from noctule.cli.json_types.models import ModelDocument
from noctule.core.reports.inventory import ModelEntry
from noctule.core.settings import EndpointKind
from noctule.core.times.durations import show_duration

if TYPE_CHECKING:
    from noctule.bootstrap import Records


def document(entry: ModelEntry, records: "Records") -> ModelDocument:
    """Return one entry of ``models --json``; prices are USD per million tokens."""
    model, price, last = entry.settings, entry.price, entry.health.last
    limit = entry.limit
    return {
        "model": entry.name,
        "endpoint": model.endpoint,
        "kind": records.settings.endpoint_of(entry.name).kind.value,
        "name": model.name,
        "tier": model.tier.value,
        "local": entry.local,
        "context": model.context,
        "memory_gb": model.memory_gb,
        "tools": model.tools,
        "proof": None
        if entry.proof is None
        else {
            "outcome": entry.proof.outcome.value,
            "proven": entry.proof.is_proven,
            "score": entry.proof.score,
            "latency_s": entry.proof.latency_s,
            "probed_at": iso(entry.proof.probed_at, records.zone),
            "version": entry.proof.key.version,
            "imitations": entry.proof.imitations,
            "calls": entry.proof.calls,
        },
        "vision": model.vision,
        "thinking": model.thinking,
        "json_schema": model.json_schema,
        "max_concurrent": model.max_concurrent,
        "price": None
        if price is None or entry.price_source is None
        else {
            "input": float(price.input),
            "output": float(price.output),
            "source": entry.price_source.value,
        },
        "roles": [{"role": role.value, "as": place} for role, place in entry.roles],
        "limit": None
        if limit is None
        else {
            "until": iso(limit.not_before, records.zone),
            "evidence": limit.evidence,
            "reason": limit.reason,
        },
        "failures_in_a_row": entry.health.failures,
        "last_asked": None if last is None else iso(last.started_at, records.zone),
        "last_outcome": None if last is None else last.outcome.value,
    }


def print_models(entries: Sequence[ModelEntry], records: "Records") -> None:
    """Print the list for people on stdout."""
    print_table(
        (
            Column("model", rank=0),
            Column("endpoint", CellFit.SHORTEN, rank=3),
            Column("local", rank=4),
            Column("its name there", rank=6),
            Column("tier", rank=5),
            Column("context", rank=4, is_number=True),
            Column("GB", rank=7, is_number=True),
            Column("can", rank=2),
            Column("USD/M", rank=3),
            Column("for", rank=8),
            Column("now", rank=1),
        ),
        [
            (
                entry.name,
                entry.settings.endpoint,
                "yes" if entry.local else "no",
                entry.settings.name,
                entry.settings.tier.value,
                _unknown(entry.settings.context),
                _unknown(entry.settings.memory_gb),
                _can(entry, records),
                _price(entry),
                _roles(entry),
                _now(entry, records),
            )
            for entry in entries
        ],
    )


def _can(entry: ModelEntry, records: "Records") -> str:
    model = entry.settings
    words = {True: "{}", False: "no {}", None: "{}?"}
    parts = [_tools(entry, records)]
    if model.vision:
        parts.append("vision")
    if model.thinking is not None:
        parts.append(words[model.thinking].format("thinking"))
    return ", ".join(parts)


def _tools(entry: ModelEntry, records: "Records") -> str:
    """Say what is known of its calling tools: what it was told not to, what it showed, and when."""
    if entry.settings.tools is False:
        return "no tools"
    if entry.settings.endpoint in _taken_at_their_word(records):
        return "tools"
    proof = entry.proof
    if proof is None:
        return "tools (said, never asked)" if entry.settings.tools else "tools? (never asked)"
    age = show_duration((records.clock.now() - proof.probed_at).total_seconds())
    said = f"{proof.outcome.value}, {proof.score:.0%}, {age} ago"
    return f"tools ({said})" if proof.is_proven else f"no tools ({said})"


def _taken_at_their_word(records: "Records") -> set[str]:
    endpoints = records.settings.endpoints.items()
    return {name for name, own in endpoints if own.kind is EndpointKind.SCRIPTED}


def _price(entry: ModelEntry) -> str:
    if entry.price is None:
        return "?"
    if not entry.price.input and not entry.price.output:
        return "free"
    return f"{_amount(entry.price.input)}/{_amount(entry.price.output)}"


def _amount(amount: Decimal) -> str:
    return f"{amount.normalize():f}"


def _roles(entry: ModelEntry) -> str:
    marks = {"primary": "", "fallback": " (fallback)", "escalate": " (escalation)"}
    return ", ".join(f"{role.value}{marks[place]}" for role, place in entry.roles) or "-"


def _now(entry: ModelEntry, records: "Records") -> str:
    if entry.limit is not None:
        until = entry.limit.ends_at
        if until is None:
            return "unavailable until you act"
        what = "left alone" if entry.limit.is_outage else "refused"
        return f"{what} until {show(until, records.zone, records.clock.now())}"
    failures, most = entry.health.failures, records.settings.limits.circuit_failures
    if failures:
        left = ", left alone for a while" if failures >= most else ""
        return f"failed {failures} times in a row{left}"
    return "never asked" if entry.health.last is None else "ok"


def _unknown(value: float | None) -> str:
    return "?" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
