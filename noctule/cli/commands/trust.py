"""``noctule trust``: a project file is used from now on, as it is."""

from pathlib import Path

import click

from noctule.cli.frame.invocation import Invocation, runs


@click.command("trust")
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option("--forget", is_flag=True, help="Forget the answer, so that you are asked again.")
@runs
async def command(invocation: Invocation, *, path: Path | None, forget: bool) -> None:
    """Trust PATH (default: ./config.yaml), so that commands started in its folder use it.

    A configuration can start programs and send your keys somewhere, so one that is in a folder,
    like a repository you cloned, is not used until you trust it. When it changes, you are asked
    again. The command shows what the file starts.
    """
    import os  # noqa: PLC0415 - not for --help

    from noctule.cli.frame.trusting import show  # noqa: PLC0415 - likewise
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
            f"{target} is not a Noctule configuration. Name one, or run `noctule init` to write "
            "yours."
        )
    show(Project.compared(target, content, store.verdict(target, content)))
    store.remember(target, content, trusted=True)
    click.echo(f"Trusted {target}: commands started in {target.parent} now use it.")
