"""``noctule help``: all commands, or the help of one."""

import click

from noctule.cli.main import EVERY


@click.command("help")
@click.argument("words", metavar="[all|COMMAND]...", nargs=-1)
@click.pass_context
def command(context: click.Context, *, words: tuple[str, ...]) -> None:
    """Show the help of COMMAND; with `all`, list all commands."""
    root = context.find_root()
    if words in {(), ("all",)}:
        root.meta[EVERY] = bool(words)
        click.echo(root.get_help())
        return
    shown = root
    for word in words:
        group = shown.command
        if not isinstance(group, click.Group):
            raise click.UsageError(f"`{shown.command_path}` has no commands of its own.", context)
        name, inner, _ = group.resolve_command(shown, [word])
        if inner is None:  # resolve_command raises instead
            raise click.UsageError(f"There is no command {word!r}.", context)
        shown = click.Context(inner, info_name=name, parent=shown)
    click.echo(shown.get_help())
