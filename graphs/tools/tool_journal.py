"""The journal: a call with a consequence is written down before it happens, and happens once.

``started`` found at a second entry means that a crash cut the call off. The tool is asked whether
it happened (files can tell); where it cannot say, the person is, and ``again`` gives the call a
new entry: an entry is never begun twice without somebody knowing that its effect did not happen.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from graphs.tools.human_input import HumanQuestion, ask_human
from graphs.tools.tool_call import ToldResult, ToolCall
from graphs.tools.tool_result import ToolOutcome, tool_result
from noctule.core.errors import OurBugError
from noctule.core.ports.database import UnitOfWork
from noctule.core.sessions.questions import CheckAnswer, QuestionKind
from noctule.core.tools.approval_text import quoted, reveal_hidden
from noctule.core.tools.effects import Effect, EffectClass, EffectState
from noctule.core.workers.patience import carry_out

_LOG = logging.getLogger(__name__)
_KEPT_ARGUMENT_CHARS = 2000

Perform = Callable[[], Awaitable[ToolOutcome]]


async def run_once(call: ToolCall, perform: Perform) -> ToldResult:
    """Return what came of a call, which happens now unless it happened before.

    Args:
        call: permitted.
        perform: does it; never raises for anything a tool does.
    """
    if call.effect is EffectClass.READ:
        return await tool_result(call, await perform(), entry=None)
    key, number = call.id, 1
    while True:
        stood = await _start(call, key)
        if stood is None:
            return await tool_result(call, await perform(), entry=key)
        if stood.state is EffectState.DONE:
            return ToldResult(stood.result or "", failed=stood.failed)
        settled = await _after_crash(call, key, stood)
        if settled is CheckAnswer.AGAIN:
            number += 1
            key = f"{call.id}/{number}"
        elif isinstance(settled, ToolOutcome):
            return await tool_result(call, settled, entry=key)
        else:  # it did not happen, and the tool knows
            return await tool_result(call, await perform(), entry=key)


async def _start(call: ToolCall, key: str) -> Effect | None:
    """Write that a call is about to happen; return what stands there if it was written before."""
    context, database = call.context, call.turn.database
    effect = Effect(
        session_id=context.session_id,
        tool_call_id=key,
        turn_id=context.turn_id,
        tool=call.tool.name,
        arguments=_kept(call),
        before=dict(await call.tool.before(call.arguments, context)),
        started_at=context.clock.now(),
    )
    found: list[Effect | None] = []

    async def start(work: UnitOfWork) -> Effect | None:
        found.append(await work.effects.start(effect))
        return found[-1]

    stood = await carry_out(database, start)
    if len(found) > 1 and stood is not None and stood.started_at == effect.started_at:
        return None  # our own entry, by a commit whose answer was lost: nothing has begun
    if stood is not None and stood.tool != call.tool.name:
        raise OurBugError(
            f"The call {key} of {call.tool.name} has the id of a call of {stood.tool}; please "
            "report this. Nothing was done."
        )
    return stood


async def _after_crash(call: ToolCall, key: str, stood: Effect) -> ToolOutcome | CheckAnswer | None:
    """Return what came of a call that was cut off; AGAIN to begin anew, None when it did not."""
    try:
        happened = await call.tool.happened(call.arguments, call.context, stood.before)
    except Exception as error:  # noqa: BLE001 - a tool that cannot tell leaves it to the person
        _LOG.warning("%s could not tell whether it happened: %s", call.tool.name, type(error))
        happened = None
    if happened is False:
        return None
    if happened is not None and happened is not True:
        return ToolOutcome(
            happened.text, outside=happened.outside, private=happened.private, files=happened.files
        )
    answer = await ask_human(_check(call, key), call.turn)
    if answer == CheckAnswer.AGAIN:
        return CheckAnswer.AGAIN
    if answer == CheckAnswer.DONE:
        return ToolOutcome(
            f"{call.tool.name} was cut off by a restart. The person says that it happened; what "
            "it returned is lost."
        )
    return ToolOutcome(
        f"{call.tool.name} was cut off by a restart; whether it happened is not known, and it was "
        "not done again. Look before you rely on it.",
        failed=True,
    )


def _check(call: ToolCall, key: str) -> HumanQuestion:
    subject = None if call.subject is None else call.mask(call.subject)
    shown = (
        f":\n{quoted(reveal_hidden(subject, most=_KEPT_ARGUMENT_CHARS))}\n"
        if subject is not None
        else ". "
    )
    text = (
        f"{call.tool.name} was cut off by a restart, and nobody can tell whether it "
        f"happened{shown}Did it (done), is it to be done again (again), or left (skip)?"
    )
    return HumanQuestion(
        key=f"{key}/check",
        kind=QuestionKind.CHECK,
        text=text,
        choices=tuple(CheckAnswer),
        tool=call.tool.name,
        subject=subject,
    )


def _kept(call: ToolCall) -> dict[str, Any]:
    masked: dict[str, Any] = call.equipment.masker.mask_json(call.given)
    return {name: _cut(value) for name, value in masked.items()}


def _cut(value: Any) -> Any:
    text = value if isinstance(value, str) else str(value)
    if len(text) <= _KEPT_ARGUMENT_CHARS:
        return value
    return f"{text[:_KEPT_ARGUMENT_CHARS]}... ({len(text)} characters)"
