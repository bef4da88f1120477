"""Grants: what a person has allowed beyond the configuration.

A grant that came of an answer covers what was shown when it was asked, and nothing else: one tool
of one server, in one folder, for as long as everything shown is byte by byte what it was. A rule
given by hand (``--allow``, "all commands") says in words what may happen until its session ends.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

Seal = Mapping[str, str]
"""The parts of what an approval shows: what each is called, and the digest of its bytes. Empty:
nothing but the tool's name was shown that could change."""

FILE_PART = "file "
"""How the name of a part begins that is a file of the workspace."""


HOST_PART = "host "
"""How the name of a part begins that is the host of an address."""


TOO_MUCH = "more than is looked at"
"""The part of a seal that no grant covers: it names more than can be looked at each time."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One allowance.

    Args:
        id: sortable.
        owner: who gave it, and for whose sessions it holds.
        rule: what it allows, in the words of ``tools.permissions``: ``web``, ``shell``,
            ``shell:git push*``; of a sealed grant what is allowed only as its seal says.
        granted_at: aware.
        session_id: the session it holds for; None means all of the owner's.
        tool: the one tool it covers; None for a rule given by hand, and for every grant that was
            stored before grants had seals.
        server: the MCP server of that tool; None for others.
        workspace: the folder it holds in, absolute; None means sessions with a folder of their own.
        seal: what was shown; None where ``tool`` is None.
        despite_outside: True for a rule a person gave for a run before it began: where no sandbox
            works, commands it fits run although the session has read text from outside.
    """

    id: str
    owner: str
    rule: str
    granted_at: datetime
    session_id: str | None = None
    tool: str | None = None
    server: str | None = None
    workspace: str | None = None
    seal: Seal | None = None
    despite_outside: bool = False

    @property
    def is_rule(self) -> bool:
        """Whether it allows whatever its rule fits, within its session."""
        return self.tool is None and self.session_id is not None

    @property
    def is_spent(self) -> bool:
        """Whether it allows nothing: a lasting one of before seals, which says too little."""
        return self.tool is None and self.session_id is None


@dataclass(frozen=True, slots=True)
class Shown:
    """What an approval of one call shows, and a grant must be about.

    Args:
        rule: in the words of ``tools.permissions``, without secrets.
        tool: the tool's name.
        server: its MCP server; None for others.
        workspace: the folder it acts in, absolute; None means the session's own.
        seal: the parts.
    """

    rule: str
    tool: str
    server: str | None
    workspace: str | None
    seal: Seal

    def is_covered_by(self, grant: Grant) -> bool:
        """Say whether a sealed grant covers this call."""
        of_grant = (grant.tool, grant.server, grant.workspace, grant.seal)
        return TOO_MUCH not in self.seal and of_grant == (
            self.tool,
            self.server,
            self.workspace,
            self.seal,
        )

    def difference(self, grant: Grant) -> str | None:
        """Say in a sentence why a grant for what looks the same does not cover this call.

        Returns:
            None when it is about something else altogether, or does cover it.
        """
        if grant.rule != self.rule or grant.is_rule or self.is_covered_by(grant):
            return None
        if TOO_MUCH in self.seal:
            return "It names more than is looked at, so it is asked about each time."
        if grant.is_spent:
            return (
                "It was allowed before, when allowances were not yet bound to a folder and to what "
                "runs; it is asked once more."
            )
        if grant.server != self.server:
            other = f"the MCP server {grant.server!r}" if grant.server else "another tool"
            return f"What was allowed under this name belongs to {other}."
        if grant.workspace != self.workspace:
            where = grant.workspace or "sessions with a folder of their own"
            return f"The same was allowed in {where}, which is not here."
        return f"It was allowed before; since then {changes(grant.seal or {}, self.seal)}."


def digest_of(content: str | bytes) -> str:
    """Return the SHA-256 of a part, in hexadecimal."""
    given = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    return hashlib.sha256(given).hexdigest()


def changes(before: Seal, now: Seal) -> str:
    """Return what differs between two seals, as a clause; part names are not made fit to show."""
    found = [f"{_called(name)} is gone" for name in before if name not in now]
    found += [f"{_called(name)} is new" for name in now if name not in before]
    same = [name for name in now if name in before]
    found += [f"{_called(name)} changed" for name in same if now[name] != before[name]]
    return ", ".join(found) or "nothing changed"


def files_of(seal: Seal) -> list[str]:
    """Return the files that a seal covers, relative to the workspace."""
    return [name.removeprefix(FILE_PART) for name in seal if name.startswith(FILE_PART)]


def hosts_of(seal: Seal) -> list[str]:
    """Return the hosts that a seal covers."""
    return [name.removeprefix(HOST_PART) for name in seal if name.startswith(HOST_PART)]


def _called(name: str) -> str:
    return name.removeprefix(FILE_PART)
