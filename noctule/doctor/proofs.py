"""Who has shown that it calls tools, and which roles are left without such a model. Asks nobody."""

from collections.abc import Iterator, Mapping, Sequence

from noctule.core.base.roles import Role
from noctule.core.llm.proofs import Proof
from noctule.core.llm.requirements import needs_tools, uses_tools
from noctule.core.settings import EndpointKind, RoleSettings, Settings
from noctule.doctor.finding import Finding, Level


def prove_findings(settings: Settings, proofs: Sequence[Proof]) -> Iterator[Finding]:
    """Say which roles that need tools have a proven model, and whom nobody has asked yet.

    Args:
        settings: who is bound to what.
        proofs: all that are stored.
    """
    newest = _newest(settings, proofs)
    unasked: dict[str, None] = {}
    for role, own in settings.roles.items():
        if not uses_tools(role, own):
            continue
        models = tuple(dict.fromkeys(own.models))
        unasked |= dict.fromkeys(name for name in models if _able(settings, newest, name) is None)
        if needs_tools(role, own):
            yield from _role(settings, newest, role, own)
    for name, proof in newest.items():
        if settings.models[name].tools and not proof.is_proven:
            yield Finding(
                Level.WARNING,
                f"model {name}",
                f"Configured with tools: true, but it {_verb(proof)}.",
                f"Set models.{name}.tools: false, or ask it again: `noctule models probe {name} "
                "--fresh`.",
            )
    if unasked:
        names = ", ".join(unasked)
        yield Finding(
            Level.ADVICE,
            "tools",
            f"Tool support not verified yet: {names}. It is checked before they are first given "
            "tools.",
            "Check now with `noctule models probe`: seven short calls each.",
        )


def _role(
    settings: Settings, newest: Mapping[str, Proof], role: Role, own: RoleSettings
) -> Iterator[Finding]:
    models = tuple(dict.fromkeys(own.models))
    able = [name for name in models if _able(settings, newest, name)]
    about = f"role {role.value}"
    if able:
        yield Finding(Level.OK, about, f"{', '.join(able)}: proven to call tools.")
        return
    if any(_able(settings, newest, name) is None for name in models):
        return  # it may turn out to
    evidence = "; ".join(f"{name}: {_evidence(settings, newest, name)}" for name in models)
    goes = "it is refused" if own.tools else "it works without them"
    others = [n for n in settings.models if n not in models and _able(settings, newest, n)]
    bind = f"Bind {' or '.join(others)}" if others else "Bind a model that calls tools"
    yield Finding(
        Level.ERROR if own.tools else Level.WARNING,
        about,
        f"It needs tools, but none of its models calls them, so {goes} ({evidence}).",
        f"{bind}, or set roles.{role.value}.tools: [].",
    )


def _newest(settings: Settings, proofs: Sequence[Proof]) -> dict[str, Proof]:
    by_target = {
        (proof.key.endpoint, proof.key.model): proof
        for proof in sorted(proofs, key=lambda proof: proof.probed_at)
    }
    return {
        name: by_target[model.endpoint, model.name]
        for name, model in settings.models.items()
        if (model.endpoint, model.name) in by_target
    }


def _able(settings: Settings, newest: Mapping[str, Proof], name: str) -> bool | None:
    if settings.models[name].tools is False:
        return False
    if settings.endpoint_of(name).kind is EndpointKind.SCRIPTED:
        return True
    proof = newest.get(name)
    return None if proof is None else proof.is_proven


def _evidence(settings: Settings, newest: Mapping[str, Proof], name: str) -> str:
    if settings.models[name].tools is False:
        return f"models.{name}.tools is false"
    proof = newest.get(name)
    return "unknown" if proof is None else proof.words


def _verb(proof: Proof) -> str:
    words = proof.words
    return f"does not: {words}" if words.startswith("its server") else words
