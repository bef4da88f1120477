"""``-c``: continue the newest session of the kind a command begins."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from noctule.cli.frame.tell import tell
from noctule.core.errors import UsageError
from noctule.core.sessions.sessions import LOCAL_OWNER

if TYPE_CHECKING:
    from noctule.bootstrap import Records

_LOOKED_THROUGH = 1000

continue_option: Callable[[Any], Any] = click.option(
    "-c", "--continue", "continues", is_flag=True, help="Continue the newest session of this kind."
)


async def last_session(records: "Records", named: str | None, kind: str) -> str | None:
    """Return the newest session of a kind; None when there is none yet, which begins one.

    Args:
        records: what there is.
        named: what ``--session`` said; both together contradict each other.
        kind: ``chat`` or ``run``.

    Raises:
        UsageError: a session is named as well.
    """
    if named is not None:
        raise UsageError("--session names a session and -c takes the newest. Use one of them.")
    async with records.database.read() as work:
        sessions = await work.sessions.list(owner=LOCAL_OWNER, limit=_LOOKED_THROUGH)
    found = next((session.id for session in sessions if session.kind.value == kind), None)
    if found is None:
        tell(f"There is no earlier {kind} session, so this starts one.")
    return found
