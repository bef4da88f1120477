"""``noctule init``: a configuration for what this machine has."""

import itertools
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from noctule.cli.frame.invocation import Invocation, runs
from noctule.core.base.private_files import make_folder, narrow, write_private

if TYPE_CHECKING:
    from noctule.setup.config_writer import SetupQuestion
    from noctule.setup.discover import Discovery


@click.command("init")
@click.option("--yes", is_flag=True, help="Take the default answer to every question.")
@click.option(
    "--path",
    type=click.Path(path_type=Path),
    help="Where to write it (default: your own configuration).",
)
@click.option("--force", is_flag=True, help="Replace an existing file without asking.")
@click.option(
    "--json", is_flag=True, expose_value=False, help="Print one JSON document and nothing else."
)
@runs
async def command(invocation: Invocation, *, yes: bool, path: Path | None, force: bool) -> None:
    """Look for Ollama, its models and keys of hosted services, and write a configuration for them.

    It asks what only you can decide; without a terminal it takes the defaults. Keys stay in the
    environment. The token of a Telegram bot that you type is kept in a file only you can read, and
    a link pairs your phone with the bot. The file is written to --path, else to --config or
    NOCTULE_CONFIG, else to your own configuration, which is used in every folder:
    ~/.config/noctule/config.yaml.
    """
    from noctule.cli.setup.first_start import finish, next_commands  # noqa: PLC0415 - not for --help
    from noctule.config import load_text  # noqa: PLC0415 - likewise
    from noctule.config.environment import take_environment  # noqa: PLC0415 - likewise
    from noctule.config.installed import gaps  # noqa: PLC0415 - likewise
    from noctule.core.settings.parts import Parts  # noqa: PLC0415 - likewise
    from noctule.setup.config_writer import propose, questions  # noqa: PLC0415 - likewise

    target = _target(invocation, path)
    may_ask = sys.stdin.isatty() and not yes and not invocation.as_json
    _check_free(target, force=force, may_ask=may_ask)
    if (complaint := take_environment(os.environ)) is not None:
        click.echo(complaint, err=True)
    found = await _look()
    _tell(found)
    answers = _ask(questions(found)) if may_ask else {}
    _require_something(found, answers)
    if may_ask and not found.telegram:
        found = await _with_bot(found)
    text = propose(found, answers)
    settings = load_text(text, environ=os.environ, folder=target.parent, file=str(target))
    kept = _write(target, text)
    following = next_commands(target)
    missing = [str(gap) for _, gap in gaps(Parts.of(settings))]
    if invocation.as_json:
        invocation.print_document(
            {
                "path": str(target),
                "endpoints": list(settings.endpoints),
                "models": list(settings.models),
                "next": following,
                "missing": missing,
                "kept": None if kept is None else str(kept),
            }
        )
        return
    click.echo(f"Wrote {target} (models: {', '.join(settings.models)}).")
    if kept is not None:
        click.echo(f"The previous file is now {kept}.")
    for sentence in missing:
        click.echo(sentence)
    if may_ask:
        await finish(invocation, target, settings, text)
    else:
        click.echo(f"Next: `{following[0]}` to check it, `{following[1]}` to start.")


def _target(invocation: Invocation, path: Path | None) -> Path:
    from noctule.config.places import named_config, user_config  # noqa: PLC0415 - not for --help

    named = named_config(path or invocation.config, environ=os.environ, cwd=Path.cwd())
    return named or user_config(environ=os.environ)


def _check_free(target: Path, *, force: bool, may_ask: bool) -> None:
    """Let nothing be overwritten that its owner wants to keep.

    Raises:
        UsageError: it is there, and nobody said to replace it.
    """
    from noctule.core.errors import UsageError  # noqa: PLC0415 - not for --help

    if target.is_dir():
        raise UsageError(f"{target} is a folder. Name a file with --path.")
    if force or not target.exists():
        return
    keep = f"{target} already exists and was left as it is. "
    if not may_ask:
        raise UsageError(f"{keep}Replace it with --force, or write another file with --path.")
    if not click.confirm(f"{target} already exists. Replace it?", default=False, err=True):
        raise UsageError(f"{keep}Write another file with --path.")


