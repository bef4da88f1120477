"""The end of ``noctule init``: pair the phone, offer the service, and one line to try."""

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from noctule.cli.frame.invocation import Invocation
    from noctule.core.settings import Settings


async def finish(invocation: "Invocation", target: Path, settings: "Settings", text: str) -> None:
    """Go through what comes after the configuration, with somebody who can be asked.

    Args:
        invocation: of the command.
        target: the configuration.
        settings: what stands in it.
        text: it as it was written, with the names of variables.
    """
    from noctule.cli.setup.first_bot import invite  # noqa: PLC0415 - not for --help
    from noctule.config import Loaded  # noqa: PLC0415 - likewise
    from noctule.config.places import find_home  # noqa: PLC0415 - likewise

    if settings.telegram.token is None:
        click.echo(f"Now try: {noctule(target)} chat 'What can you do?'")
        return
    home = find_home(environ=os.environ, cwd=Path.cwd())
    shown = await invite(invocation.use(Loaded(settings=settings, home=home, path=target)))
    start = _offer_service(target, text) or f"{noctule(target)} serve"
    then = "open the link on your phone" if shown else "open your bot in Telegram"
    click.echo(f"Once Noctule runs, {then}, tap Start and say hello.")
    click.echo(f"Now try: {start}")


def _offer_service(target: Path, text: str) -> str | None:
    """Ask whether the service file should be written; return the command that starts it."""
    from noctule.cli.setup.first_bot import keep  # noqa: PLC0415 - not for --help
    from noctule.cli.setup.service_file import service_for, write  # noqa: PLC0415 - likewise
    from noctule.config.document import parse_document  # noqa: PLC0415 - likewise
    from noctule.config.environment import environment_file  # noqa: PLC0415 - likewise
    from noctule.config.variables import substitute  # noqa: PLC0415 - likewise

    service = service_for(target, environment_file(os.environ), os.environ)
    if service is None:
        return None
    what = "Replace" if service.path.exists() else "Write"
    used = substitute(parse_document(text.encode(), str(target)).data, os.environ).used
    question = (
        f"{what} {service.path}, so that Noctule runs in the background? "
        f"It finds {', '.join(used)} in {environment_file(os.environ)}, which only you can read."
    )
    if not click.confirm(question, default=False, err=True):
        return None
    if keep(used) is None:
        return None
    try:
        write(service)
    except OSError as error:
        reason = (error.strerror or "it was refused").lower()
        click.echo(f"{service.path} cannot be written ({reason}).", err=True)
        return None
    click.echo(f"Wrote {service.path}.")
    return service.start


def next_commands(target: Path) -> tuple[str, str]:
    """Return the command that checks the file and the one that begins."""
    return f"{noctule(target)} doctor", f"{noctule(target)} chat"


def noctule(target: Path) -> str:
    """Return how a command line begins that uses a configuration."""
    from noctule.config.places import named_config, user_config  # noqa: PLC0415 - not for --help

    named = named_config(None, environ=os.environ, cwd=Path.cwd())
    used = named or user_config(environ=os.environ)
    return "noctule" if used == target else f"noctule --config {shlex.quote(str(target))}"
