"""What came of a call, made fit for an agent: masked, short enough, marked when from outside."""

import asyncio
from dataclasses import dataclass
from typing import NamedTuple

from graphs.tools.tool_call import ToldResult, ToolCall
from noctule.core.ports.database import UnitOfWork
from noctule.core.sessions.sessions import Session
from noctule.core.tools.outside_text import as_data
from noctule.core.workers.patience import carry_out, look_up
from tools.base.workspace import OUTPUTS, PathError

_HEAD_SHARE = 0.7


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """What a tool returned, or why it did not.

    Args:
        text: as the tool said it.
        failed: whether the call came to nothing.
        outside: whether somebody else wrote the text.
        private: whether it holds what is the person's alone.
        files: what was made or changed, relative to the workspace.
        duration_s: seconds of work.
        notice: what Noctule itself says before a text; "" for nothing.
    """

    text: str
    failed: bool = False
    outside: bool = False
    private: bool = False
    files: tuple[str, ...] = ()
    duration_s: float = 0.0
    notice: str = ""


async def tool_result(call: ToolCall, outcome: ToolOutcome, *, entry: str | None) -> ToldResult:
    """Return what the agent is told of an outcome, after everything to be kept of it is kept.

    Args:
        call: whose.
        outcome: what came of it.
        entry: its entry in the journal, which is closed; None when it has none.
    """
    text = await _shortened(call, call.mask(outcome.text))
    if outcome.outside:
        text = as_data(text)
    if outcome.notice:
        text = f"{call.mask(outcome.notice)}\n{text}".rstrip()
    files = tuple(map(call.mask, outcome.files))
    said = ToldResult(text, outcome.failed, files, outcome.duration_s)
    await _keep(call, said, entry, await _new_marks(call, outcome))
    return said


async def _keep(call: ToolCall, said: ToldResult, entry: str | None, marks: "_Marks") -> None:
    context = call.context
    if entry is None and not any(marks):
        return
    # What happened is known again without its last line (the effect is checked, or asked about);
    # that text from outside was read must not be forgotten.
    now = context.clock.now()

    async def keep(work: UnitOfWork) -> None:
        if marks.outside:
            await work.sessions.mark_outside(context.session_id, now)
        if marks.private:
            await work.sessions.mark_private(context.session_id, now)
        if entry is not None:
            await work.effects.finish(
                context.session_id, entry, result=said.text, failed=said.failed, at=now
            )

    await carry_out(call.turn.database, keep, durable=any(marks))


class _Marks(NamedTuple):
    """What is to be noted of a session that is not noted yet."""

    outside: bool
    private: bool

    def beyond(self, session: Session) -> "_Marks":
        """Return what a session as it was read is not marked with."""
        return _Marks(
            self.outside and session.outside_since is None,
            self.private and session.private_since is None,
        )


async def _new_marks(call: ToolCall, outcome: ToolOutcome) -> _Marks:
    marks = _Marks(outcome.outside, outcome.private).beyond(call.turn.session)
    if not any(marks):
        return marks
    id_ = call.context.session_id  # it may have been marked since the turn began
    return marks.beyond(await look_up(call.turn.database, lambda work: work.sessions.get(id_)))


async def _shortened(call: ToolCall, text: str) -> str:
    """Return a text that is short enough; all of it is kept in a file of the workspace."""
    most = call.equipment.settings.tools.output_bytes
    encoded = text.encode(errors="replace")
    if len(encoded) <= most:
        return text
    path = f"{OUTPUTS}/{call.id}.txt"
    kept = f"all of it is in {path}"
    try:
        await asyncio.to_thread(_keep_output, call, path, encoded)
    except (PathError, OSError) as error:
        kept = f"it could not be kept in a file: {error}"
    head = int(most * _HEAD_SHARE)
    first = encoded[:head].decode(errors="ignore")
    last = encoded[len(encoded) - (most - head) :].decode(errors="ignore")
    left_out = len(encoded) - most
    return f"{first}\n[... {left_out:,} bytes left out; {kept} ...]\n{last}"


def _keep_output(call: ToolCall, path: str, content: bytes) -> None:
    workspace, ignored = call.context.workspace, f"{OUTPUTS}/.gitignore"
    if workspace.content(ignored) is None:  # in a repository it is nobody's change
        workspace.put(ignored, b"*\n", call.id)
    workspace.put(path, content, call.id)
