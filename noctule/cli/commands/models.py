"""``noctule models``: what there is to ask, and loading it before it is needed."""

from typing import TYPE_CHECKING

import click

from noctule.cli.frame.completed import MODEL
from noctule.cli.frame.invocation import Invocation, runs
from noctule.cli.frame.tell import tell
from noctule.core.base.roles import Role

if TYPE_CHECKING:
    from noctule.bootstrap import Records
    from noctule.core.reports.inventory import ModelEntry

_LOOKED_AT = 500
_JSON = click.option(
    "--json", is_flag=True, expose_value=False, help="Print one JSON list and nothing else."
)


@click.group("models", invoke_without_command=True)
@_JSON
@click.pass_context
def command(context: click.Context) -> None:
    """List the configured models: endpoint, tier, price, roles, and why one is unavailable now.

    It makes no requests; `noctule doctor` does.
    """
    if context.invoked_subcommand is None:
        _list()


@runs
async def _list(invocation: Invocation) -> None:
    from noctule.bootstrap import open_records  # noqa: PLC0415 - not for --help
    from noctule.cli.models.model_pages import document, print_models  # noqa: PLC0415 - likewise

    async with open_records(invocation.load()) as records:
        entries = await _inventory(records)
        if invocation.as_json:
            invocation.print_document([document(entry, records) for entry in entries])
        else:
            print_models(entries, records)


async def _inventory(records: "Records") -> "list[ModelEntry]":
    from noctule.bootstrap import prices_of  # noqa: PLC0415 - not for --help
    from noctule.core.reports.inventory import take_inventory  # noqa: PLC0415 - likewise

    now, prices = records.clock.now(), prices_of(records.settings)
    async with records.database.read() as work:
        return take_inventory(
            records.settings,
            prices={name: prices.price_of(name, now) for name in records.settings.models},
            limits=await work.limits.list(),
            attempts=await work.attempts.list(limit=_LOOKED_AT),
            proofs=await work.proofs.list(),
            now=now,
        )


@command.command("warm")
@click.argument("names", metavar="[MODEL]...", nargs=-1, type=MODEL)
@_JSON
@runs
async def warm(invocation: Invocation, *, names: tuple[str, ...]) -> int:
    """Load models ahead of their first call; without MODEL, all that roles use.

    Only Ollama needs it. Exit code 1 when a model could not be loaded.
    """
    from noctule.bootstrap import open_models, open_records  # noqa: PLC0415 - not for --help
    from noctule.cli.models.warming import wanted, warm_models  # noqa: PLC0415 - likewise

    async with open_records(invocation.load()) as records:
        chosen = wanted(records.settings, names)
        async with open_models(records) as models:
            warmed = await warm_models(records, models, chosen)
        if invocation.as_json:
            invocation.print_document([result.as_json() for result in warmed])
        else:
            for result in warmed:
                click.echo(str(result), err=result.error is not None)
            if not warmed:
                click.echo("No role uses a model that needs loading.")
    return 1 if any(result.error is not None for result in warmed) else 0


@command.command("probe")
@click.argument("names", metavar="[MODEL]...", nargs=-1, type=MODEL)
@click.option(
    "--role",
    "role",
    type=click.Choice([own.value for own in Role]),
    help="Only models this role may use.",
)
@click.option("--fresh", is_flag=True, help="Ask again, even when the result is known.")
@_JSON
@runs
async def probe(
    invocation: Invocation, *, names: tuple[str, ...], role: str | None, fresh: bool
) -> int:
    """Check whether models really call tools: seven short questions each.

    Without MODEL it checks all models that roles with tools may use. Results are kept for each
    version of a model; --fresh asks again. The calls cost what they normally cost. Exit code 1 when
    a role that needs tools has no model proven to call them, or a MODEL you named is not proven.
    """
    from noctule.bootstrap import open_models, open_records  # noqa: PLC0415 - not for --help
    from noctule.cli.models import probing  # noqa: PLC0415 - likewise

    async with open_records(invocation.load()) as records:
        asked = probing.wanted(records.settings, names, role)
        async with open_models(records) as models:
            found = await models.prove(asked.models, fresh=fresh, denied=asked.named)
        short = probing.shortfalls(
            records.settings, asked, {proved.model: proved for proved in found}
        )
        if invocation.as_json:
            invocation.print_document([probing.document(proved, records) for proved in found])
        elif found:
            probing.print_probes(found, records)
        else:
            click.echo("No role offers tools to a model.")
        for sentence in short:
            tell(sentence)
    return 1 if short else 0
