"""Grants: what a person allows a session beyond the configuration, and revokes."""

from collections.abc import Sequence

from noctule.core.base.ids import SHORTEST_ENDING, new_id
from noctule.core.base.tool_names import BUILT_IN, MCP_PREFIX, unknown_tools
from noctule.core.clock import Clock
from noctule.core.errors import AmbiguousIdError, NotFoundError, UsageError
from noctule.core.ports.database import UnitOfWork
from noctule.core.sessions.grants import Grant
from noctule.core.sessions.sessions import Session
from noctule.core.settings import Permission, Settings

_LISTING = "noctule sessions grants"
_COMMANDS = frozenset({"shell", *BUILT_IN["shell"]})


def check_rules(rules: Sequence[str], settings: Settings) -> None:
    """Refuse rules that allow nothing.

    Args:
        rules: ``TOOL``, ``FAMILY`` or ``mcp:SERVER``, with ``:PATTERN`` if need be.
        settings: tell what there is, and what they forbid.

    Raises:
        UsageError: one names no tool, has no pattern behind its colon, or is forbidden by the
            configuration.
    """
    for rule in rules:
        name, pattern = _parts(rule)
        if not name or pattern == "":
            raise UsageError(
                f"{rule!r} allows nothing. Name a tool or a family (shell, web), with a pattern "
                "behind a colon if you like: `shell:git push*`."
            )
        if not (settings.tools.folder is not None and name.isidentifier()):
            for sentence in unknown_tools([name], servers=settings.tools.mcp):
                raise UsageError(sentence)
        forbidden = _forbidden(name, settings)
        if forbidden is not None:
            raise UsageError(
                f"{rule!r} cannot be allowed: tools.permissions says {forbidden}: deny, and that "
                "stands above what is allowed by hand. Change it there."
            )


async def grant_all(
    work: UnitOfWork, clock: Clock, session: Session, rules: Sequence[str], *, for_run: bool
) -> None:
    """Allow rules for one session.

    Args:
        work: committed by the caller.
        clock: the time.
        session: which.
        rules: what.
        for_run: whether they are given for a run before it begins. Then commands they fit run where
            there is no sandbox although the session has read text from outside: nobody sits by to
            be asked, and who gave them was told.
    """
    for rule in dict.fromkeys(rules):
        grant = Grant(
            id=new_id(clock),
            owner=session.owner,
            rule=rule,
            granted_at=clock.now(),
            session_id=session.id,
            despite_outside=for_run and _parts(rule)[0] in _COMMANDS,
        )
        await work.grants.add(grant)


async def revoke(work: UnitOfWork, grant_id: str, *, owner: str | None) -> Grant:
    """Take a grant back and return it.

    Args:
        work: committed by the caller.
        grant_id: which, or a unique beginning or end of its id.
        owner: only of this owner; None means of anybody.

    Raises:
        NotFoundError: no grant begins or ends like that; several do (AmbiguousIdError).
    """
    grants = [grant for grant in await work.grants.list(owner) if _fits(grant.id, grant_id)]
    exact = [grant for grant in grants if grant.id == grant_id] or grants
    if len(exact) > 1 and grant_id:
        raise AmbiguousIdError("grant", grant_id, _LISTING)
    if not exact or not grant_id:
        raise NotFoundError("grant", grant_id, _LISTING)
    await work.grants.revoke(exact[0].id)
    return exact[0]


def _parts(rule: str) -> tuple[str, str | None]:
    """Return whom a rule names and its pattern; None when it has none."""
    prefix = MCP_PREFIX if rule.startswith(MCP_PREFIX) else ""
    name, colon, pattern = rule.removeprefix(prefix).partition(":")
    return prefix * bool(name) + name.strip(), pattern.strip() if colon else None


def _forbidden(name: str, settings: Settings) -> str | None:
    families = [family for family, tools in BUILT_IN.items() if name in tools]
    for key in (name, *families):
        if settings.tools.permissions.get(key) is Permission.DENY:
            return key
    return None


def _fits(name: str, typed: str) -> bool:
    return name.startswith(typed) or (len(typed) >= SHORTEST_ENDING and name.endswith(typed))
