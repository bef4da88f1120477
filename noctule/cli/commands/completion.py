"""``noctule completion``: what a shell needs to complete commands, ids and names."""

import click
from click.shell_completion import get_completion_class

from noctule.cli.frame.examples import examples

VARIABLE = "_NOCTULE_COMPLETE"
"""Through which the shell's function asks; click derives it from the name of the program."""


@click.command(
    "completion",
    epilog=examples(
        "bash:  echo 'eval \"$(noctule completion bash)\"' >> ~/.bashrc",
        "zsh:   echo 'eval \"$(noctule completion zsh)\"' >> ~/.zshrc",
        "fish:  noctule completion fish > ~/.config/fish/completions/noctule.fish",
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, *, shell: str) -> None:
    """Print the completion script of a shell, which the shell reads at its start.

    Then Tab completes commands, options, roles, models, and sessions by the end of their id or a
    word of their title (on PostgreSQL: without sessions). bash must be 4.4 or newer.
    """
    kind = get_completion_class(shell)
    if kind is None:  # a click without this shell
        raise click.UsageError(f"This version of click has no completion for {shell}.")
    program = context.find_root().command
    # Straight from the template: click would ask the bash on PATH for its version.
    script = kind(program, {}, "noctule", VARIABLE)
    click.echo(script.source_template % script.source_vars())
