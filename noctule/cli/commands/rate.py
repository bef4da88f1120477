"""``noctule rate``: a person's verdict on a reply."""

import click

from noctule.cli.frame.completed import SESSION
from noctule.cli.frame.invocation import Invocation, runs


@click.command("rate")
@click.argument("name", metavar="ID", type=SESSION)
@click.argument("verdict", type=click.Choice(["good", "bad"]))
@click.option(
    "--json", is_flag=True, expose_value=False, help="Print one JSON document and nothing else."
)
@runs
async def command(invocation: Invocation, *, name: str, verdict: str) -> None:
    """Rate a reply as good or bad; ID is a turn, or a session for its newest reply."""
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help
    from noctule.channels.terminal.screens.printable import printable  # noqa: PLC0415 - likewise
    from noctule.cli.input.replies import turn_named  # noqa: PLC0415 - likewise
    from noctule.core.errors import UsageError  # noqa: PLC0415 - likewise
    from noctule.core.sessions.sessions import Rating  # noqa: PLC0415 - likewise
    from noctule.sessions.service.service import title_of  # noqa: PLC0415 - likewise

    async with open_records(invocation.load()) as records:
        async with records.database.work() as work:
            turn = await turn_named(work, name)
            if turn.reply is None:
                raise UsageError(
                    f"Turn {turn.id} has no reply to rate: it is {turn.status.value}. "
                    f"`noctule sessions show {turn.session_id}` shows it."
                )
            await work.turns.rate(turn.id, Rating(verdict))
            await work.commit()
        if invocation.as_json:
            rated = {"turn": turn.id, "session": turn.session_id, "verdict": verdict}
            invocation.print_document(rated)
        else:
            click.echo(printable(f"Rated {verdict}: {title_of(turn.text)}"))
