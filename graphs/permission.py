"""Permission of a tool call: the rules, what people granted, and if need be a person's word."""

from dataclasses import dataclass

from graphs.hearing import Asked, hear
from graphs.tool_call import ToolCall
from noctule.core.choices import approvals_for, reason_of
from noctule.core.effects import EffectClass
from noctule.core.grants import Grant
from noctule.core.patience import look_up
from noctule.core.permissions import Act, Decision, decide
from noctule.core.plain_sight import hides_more_than_words, in_plain_sight, odd_letters
from noctule.core.ports import UnitOfWork
from noctule.core.questions import Approval, QuestionKind
from noctule.core.sessions import Session
from noctule.core.settings import Permission

_SHOWN_SUBJECT = 2000
_GIVEN = frozenset(Approval) - {Approval.NO}
_UNSEEN = (
    "{tool} needs a person's word, and part of what it is to act on looks like a key or password, "
    "which is not shown to anybody: nobody can allow what they cannot see. It was not called. "
    "Leave that part out."
)


@dataclass(frozen=True, slots=True)
class Refused:
    """A call that may not happen.

    Args:
        text: what the agent is told.
    """

    text: str


async def permitted(call: ToolCall) -> ToolCall | Refused:
    """Return a call that may happen, or why it may not; asks a person where rules say so."""
    decision = await _decide(call)
    if decision.permission is Permission.ASK:
        if hides_more_than_words(call.equipment.masker.hidden(call.subject or "")):
            return Refused(_UNSEEN.format(tool=call.tool.name))
        answer = await hear(_question(call, decision), call.turn)
        if answer not in _GIVEN:
            return Refused(_no(call, answer))
        decision = await _decide(call, approved=True)
    if decision.permission is Permission.DENY:
        return Refused(
            f"{call.tool.name} is not allowed here: {decision.why}. Do not try to reach the same "
            "in another way; do without it, or say what you could not do."
        )
    return call.allowed_by_person() if decision.granted else call


async def may_unasked(call: ToolCall) -> bool:
    """Whether rules and grants let a call happen without asking anybody."""
    return (await _decide(call)).permission is Permission.ALLOW


async def _decide(call: ToolCall, *, approved: bool = False) -> Decision:
    equipment = call.equipment
    act = Act(
        tool=call.tool.name,
        family=call.tool.family,
        effect=call.effect,
        subject=call.subject,
        server=getattr(call.tool, "server", None),
        default=call.tool.permission,
        needs_person=call.tool.needs_person(call.arguments, call.context),
    )
    rules = equipment.settings.tools.permissions
    role_rules = equipment.role_rules(call.context.role)
    plain = decide(act, rules=rules, role_rules=role_rules, approved=approved)
    outside = act.effect is EffectClass.OUTSIDE
    if plain.permission is Permission.DENY or (
        plain.permission is Permission.ALLOW and not outside
    ):
        return plain  # nothing that people granted or a session read changes it
    grants, session = await look_up(call.turn.database, lambda work: _standing(call, work))
    return decide(
        act,
        rules=rules,
        role_rules=role_rules,
        grants=[grant.rule for grant in grants],
        steered=equipment.settings.tools.ask_after_outside and session.outside_since is not None,
        approved=approved,
    )


async def _standing(call: ToolCall, work: UnitOfWork) -> tuple[list[Grant], Session]:
    """Return what people granted, and the session as it now is."""
    grants = await work.grants.of(call.context.owner, call.context.session_id)
    return grants, await work.sessions.get(call.context.session_id)


def _question(call: ToolCall, decision: Decision) -> Asked:
    subject = None if call.subject is None else call.mask(call.subject)
    shown = ""
    if subject is not None:
        odd = odd_letters(subject) if call.tool.family == "shell" else None
        noted = f"{odd}\n" if odd else ""
        shown = f":\n{in_plain_sight(subject, most=_SHOWN_SUBJECT)}\n{noted}"
    text = f"May {call.context.role.value} use {call.tool.name}{shown or '? '}({decision.why})"
    return Asked(
        key=call.id,
        kind=QuestionKind.APPROVAL,
        text=text,
        choices=approvals_for(call.tool.name),
        tool=call.tool.name,
        subject=subject,
    )


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
