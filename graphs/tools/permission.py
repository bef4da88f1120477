"""Permission of a tool call: the rules, what people granted, and if need be a person's word.

A yes counts for what was shown. What an approval shows is sealed
(``noctule.core.sessions.grants``): when a part of it has changed by the time the call is made, the
person is asked again and told what.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from graphs.tools.human_input import HumanQuestion, ask_human
from graphs.tools.known_addresses import host_of
from graphs.tools.tool_call import ToolCall
from graphs.tools.ways_out import redirected
from noctule.core.ports.database import UnitOfWork
from noctule.core.sessions.choices import approvals_for, reason_of, rule_shown
from noctule.core.sessions.consent import covered, not_covered
from noctule.core.sessions.grants import Grant, Shown, changes
from noctule.core.sessions.questions import Approval, Question, QuestionKind
from noctule.core.sessions.sessions import LOCAL_OWNER, Session
from noctule.core.settings import Permission
from noctule.core.tools.approval_text import (
    hides_more_than_words,
    odd_letters,
    on_one_line,
    quoted,
    reveal_hidden,
)
from noctule.core.tools.effects import EffectClass
from noctule.core.tools.permissions import Act, Decision, decide
from noctule.core.workers.patience import look_up

_SHOWN_SUBJECT = 2000
_SHOWN_CHANGES = 600
_MOST_QUESTIONS = 3
_GIVEN = frozenset(Approval) - {Approval.NO}
_UNSEEN = (
    "{tool} needs a person's word, and part of what it is to act on looks like a key or password, "
    "which is not shown to anybody: nobody can allow what they cannot see. It was not called. "
    "Leave that part out."
)
_CHANGING = (
    "{tool} was not called: what it is to act on was allowed {times} times and had changed each "
    "time by the moment of the call. Make a copy that nothing else writes to, and use that."
)


_OF_A_GUEST = "(In a session of {owner}; it acts under the account of this Noctule's owner.)\n"


@dataclass(frozen=True, slots=True)
class CallDenied:
    """A call that may not happen.

    Args:
        text: what the agent is told.
    """

    text: str


@dataclass(frozen=True, slots=True)
class _Standing:
    """What stands about a call before anybody is asked.

    Args:
        decision: whether it may happen.
        differences: why grants for what looks the same do not cover it, a sentence each.
    """

    decision: Decision
    differences: tuple[str, ...] = ()


async def permitted(call: ToolCall) -> ToolCall | CallDenied:
    """Return a call that may happen, or why it may not; asks a person where rules say so."""
    standing = await _stand(call)
    decision = standing.decision
    if decision.permission is Permission.ASK:
        if hides_more_than_words(call.equipment.masker.hidden(call.subject or "")):
            return CallDenied(_UNSEEN.format(tool=call.tool.name))
        refused = await _ask(call, standing)
        if refused is not None:
            return refused
        decision = (await _stand(call, approved=True)).decision
    if decision.permission is Permission.DENY:
        return CallDenied(
            f"{call.tool.name} is not allowed here: {decision.why}. Do not try to reach the same "
            "in another way; do without it, or say what you could not do."
        )
    return call.allowed_by_person() if decision.granted else call


async def may_follow(call: ToolCall, url: str) -> bool:
    """Whether a page's redirect may be followed: like a new call, but nobody is asked now.

    What a person allowed for this call holds for other addresses of the same host.
    """
    following = redirected(call, url)
    same = host_of(url) == host_of(call.subject or "")
    standing = await _stand(following, approved=same and call.context.approved)
    return standing.decision.permission is Permission.ALLOW


async def may_unasked(call: ToolCall) -> bool:
    """Whether rules and grants let a call happen without asking anybody."""
    return (await _stand(call)).decision.permission is Permission.ALLOW


async def _ask(call: ToolCall, standing: _Standing) -> CallDenied | None:
    """Ask until what was allowed is what is there; return why the call may not happen, if so."""
    if await _has_begun(call):
        return None
    said = standing.differences
    for number in range(1, _MOST_QUESTIONS + 1):
        shown = await _shown(call)
        key = call.id if number == 1 else f"{call.id}/{number}"
        asked = _question(call, standing.decision, shown, said)
        answer = await ask_human(replace(asked, key=key), call.turn)
        if answer not in _GIVEN:
            return CallDenied(_no(call, answer))
        question = await _stored(call, key)
        same = question is None or question.subject == _masked_subject(call)
        if question is None or (same and question.seal is None):
            return None
        now = (await _shown(call)).seal
        if same and question.seal == now:
            return None
        said = (f"You allowed it; until it could run {changes(question.seal or {}, now)}.",)
    return CallDenied(_CHANGING.format(tool=call.tool.name, times=_MOST_QUESTIONS))


async def _stored(call: ToolCall, key: str) -> Question | None:
    session_id = call.context.session_id
    return await look_up(call.turn.database, lambda work: work.questions.of_call(session_id, key))


async def _has_begun(call: ToolCall) -> bool:
    """Whether the call was made before, and a crash cut it off: the journal decides then."""
    session_id = call.context.session_id
    effect = await look_up(call.turn.database, lambda work: work.effects.get(session_id, call.id))
    return effect is not None


async def _stand(call: ToolCall, *, approved: bool = False) -> _Standing:
    equipment = call.equipment
    act = Act(
        tool=call.tool.name,
        family=call.tool.family,
        effect=call.effect,
        subject=call.subject,
        server=_server(call),
        default=call.tool.permission,
        needs_person=call.tool.needs_person(call.arguments, call.context),
        leaves=call.leaves,
    )
    rules = equipment.settings.tools.permissions
    role_rules = equipment.role_rules(call.context.role)
    plain = decide(act, rules=rules, role_rules=role_rules, approved=approved)
    outside = act.effect is EffectClass.OUTSIDE
    if (
        approved
        or plain.permission is Permission.DENY
        or (plain.permission is Permission.ALLOW and not outside)
    ):
        return _Standing(plain)  # nothing that people granted or a session read changes it
    grants, session = await look_up(call.turn.database, lambda work: _looked_up(call, work))
    steered = equipment.settings.tools.ask_after_outside and session.outside_since is not None
    firm = [grant.rule for grant in grants if grant.is_rule and grant.despite_outside]
    if steered and firm and act.family == "shell":
        held = decide(act, rules=rules, role_rules=role_rules, grants=firm)
        if held.granted:
            return _Standing(held)
    shown = await _shown(call) if any(not grant.is_rule for grant in grants) else None
    covering = next((g for g in grants if shown is not None and shown.is_covered_by(g)), None)
    decision = decide(
        act,
        rules=rules,
        role_rules=role_rules,
        grants=[grant.rule for grant in grants if grant.is_rule],
        covered_by=None if covering is None else covering.rule,
        steered=steered,
    )
    return _Standing(decision, () if covering else _differences(shown, grants))


async def _looked_up(call: ToolCall, work: UnitOfWork) -> tuple[list[Grant], Session]:
    """Return what people granted, and the session as it now is."""
    grants = await work.grants.of(call.context.owner, call.context.session_id)
    return grants, await work.sessions.get(call.context.session_id)


def _differences(shown: Shown | None, grants: Sequence[Grant]) -> tuple[str, ...]:
    """Return why the newest grant for what looks the same does not cover a call."""
    if shown is None:
        return ()
    found = (shown.difference(grant) for grant in reversed(grants))
    return tuple(sentence for sentence in found if sentence is not None)[:1]


async def _shown(call: ToolCall) -> Shown:
    workspace = call.context.workspace
    return Shown(
        rule=rule_shown(call.tool.name, _masked_subject(call)),
        tool=call.tool.name,
        server=_server(call),
        workspace=None if workspace.own else str(workspace.root),
        seal=await call.tool.seal(call.arguments, call.context),
    )


def _server(call: ToolCall) -> str | None:
    server: str | None = getattr(call.tool, "server", None)
    return server


def _masked_subject(call: ToolCall) -> str | None:
    return None if call.subject is None else call.mask(call.subject)


def _question(
    call: ToolCall, decision: Decision, shown: Shown, differences: Sequence[str]
) -> HumanQuestion:
    subject = _masked_subject(call)
    acts_on = ""
    if subject is not None:
        noted = "".join(
            f"{line}\n" for line in (odd_letters(subject), _rest(call, subject)) if line
        )
        acts_on = f":\n{quoted(reveal_hidden(subject, most=_SHOWN_SUBJECT))}\n{noted}"
    owner = call.context.owner
    account = "" if owner == LOCAL_OWNER else _OF_A_GUEST.format(owner=owner)
    may = f"May {call.context.role.value} use {call.tool.name}{acts_on or '? '}({decision.why})"
    lines = [f"{account}{may}"]
    changed = " ".join(differences)
    if changed:
        lines.append(on_one_line(call.mask(changed), most=_SHOWN_CHANGES))
    left_out = not_covered(shown.tool, server=shown.server)
    if left_out is not None:
        lines.append(f"For longer than once a yes covers {_covers(shown)}. {left_out}")
    return HumanQuestion(
        key=call.id,
        kind=QuestionKind.APPROVAL,
        text="\n".join(lines),
        choices=approvals_for(call.tool.name),
        tool=call.tool.name,
        subject=subject,
        shown=shown,
    )


def _rest(call: ToolCall, subject: str) -> str | None:
    """Return how long a subject is and where all of it is shown, when a question shows a part."""
    if len(reveal_hidden(subject, most=len(subject) * 10)) <= _SHOWN_SUBJECT:
        return None
    lines = subject.count("\n") + 1
    return (
        f"It has {len(subject):,} characters in {lines:,} {'line' if lines == 1 else 'lines'}: "
        f"`noctule sessions answer {call.context.session_id} --full` shows all of it."
    )


def _covers(shown: Shown) -> str:
    return covered(shown.tool, server=shown.server, seal=shown.seal)


def _no(call: ToolCall, answer: str | None) -> str:
    reason = reason_of(answer)
    if reason is not None:
        return (
            f"The person said no: {call.tool.name} was not called. Their reason: {reason}\n"
            "Go on as it says; do not try to reach the same in another way."
        )
    said = "The person did not answer" if answer is None else "The person said no"
    return (
        f"{said}: {call.tool.name} was not called. Do not try to reach the same in another way; "
        "do without it, or say what you could not do."
    )
