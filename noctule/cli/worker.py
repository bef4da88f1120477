"""``noctule worker``: the worker alone, for the second and every further machine."""

import click

from noctule.cli.invocation import Invocation, runs


@click.command("worker")
@click.option(
    "--until-eof",
    is_flag=True,
    help="Stop when standard input ends, too: for a program that starts a worker and may die.",
)
@runs
async def command(invocation: Invocation, *, until_eof: bool) -> int:
    """Work off every session like `noctule serve`, without channels.

    On PostgreSQL any number of machines may work on one database; a session is worked on by one
    of them at a time, and what a dead one left is taken over.
    """
    from noctule.cli.serving import serve  # noqa: PLC0415 - not for --help

    return await serve(invocation, what="worker", channels=False, until_eof=until_eof)
