"""``noctule why``: one reply explained."""

from typing import TYPE_CHECKING

import click

from noctule.cli.frame.completed import SESSION
from noctule.cli.frame.invocation import Invocation, runs

if TYPE_CHECKING:
    from noctule.bootstrap import Records
    from noctule.core.reports.explanation import Explanation
    from noctule.core.sessions.sessions import Turn


@click.command("why")
@click.argument("name", metavar="[ID]", required=False, type=SESSION)
@click.option(
    "--json", is_flag=True, expose_value=False, help="Print one JSON document and nothing else."
)
@runs
async def command(invocation: Invocation, *, name: str | None) -> None:
    """Explain one reply: its route, which models were asked and skipped, waits, parks, cost.

    ID is a turn, or a session for its newest reply; without it, the newest finished turn.
    """
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help
    from noctule.cli.input.replies import newest_turn, turn_named  # noqa: PLC0415 - likewise
    from noctule.cli.sessions.explanations import document, lines  # noqa: PLC0415 - likewise

    async with open_records(invocation.load()) as records:
        async with records.database.read() as work:
            turn = await newest_turn(work) if name is None else await turn_named(work, name)
        explained = None if turn is None else await _explain(records, turn)
        if invocation.as_json:
            invocation.print_document(explained and document(explained, records))
        elif explained is None:
            click.echo("Nothing to explain yet. `noctule chat` asks something.")
        else:
            for line in lines(explained, records):
                click.echo(line)


async def _explain(records: "Records", turn: "Turn") -> "Explanation":
    from noctule.bootstrap import prices_of  # noqa: PLC0415 - not for --help
    from noctule.core.reports.costs import dearest  # noqa: PLC0415 - likewise
    from noctule.core.reports.explanation import explain  # noqa: PLC0415 - likewise

    settings, prices = records.settings, prices_of(records.settings)
    bound = dict.fromkeys(model for _, role in settings.roles.items() for model in role.models)
    async with records.database.read() as work:
        return explain(
            await work.sessions.get(turn.session_id),
            turn,
            route=await work.routes.of_turn(turn.id),
            attempts=await work.attempts.list(turn_id=turn.id),
            events=await work.events.after(turn.session_id, 0, limit=1_000_000),
            dearest=dearest(bound, prices.list_cost, records.clock.now()),
            list_cost=prices.list_cost,
        )
