"""Probing: which models are asked, what came of it, and which roles are left without one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from noctule.cli.frame.moments import iso, show
from noctule.cli.frame.tables import Column, print_table
from noctule.cli.json_types.models import ProbeDocument, ProbeNeed
from noctule.core.base.roles import Role
from noctule.core.errors import UsageError
from noctule.core.llm.requirements import needs_tools, uses_tools
from noctule.core.settings import Settings
from noctule.core.times.durations import show_duration

if TYPE_CHECKING:
    from noctule.bootstrap import Records
    from noctule.models.capabilities.prover import Proved


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """What is to be found out.

    Args:
        models: whom to ask, by configured names.
        named: those that a person named; each must turn out to call tools.
        roles: the roles that need one of them to.
    """

    models: tuple[str, ...]
    named: tuple[str, ...]
    roles: tuple[Role, ...]


def wanted(settings: Settings, names: Sequence[str], role: str | None) -> ProbeRequest:
    """Return what a command line asks for.

    Args:
        settings: the configuration.
        names: models; empty means those of the role, or of all roles that offer tools.
        role: None means all.

    Raises:
        UsageError: there is no such model.
    """
    for name in names:
        if name not in settings.models:
            known = ", ".join(sorted(settings.models))
            raise UsageError(f"There is no model {name!r}. Use one of: {known}.")
    bindings = [(one, own) for one, own in settings.roles.items() if role in {None, one.value}]
    if role is not None:
        own_models = [model for _, own in bindings for model in own.models]
    else:
        own_models = [m for one, own in bindings if uses_tools(one, own) for m in own.models]
    models = [*names, *own_models] if role is not None or not names else names
    roles = [one for one, own in bindings if needs_tools(one, own)]
    return ProbeRequest(
        models=tuple(dict.fromkeys(models)),
        named=tuple(dict.fromkeys(names)),
        roles=tuple(roles) if role is not None or not names else (),
    )


def shortfalls(settings: Settings, asked: ProbeRequest, found: Mapping[str, "Proved"]) -> list[str]:
    """Return what is needed and not proven, a sentence each.

    Args:
        settings: who is bound to what.
        asked: what was to be found out.
        found: what came of it, by model.
    """
    sentences = [f"{name}: {_clause(found[name])}." for name in asked.named if not found[name].able]
    able = [name for name, proved in found.items() if proved.able]
    for role in asked.roles:
        models = tuple(dict.fromkeys(settings.roles[role].models))
        if any(found[name].able for name in models):
            continue
        evidence = "; ".join(f"{name}: {_clause(found[name])}" for name in models)
        others = ", ".join(name for name in able if name not in models)
        fix = f"use one that is: {others}" if others else "use a model that calls tools"
        goes = "cannot work" if settings.roles[role].tools else "works without tools"
        sentences.append(
            f"{role.value} needs tools, but none of its models is proven to call them "
            f"({evidence}). So it {goes}: {fix}, or set roles.{role.value}.tools: []."
        )
    return sentences


def document(proved: "Proved", records: "Records") -> ProbeDocument:
    """Return one entry of ``models probe --json``."""
    settings, proof = records.settings, proved.proof
    model = settings.models[proved.model]
    return {
        "model": proved.model,
        "endpoint": model.endpoint,
        "name": model.name,
        "version": None if proof is None else proof.key.version,
        "role_needs": role_needs(settings, proved.model),
        "outcome": _outcome(proved),
        "proven": proved.able,
        "score": None if proof is None else proof.score,
        "latency_s": None if proof is None else proof.latency_s,
        "probed_at": None if proof is None else iso(proof.probed_at, records.zone),
        "asked": proved.asked,
        "imitations": None if proof is None else proof.imitations,
        "calls": None if proof is None else proof.calls,
        "cases": [] if proof is None else [dict(case) for case in proof.cases],
        "note": proved.note,
    }


def role_needs(settings: Settings, model: str) -> list[ProbeNeed]:
    """Return which roles use a model, in which place, and whether they need it to call tools."""
    found: list[ProbeNeed] = []
    for role, own in settings.roles.items():
        places = {"primary": (own.primary,), "fallback": own.fallback, "escalate": (own.escalate,)}
        needs = ["tools"] if needs_tools(role, own) else []
        found += [
            {"role": role.value, "as": place, "needs": needs}
            for place, names in places.items()
            if model in names
        ]
    return found


def print_probes(found: Sequence["Proved"], records: "Records") -> None:
    """Print what came of it for people on stdout, with why for each case that failed."""
    now = records.clock.now()
    print_table(
        (
            Column("model", rank=0),
            Column("tools", rank=0),
            Column("right", rank=1, is_number=True),
            Column("a reply", rank=3, is_number=True),
            Column("asked", rank=2),
            Column("needed by", rank=4),
        ),
        [
            (
                proved.model,
                _outcome(proved) or "unknown",
                _right(proved),
                _latency(proved),
                "-" if proved.proof is None else show(proved.proof.probed_at, records.zone, now),
                _needed_by(records.settings, proved.model),
            )
            for proved in found
        ],
    )
    for proved in found:
        for line in _why(proved):
            click.echo(line)


def _why(proved: "Proved") -> list[str]:
    lines = [f"{proved.model}: {proved.note}."] if proved.note else []
    cases = () if proved.proof is None else proved.proof.cases
    wrong = [case for case in cases if not case.get("passed")]
    return lines + [f"{proved.model}, {case.get('case')}: {case.get('why')}" for case in wrong]


def _clause(proved: "Proved") -> str:
    if proved.note is not None and proved.able is not True:
        return proved.note
    return "unknown" if proved.proof is None else proved.proof.words


def _outcome(proved: "Proved") -> str | None:
    if proved.proof is not None and proved.able is not None:
        return proved.proof.outcome.value
    return "proven" if proved.able else None


def _right(proved: "Proved") -> str:
    if proved.proof is None:
        return "-"
    right = sum(bool(case.get("passed")) for case in proved.proof.cases)
    return f"{right}/{len(proved.proof.cases)}"


def _latency(proved: "Proved") -> str:
    seconds = None if proved.proof is None else proved.proof.latency_s
    return "-" if seconds is None else show_duration(seconds)


def _needed_by(settings: Settings, model: str) -> str:
    needs = [one for one in role_needs(settings, model) if one["needs"]]
    return ", ".join(dict.fromkeys(one["role"] for one in needs)) or "-"
