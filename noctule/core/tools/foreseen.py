"""Foreseen: what a piece of work would stop and ask for, so that it is asked once, beforehand."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from noctule.core.settings.tools import Permission
from noctule.core.tools.effects import EffectClass
from noctule.core.tools.permissions import Act, decide

_ALTHOUGH_PRIVATE = ", although the session is private and its words may leave your machines"
_AFTER_OUTSIDE = "; once it has read text that others wrote, each call is asked about all the same"


@dataclass(frozen=True, slots=True)
class Foreseen:
    """One thing that would be asked about.

    Args:
        rule: what allows it, in the words of ``--allow``.
        means: what allowing it means, a clause for people.
        by_rule: whether it is asked about only because a rule of the configuration says so.
    """

    rule: str
    means: str
    by_rule: bool = False


def foresee(
    acts: Iterable[Act],
    *,
    rules: Mapping[str, Permission],
    role_rules: Mapping[str, Permission],
    allowed: Iterable[str],
    asks_after_outside: bool,
) -> list[Foreseen]:
    """Return what some acts would be asked about, each once.

    Args:
        acts: what a role may do.
        rules: ``tools.permissions``.
        role_rules: those of the role.
        allowed: what the person has allowed already.
        asks_after_outside: ``tools.ask_after_outside``.
    """
    found: dict[str, Foreseen] = {}
    merged, given = {**rules, **role_rules}, tuple(allowed)
    for act in acts:
        rule = rule_about(act)
        decision = decide(act, rules=rules, role_rules=role_rules, grants=given)
        if decision.permission is Permission.ASK:
            means = _means(act, asks_after_outside=asks_after_outside)
            inherent = decide(act, rules={}, grants=given).permission is Permission.ASK
            found.setdefault(rule, Foreseen(rule, means, by_rule=not inherent))
        if decision.permission is not Permission.ALLOW:
            continue
        for key, value in merged.items():
            about = key.partition(":")[0] in {act.tool, act.family} and ":" in key
            if about and value is Permission.ASK and key not in given:
                found.setdefault(key, Foreseen(key, "whatever fits that", by_rule=True))
    return list(found.values())


def rule_about(act: Act) -> str:
    """Return the rule that allows everything like an act."""
    if act.server is not None:
        return f"mcp:{act.server}"
    return act.family if act.family == "shell" else act.tool


def bare_commands() -> str:
    """Return what it means to allow commands where there is no sandbox, as a clause."""
    return (
        "commands and code run as you, because no sandbox works here: they can read, change and "
        "send whatever you can, for the whole run, also after it has read text that others wrote"
    )


def _means(act: Act, *, asks_after_outside: bool) -> str:
    if act.family == "shell":
        return "every command and all code" if act.needs_person is None else bare_commands()
    if act.leaves is not None:
        return (
            f"addresses of any host that the agent makes up, also after it has read what is yours "
            f"alone; {act.tool}:HOST allows one host"
        )
    if act.family == act.tool == "own":
        return f"every function of yours that acts outside{_AFTER_OUTSIDE * asks_after_outside}"
    leaves = "" if act.needs_person is None else _ALTHOUGH_PRIVATE
    later = _AFTER_OUTSIDE if act.effect is EffectClass.OUTSIDE and asks_after_outside else ""
    if act.server is not None:
        return f"every call of every tool of that server, with any arguments{leaves}{later}"
    return f"every call of it{leaves}{later}"
