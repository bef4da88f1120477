"""``noctule``: the commands by name; each is imported when it is asked for, none for ``--help``."""

import difflib
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from noctule.cli.endings import end_with, let_go_of_streams, replace_closed_streams
from noctule.cli.examples import examples
from noctule.cli.invocation import Invocation
from noctule.core.private_files import close_to_others

COMMANDS = {
    "chat": "Talk in the terminal; with TEXT one turn and exit.",
    "run": "Do a piece of work in the background and follow it.",
    "serve": "Work off every session and wake the sleeping ones, until it is stopped.",
    "worker": "Work like serve, without channels, beside others on one PostgreSQL.",
    "demo": "See Noctule work on the tiny model it brings along.",
    "init": "Write a configuration for what this machine has.",
    "trust": "Let the config.yaml of a folder be used whenever you stand there.",
    "doctor": "Check everything, and say how to mend what is wrong.",
    "models": "List the models; probe what they can, warm them up.",
    "sessions": "List sessions and look into one.",
    "attempts": "The routing log: every request to a model.",
    "why": "Explain one reply: route, candidates, skips, waits, cost.",
    "rate": "Say whether a reply was good or bad.",
    "costs": "What was spent, by role, route, model, tier, day, session.",
    "budgets": "What may be spent: spent, held, left, until when, who sleeps on it.",
    "limits": "What is refused until when, and why.",
    "completion": "Print what bash, zsh or fish needs to complete commands, ids and names.",
    "docs": "Read the guides and references that came along.",
}
"""Name and help of each command, in the order shown. The command is the object ``command`` of the
module of that name beside this one; adding one is a line here and that module."""


GROUPS = {
    "Talk and work": ("chat", "run", "serve", "worker", "sessions"),
    "See what happened": ("attempts", "why", "rate", "costs", "budgets", "limits"),
    "Set up": ("init", "trust", "doctor", "models", "demo", "completion", "docs"),
}
"""Every command once, as the help shows them."""


class Commands(click.Group):
    """The commands of the table, imported when they run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None when the table does not have it."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"noctule.cli.{cmd_name}").command
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
        for title, names in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name, COMMANDS[name]) for name in names])


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, COMMANDS, n=2, cutoff=0.65)
    meant = f" Did you mean {' or '.join(f'`noctule {each}`' for each in near)}?" if near else ""
    return f"There is no command {name!r}.{meant} `noctule --help` lists them."


def _choose_config(ctx: click.Context, _: click.Parameter, path: Path | None) -> None:
    if path is not None:
        ctx.ensure_object(Invocation).config = path


def _config_option() -> click.Option:
    return click.Option(
        ["--config"],
        type=click.Path(path_type=Path),
        metavar="PATH",
        expose_value=False,
        callback=_choose_config,
        help="The configuration; else NOCTULE_CONFIG, a trusted ./config.yaml, your own.",
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
    params=[_config_option()],
    context_settings={"max_content_width": 100, "help_option_names": ["-h", "--help"]},
    epilog=examples(
        "noctule init                   write a configuration for this machine",
        'noctule chat "What is a bat?"  ask something',
        'noctule run "Tidy my notes"    give it work; noctule serve wakes what sleeps',
    ),
)
@click.version_option(package_name="noctule", message="noctule %(version)s")
def program() -> None:
    """Noctule: agents that sleep through rate limits and wake at the reset.

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
    sys.exit(run(sys.argv[1:]))
