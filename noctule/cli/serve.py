"""``noctule serve``: the worker and every configured channel, until it is told to stop."""

import click

from noctule.cli.invocation import Invocation, runs


@click.command("serve")
@runs
async def command(invocation: Invocation) -> int:
    """Work off every session, wake the sleeping ones, until Ctrl-C or SIGTERM.

    Then the steps under way finish and the rest goes on at the next start; a second signal leaves
    at once. What parks, wakes and ends is told on stderr.
    """
    from noctule.cli.serving import serve  # noqa: PLC0415 - not for --help

    return await serve(invocation, what="serve", channels=True)
