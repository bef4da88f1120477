"""Steering: what a person says meanwhile is read before the next model call, once.

A remark joins the messages with the step it was read for; it counts as read only when that step
is stored, so that a crash in between neither loses nor doubles it.
"""

from collections.abc import Sequence

from langchain_core.messages import AnyMessage, HumanMessage

from graphs.state.context import TurnContext
from graphs.tools.tool_call import NOTED
from noctule.core.workers.patience import carry_out, look_up

_STEER = {NOTED: {"steer": True}}


async def said_meanwhile(messages: Sequence[AnyMessage], context: TurnContext) -> list[AnyMessage]:
    """Return what was said since and no step has read, oldest first."""
    waiting = await look_up(context.database, lambda work: work.steers.waiting(context.turn.id))
    known = {message.id for message in messages} if waiting else set()
    return [
        HumanMessage(steer.text, id=steer.id, additional_kwargs=_STEER)
        for steer in waiting
        if steer.id not in known
    ]


async def note_read(messages: Sequence[AnyMessage], context: TurnContext) -> None:
    """Note that the remarks before the last reply are read: the step is stored."""
    read: list[str] = []
    for message in reversed(messages[:-1]):
        if not isinstance(message, HumanMessage) or NOTED not in message.additional_kwargs:
            break
        read.append(str(message.id))
    if not read:
        return
    now = context.clock.now()
    await carry_out(context.database, lambda work: work.steers.take(read, at=now))
