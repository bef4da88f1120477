"""Permissions: may this tool call happen, must a person be asked, or is it forbidden?

Rules say ``TOOL``, ``FAMILY`` or ``mcp:SERVER``, with ``:PATTERN`` of what the call acts on if
need be. The longest key that fits decides, of equally long ones the strictest; a role's own rule
stands in place of the general one with the same key. What no rule names has a safe default.

What a rule forbids no grant allows. A grant lets happen what would be asked, except an effect
outside of a session that has read text from outside: that text may be steering the agent, so each
such call is put to the person by itself.
"""

import glob
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from noctule.core.base.tool_names import BUILT_IN, FAMILIES
from noctule.core.settings.tools import Permission
from noctule.core.tools.effects import EffectClass
from noctule.core.tools.hosts import host_in
from noctule.core.tools.shell_guises import does_more, guises, open_ends
from noctule.core.tools.shell_words import CommandLine, read_commands

_STRICTNESS = {Permission.ALLOW: 0, Permission.ASK: 1, Permission.DENY: 2}
_OWN_AFFAIRS = frozenset({"ask", "notes", "sessions"})
"""Families that act on nothing but Noctule's own records and the person."""

_OURS = frozenset({*FAMILIES, *(tool for tools in BUILT_IN.values() for tool in tools)})
_FETCH = "fetch"
"""The tool whose subject is an address: a pattern without a slash is about its host."""

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(?:\[.*?\])?\+?=", re.DOTALL)
_COMMANDS = frozenset({"shell"})
"""Tools whose subject is a command line."""


@dataclass(frozen=True, slots=True)
class Act:
    """A tool call, as far as permission is concerned.

    Args:
        tool: its name.
        family: which family it is of.
        effect: what it can change.
        subject: what it acts on; several paths stand on a line each. None: nothing one could name.
        server: the MCP server it comes from; None for others.
        default: what it may do where no rule names it; None leaves that to family and effect.
        needs_person: why it must be asked about although rules allow it; None: it need not be.
        leaves: why it is asked about where no rule names it: it may carry out what was read; None:
            it cannot.
    """

    tool: str
    family: str
    effect: EffectClass
    subject: str | None = None
    server: str | None = None
    default: Permission | None = None
    needs_person: str | None = None
    leaves: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a call may happen.

    Args:
        permission: may it, must a person be asked, or is it forbidden.
        why: one clause for people, without a full stop.
        granted: True when a person allowed it, this very call or everything like it.
    """

    permission: Permission
    why: str
    granted: bool = False


def decide(
    act: Act,
    *,
    rules: Mapping[str, Permission],
    role_rules: Mapping[str, Permission] | None = None,
    grants: Iterable[str] = (),
    covered_by: str | None = None,
    steered: bool = False,
    approved: bool = False,
) -> Decision:
    """Decide whether a call may happen.

    Args:
        act: the call.
        rules: ``tools.permissions``.
        role_rules: ``roles.ROLE.permissions``; None means none.
        grants: rules of what people allowed beyond the configuration.
        covered_by: the rule of a sealed grant that covers the whole call; None: there is none.
        steered: whether the session has read text from outside, so that effects outside ask.
        approved: whether a person allowed this very call.
    """
    merged = {**rules, **(role_rules or {})}
    allowed = tuple(grants)
    decision = _strictest(
        [_judge(act, part, merged, allowed) for part in _parts(act)] or [_default(act)]
    )
    if decision.permission is Permission.DENY:
        return decision
    if approved:
        return Decision(Permission.ALLOW, "allowed by the person", granted=True)
    if covered_by is not None:
        decision = Decision(Permission.ALLOW, f"granted by {covered_by!r}", granted=True)
    if decision.permission is Permission.ALLOW and act.effect is EffectClass.OUTSIDE and steered:
        why = "the session has read text from outside, which may be steering the agent"
        return Decision(Permission.ASK, why)
    if (
        decision.permission is Permission.ALLOW
        and act.needs_person is not None
        and not decision.granted
    ):
        return Decision(Permission.ASK, act.needs_person.rstrip("."))
    return decision


def rule_for(tool: str, subject: str | None) -> str:
    """Return the rule that fits one tool on exactly one subject, for a grant.

    Args:
        tool: its name.
        subject: what it acts on, which may hold characters that mean something in patterns; None
            makes the rule fit every call of the tool.
    """
    return tool if subject is None else f"{tool}:{glob.escape(subject)}"


@dataclass(frozen=True, slots=True)
class _Part:
    """One thing a call acts on.

    Args:
        exact: a rule that allows something must fit this.
        guises: a rule that asks or forbids must fit one of these.
        whole: a rule without wildcards that fits this is about exactly this call.
        alone: whether the call acts on nothing else.
        begins: how commands begin that may be anything from there on.
    """

    exact: str | None
    guises: tuple[str, ...]
    whole: str
    alone: bool = True
    begins: tuple[str, ...] = ()


def _parts(act: Act) -> list[_Part]:
    if act.subject is None:
        return [_Part(None, (), "")]
    if act.tool not in _COMMANDS:
        lines = [line for line in act.subject.split("\n") if line] or [act.subject]
        alone = len(lines) == 1
        return [_Part(line, (line, act.subject), act.subject, alone) for line in lines]
    read = read_commands(act.subject)
    if not read.marked:
        return [_Part(None, (act.subject,), act.subject)]
    if read.hidden:
        return [_Part(None, guises(read), act.subject, begins=open_ends(read))]
    alone = len(read.commands) == 1
    singles = [CommandLine((one,), hidden=False, marked=(one,)) for one in read.commands]
    return [
        _Part(
            None if does_more(command) else command,
            guises(single),
            act.subject,
            alone,
            open_ends(single),
        )
        for command, single in zip(read.commands, singles, strict=True)
    ]


def _judge(
    act: Act, part: _Part, rules: Mapping[str, Permission], grants: Sequence[str]
) -> Decision:
    fitting = [(key, value) for key, value in rules.items() if _fits(act, key, part, value)]
    if fitting:
        key, value = max(fitting, key=lambda rule: (len(rule[0]), _STRICTNESS[rule[1]]))
        decision = Decision(value, f"the rule {key!r} says {value.value}")
    else:
        decision = _default(act)
    if decision.permission is Permission.DENY:
        return decision
    granted = next((g for g in grants if _is_granted(act, g, part)), None)
    if granted is None:
        return _doubted(act, part, rules, decision)
    return Decision(Permission.ALLOW, f"granted by {granted!r}", granted=True)


def _doubted(
    act: Act, part: _Part, rules: Mapping[str, Permission], decision: Decision
) -> Decision:
    """Return a decision, or to ask where only a shell knows whether a stricter rule fits."""
    if decision.permission is not Permission.ALLOW:
        return decision
    named = [(pattern, value) for key, value in rules.items() for pattern in _patterns(act, key)]
    if any(_is_this(pattern, part) for pattern, value in named if value is Permission.ALLOW):
        return decision
    for pattern, value in named:
        head = re.split(r"[*?[]", _unescaped(pattern), maxsplit=1)[0]
        if value is not Permission.ALLOW and any(head.startswith(one) for one in part.begins):
            why = f"only a shell can tell whether it is {pattern!r}, for which a rule says {value}"
            return Decision(Permission.ASK, why)
    return decision


def _is_granted(act: Act, grant: str, part: _Part) -> bool:
    """Say whether a grant covers a part: who allowed two things did not allow both in one line."""
    if not part.alone and not glob.has_magic(_unescaped(grant)):
        part = replace(part, exact=None)
    return _fits(act, grant, part, Permission.ALLOW)


def _fits(act: Act, key: str, part: _Part, permission: Permission) -> bool:
    if key in _names(act, permission):
        return True
    patterns = _patterns(act, key, permission)
    hosts = [pattern for pattern in patterns if act.tool == _FETCH and "/" not in pattern]
    if any(fnmatchcase(host_in(part.whole), pattern.lower()) for pattern in hosts):
        return True
    if permission is Permission.ALLOW:  # no words in an address make it one of another host
        patterns = [pattern for pattern in patterns if pattern not in hosts]
    return any(_touches(pattern, part, permission) for pattern in patterns)


def _names(act: Act, permission: Permission) -> list[str]:
    """Return what rules of a kind may call the tool."""
    names = [act.tool, act.family]
    if act.server is not None:
        names.append(f"mcp:{act.server}")
        if permission is Permission.ALLOW and act.tool in _OURS:
            names.remove(act.tool)  # a server's tool never takes what is said of one of ours
    return names


def _patterns(act: Act, key: str, permission: Permission = Permission.DENY) -> list[str]:
    """Return what a rule's key says of what the call acts on; nothing where it is of another."""
    return [key[len(name) + 1 :] for name in _names(act, permission) if key.startswith(f"{name}:")]


