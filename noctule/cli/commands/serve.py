"""``noctule serve``: the worker and every configured channel, until it is told to stop."""

import click

from noctule.cli.frame.invocation import Invocation, runs


@click.command("serve")
@runs
async def command(invocation: Invocation) -> int:
    """Run the worker and all channels, until Ctrl-C or SIGTERM.

    It processes sessions and wakes parked ones. When stopped, it finishes the current steps; the
    rest resumes at the next start. A second signal stops it at once. Progress is written to stderr.
    """
    from noctule.cli.setup.serving import serve  # noqa: PLC0415 - not for --help

    return await serve(invocation, what="serve", channels=True)
