"""``noctule trust``: a project file is used from now on, as it is."""

from pathlib import Path

import click

from noctule.cli.invocation import Invocation, runs


@click.command("trust")
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option("--forget", is_flag=True, help="Ask again the next time.")
@runs
async def command(invocation: Invocation, *, path: Path | None, forget: bool) -> None:
    """Let PATH (else ./config.yaml) be used by commands that are started in its folder.

    A configuration can start programs and send your keys somewhere, so one that lies in a folder,
    as in a repository you cloned, is not used until you have said so. Once it changes you are
    asked again. What it starts is shown.
    """
    import os  # noqa: PLC0415 - not for --help

    from noctule.cli.trusting import show  # noqa: PLC0415 - likewise
    from noctule.config.places import find_home  # noqa: PLC0415 - likewise
    from noctule.config.project import Project, read_project  # noqa: PLC0415 - likewise
    from noctule.config.trust import TrustStore  # noqa: PLC0415 - likewise
    from noctule.core.errors import UsageError  # noqa: PLC0415 - likewise

    cwd = Path.cwd()
    invocation.home = find_home(environ=os.environ, cwd=cwd)
    store = TrustStore.of(invocation.home)
    target = cwd / (path or Path("config.yaml")).expanduser()
    if target.is_dir():
        target = target / "config.yaml"
    if forget:
        known = store.forget(target)
        click.echo(f"{target} is {'forgotten' if known else 'not known'}.")
        return
    content = read_project(target)
    if content is None:
        raise UsageError(
            f"{target} is no configuration of Noctule. Name one, or let `noctule init` write yours."
        )
    show(Project.compared(target, content, store.verdict(target, content)))
    store.remember(target, content, trusted=True)
    click.echo(f"{target} is used from now on by commands started in {target.parent}.")