def _touches(pattern: str, part: _Part, permission: Permission) -> bool:
    if _is_this(pattern, part):
        return True
    if permission is Permission.ALLOW:
        return (
            part.exact is not None
            and fnmatchcase(part.exact, pattern)
            and _begins_alike(part.exact, pattern)
        )
    return any(fnmatchcase(text, pattern) for text in (part.whole, *part.guises))


def _begins_alike(exact: str, pattern: str) -> bool:
    """Whether a pattern means the assignment a command begins with, if it does.

    ``pytest=1 rm x`` fits ``pytest*`` and is another command. What begins with a wildcard means
    all that it fits.
    """
    assigned = _ASSIGNMENT.match(exact)
    return assigned is None or pattern.startswith((assigned[0], "*", "?", "["))


def _is_this(pattern: str, part: _Part) -> bool:
    """Whether a pattern without wildcards names exactly this call."""
    return not glob.has_magic(_unescaped(pattern)) and fnmatchcase(part.whole, pattern)


def _unescaped(pattern: str) -> str:
    """Return a pattern without the brackets that ``glob.escape`` puts around special letters."""
    for letter in "*?[":
        pattern = pattern.replace(f"[{letter}]", "")
    return pattern


def _default(act: Act) -> Decision:
    if act.leaves is not None and act.default in {None, Permission.ALLOW}:
        return Decision(Permission.ASK, act.leaves)
    if act.default is not None:
        return Decision(act.default, f"{act.tool} is set to {act.default.value}")
    if act.family in _OWN_AFFAIRS:
        return Decision(Permission.ALLOW, f"{act.family} is always allowed unless a rule says no")
    if act.family == "mcp" or act.effect is EffectClass.OUTSIDE:
        why = act.needs_person or "what happens outside is asked about unless a rule allows it"
        return Decision(Permission.ASK, why.rstrip("."))
    if act.effect is EffectClass.READ:
        return Decision(Permission.ALLOW, "reading is allowed")
    return Decision(Permission.ALLOW, "what stays in the workspace is allowed")


def _strictest(decisions: Sequence[Decision]) -> Decision:
    strictest = max(decisions, key=lambda decision: _STRICTNESS[decision.permission])
    if strictest.permission is Permission.ALLOW:
        # Only what was allowed throughout by a person was allowed by a person.
        return next((one for one in decisions if not one.granted), strictest)
    return strictest
