"""``noctule worker``: the worker alone, for the second and every further machine."""

import click

from noctule.cli.frame.invocation import Invocation, runs


@click.command("worker")
@click.option(
    "--until-eof",
    is_flag=True,
    help="Also stop when standard input ends, for a program that starts a worker and may die.",
)
@runs
async def command(invocation: Invocation, *, until_eof: bool) -> int:
    """Run a worker like `noctule serve`, without channels.

    Any number of machines can share one PostgreSQL database. Each session is processed by one
    worker at a time, and the sessions of a worker that died are taken over.
    """
    from noctule.cli.setup.serving import serve  # noqa: PLC0415 - not for --help

    return await serve(invocation, what="worker", channels=False, until_eof=until_eof)
