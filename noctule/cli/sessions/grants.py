"""What was allowed beyond the configuration: listed, and taken back."""

from typing import TYPE_CHECKING

import click

from noctule.cli.frame.invocation import Invocation
from noctule.cli.frame.moments import iso, show
from noctule.cli.frame.tables import CellFit, Column, print_table
from noctule.cli.json_types.sessions import GrantDocument
from noctule.core.base.short_ids import short_ids
from noctule.core.sessions.consent import rule_of, scope_of
from noctule.core.sessions.grants import Grant, files_of

if TYPE_CHECKING:
    from noctule.bootstrap import Records


async def list_grants(invocation: Invocation, records: "Records") -> None:
    """Print every grant, oldest first."""
    grants = await records.service.grants()
    if invocation.as_json:
        invocation.print_document([_document(grant, records) for grant in grants])
        return
    if not grants:
        click.echo(
            "Nothing is allowed beyond the configuration. Allow tools for a session with `noctule "
            "run --allow TOOLS`, or by answering an approval."
        )
        return
    short = short_ids([grant.id for grant in grants])
    sessions = short_ids([grant.session_id for grant in grants if grant.session_id])
    now = records.clock.now()
    print_table(
        (
            Column("id", rank=0),
            Column("since", rank=2),
            Column("owner", rank=3),
            Column("holds for", rank=1),
            Column("allows", CellFit.BELOW, rank=1),
            Column("covers", CellFit.BELOW, rank=1),
        ),
        [
            (
                short[grant.id],
                show(grant.granted_at, records.zone, now),
                grant.owner,
                "every session" if grant.session_id is None else sessions[grant.session_id],
                rule_of(grant),
                scope_of(grant),
            )
            for grant in grants
        ],
    )


async def revoke(invocation: Invocation, records: "Records", grant_id: str) -> None:
    """Take a grant back.

    Raises:
        NotFoundError: there is no such grant.
    """
    grant = await records.service.revoke(grant_id)
    if invocation.as_json:
        invocation.print_document(_document(grant, records))
    else:
        click.echo(f"Revoked: {rule_of(grant)}. You will be asked about it again.")


def _document(grant: Grant, records: "Records") -> GrantDocument:
    return {
        "id": grant.id,
        "owner": grant.owner,
        "session": grant.session_id,
        "rule": grant.rule,
        "covers": scope_of(grant),
        "tool": grant.tool,
        "server": grant.server,
        "workspace": grant.workspace,
        "files": files_of(grant.seal or {}),
        "despite_outside": grant.despite_outside,
        "granted_at": iso(grant.granted_at, records.zone),
    }
