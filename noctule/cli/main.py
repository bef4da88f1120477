"""``noctule``: the commands by name; each is imported when it is asked for, none for ``--help``."""

import difflib
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO, cast

import click

from noctule.cli.frame.endings import end_with, let_go_of_streams, replace_closed_streams
from noctule.cli.frame.examples import examples
from noctule.cli.frame.invocation import Invocation
from noctule.core.base.private_files import close_to_others

COMMANDS = {
    "chat": "Chat in the terminal, or send TEXT, print the reply and exit.",
    "run": "Start a background task and follow its progress.",
    "serve": "Run the worker and all channels: process sessions, wake parked ones, until stopped.",
    "worker": "Run a worker without channels (several can share one PostgreSQL database).",
    "demo": "See Noctule run on the small bundled model.",
    "init": "Generate a configuration for this machine.",
    "trust": "Trust the config.yaml of a folder.",
    "doctor": "Check your setup and explain how to fix any problems.",
    "models": "List models, probe what they can do, and warm them up.",
    "sessions": "List sessions and inspect one.",
    "attempts": "Show the attempts log: every request to a model.",
    "why": "Explain one reply: route, candidates, skipped models, waits, cost.",
    "rate": "Rate a reply as good or bad.",
    "costs": "Show what was spent, by role, route, model, tier, day and session.",
    "budgets": "Show budgets: spent, reserved, remaining, reset time, and parked sessions.",
    "limits": "Show active rate limits: until when, and why.",
    "completion": "Print the completion script for bash, zsh or fish.",
    "docs": "Read the guides and reference pages.",
    "help": "Show all commands, or the help of one.",
}
"""Name and help of each command, in the order shown. The command is the object ``command`` of the
module of that name in ``commands/``; adding one is a line here and that module."""


GROUPS = {
    "Talk and work": ("chat", "run", "serve", "worker", "sessions"),
    "See what happened": ("attempts", "why", "rate", "costs", "budgets", "limits"),
    "Set up": ("init", "trust", "doctor", "models", "demo", "completion", "docs", "help"),
}
"""Every command once, as the help of all commands shows them."""

FIRST = frozenset(("chat", "run", "serve", "sessions", "why", "costs", "init", "doctor", "models"))
"""What ``noctule --help`` shows: at most nine, enough for the first days."""

EVERY = "noctule.every_command"
"""Set in a context's ``meta``, its help shows every command."""


class Commands(click.Group):
    """The commands of the table, imported when they run."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note ``--all`` wherever it is, as ``--help`` ends the command line where it is met."""
        ctx.meta[EVERY] = "--all" in args
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the table's order, for completion as well."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None when the table does not have it."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"noctule.cli.commands.{cmd_name}").command
        _take_config(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is called; one that does not exist is told what comes close."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            raise click.UsageError(_unknown(args[0]), ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, so that help imports none of them."""
        every = ctx.meta.get(EVERY, False)
        for title, names in GROUPS.items():
            with formatter.section(title):
                shown = [name for name in names if every or name in FIRST]
                formatter.write_dl([(name, COMMANDS[name]) for name in shown])
        if not every:
            more = len(COMMANDS) - len(FIRST)
            formatter.write_paragraph()
            formatter.write_text(f"{more} more commands: `noctule help all`.")


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, COMMANDS, n=2, cutoff=0.65)
    meant = f" Did you mean {' or '.join(f'`noctule {each}`' for each in near)}?" if near else ""
    return f"There is no command {name!r}.{meant} `noctule help all` lists them."


def _choose_config(ctx: click.Context, _: click.Parameter, path: Path | None) -> None:
    if path is not None:
        ctx.ensure_object(Invocation).config = path


def _show_all(ctx: click.Context, _: click.Parameter, wanted: object) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(ctx.get_help(), color=ctx.color)
        ctx.exit()


def _all_option() -> click.Option:
    return click.Option(
        ["--all"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_show_all,
        help="Show all commands and exit.",
    )


def _config_option() -> click.Option:
    return click.Option(
        ["--config"],
        type=click.Path(path_type=Path),
        metavar="PATH",
        expose_value=False,
        callback=_choose_config,
        help="Configuration file (default: $NOCTULE_CONFIG, trusted ./config.yaml, then your own).",
    )


def _take_config(command: click.Command) -> None:
    """Let ``--config`` stand behind the command's name as well as before it."""
    if any("--config" in param.opts for param in command.params):
        return
    command.params.append(_config_option())
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            _take_config(inner)


@click.command(
    cls=Commands,
    params=[_config_option(), _all_option()],
    context_settings={"max_content_width": 100, "help_option_names": ["-h", "--help"]},
    epilog=examples(
        "noctule init                   set up: look for models and keys on this machine",
        'noctule chat "What is a bat?"  ask a question',
        'noctule run "Tidy my notes"    start a task; `noctule serve` wakes it when it is parked',
    ),
)
@click.version_option(package_name="noctule", message="noctule %(version)s")
def program() -> None:
    """Noctule: AI agents that wait through rate limits and resume at the reset.

    Exit codes: 0 done, 75 parked or waiting, 2 usage or configuration, 1 failed.
    """


def run(words: Sequence[str]) -> int:
    """Run one command line and return its exit code; nothing is ever raised.

    Args:
        words: what stands behind ``noctule``.
    """
    invocation = Invocation(as_json="--json" in words)
    try:
        code = program.main(list(words), prog_name="noctule", standalone_mode=False, obj=invocation)
        sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001 - whatever it is becomes a sentence and a code
        code = end_with(error, invocation)
    finally:
        let_go_of_streams()
    return code if isinstance(code, int) else 0


def main() -> None:
    """Run the command line of this process."""
    close_to_others()
    replace_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # what a locale cannot write must not end a command
            stream.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = _bordered(sys.stdout), _bordered(sys.stderr)
    sys.exit(run(sys.argv[1:]))


def _bordered(stream: TextIO) -> TextIO:
    """Return a standard stream as all of this process is to write to it."""
    from noctule.channels.terminal.screens.border import Border  # noqa: PLC0415 - not for completion

    return cast(TextIO, Border(stream))