async def _look() -> "Discovery":
    import httpx  # noqa: PLC0415 - heavy

    from noctule.setup.discover import discover  # noqa: PLC0415 - not for --help

    async with httpx.AsyncClient(trust_env=False) as http:
        return await discover(os.environ, http)


def _tell(found: "Discovery") -> None:
    """Say on stderr what was found; never a key, only its variable's name."""
    if found.ollama is None:
        click.echo(found.ollama_trouble, err=True)
    else:
        names = ", ".join(model.name for model in found.ollama) or "no model yet"
        click.echo(f"Ollama at {found.ollama_url}: {names}", err=True)
    for service in found.services:
        click.echo(f"{service.variable} is set", err=True)
    for note in found.notes:
        click.echo(note, err=True)


async def _with_bot(found: "Discovery") -> "Discovery":
    """Ask for the token of a bot, and keep it before the configuration names it."""
    from noctule.cli.setup import first_bot  # noqa: PLC0415 - not for --help

    token = await first_bot.ask_token(found.telegram_url)
    if token is None:
        return found
    os.environ[first_bot.VARIABLE] = token
    first_bot.keep({first_bot.VARIABLE: token})
    return replace(found, telegram=True)


def _require_something(found: "Discovery", answers: Mapping[str, str]) -> None:
    """See that what will be written can work.

    Raises:
        UsageError: nothing was found, and the packaged model is not installed.
    """
    from noctule.core.base import extras  # noqa: PLC0415 - not for --help
    from noctule.core.errors import UsageError  # noqa: PLC0415 - likewise
    from noctule.setup.config_writer import needs_packaged_model  # noqa: PLC0415 - likewise

    if not needs_packaged_model(found, answers):
        return
    gap = extras.embedded_gap(packaged=True)
    if gap is None:
        click.echo("Nothing better was found, so this uses the tiny packaged model.", err=True)
        return
    pull = "pull a model with `ollama pull qwen3.5`"
    if found.ollama is None:
        pull = "install Ollama (https://ollama.com) and run `ollama pull qwen3.5`"
    raise UsageError(
        f"No model was found, so nothing was written. Either {pull}, or export a key "
        f"(ANTHROPIC_API_KEY, OPENAI_API_KEY, ...), then run `noctule init` again. {gap}"
    )


def _ask(questions: "Sequence[SetupQuestion]") -> dict[str, str]:
    answers: dict[str, str] = {}
    for question in questions:
        kind = click.Choice(question.choices) if question.choices else str
        answer = click.prompt(question.text, default=question.default, type=kind, err=True)
        answers[question.key] = str(answer)
    return answers


def _write(target: Path, text: str) -> Path | None:
    """Write beside the file, then move: a full disk leaves the old one.

    Returns:
        Where the replaced file is kept; None when there was none.

    Raises:
        UsageError: the folder cannot be written.
    """
    from noctule.core.errors import UsageError  # noqa: PLC0415 - not for --help

    draft = target.with_name(f".{target.name}.{os.getpid()}")
    kept = None
    try:
        make_folder(target.parent)
        write_private(draft, text.encode())
        if target.exists():
            kept = _free_name(target)
            shutil.copy2(target, kept)
            narrow(kept)
        draft.replace(target)
    except OSError as error:
        draft.unlink(missing_ok=True)
        reason = (error.strerror or "it was refused").lower()
        raise UsageError(
            f"{target} cannot be written ({reason}). Name another place with --path."
        ) from error
    return kept


def _free_name(target: Path) -> Path:
    """Return where the file that is replaced is kept; earlier copies stay."""
    names = (target.with_name(f"{target.name}.{number}.bak") for number in itertools.count(1))
    return next(path for path in names if not path.exists())
