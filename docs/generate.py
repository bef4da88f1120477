"""Writes ``docs/reference/`` from the code: configuration, errors, command line, JSON Schemas.

``python -m docs.generate`` writes it; with ``--check`` it writes nothing and ends with 1 when a
page says something else than the code.
"""

import argparse
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import click

from docs.json_schemas import schema_pages
from noctule.core import errors
from noctule.core.settings import Settings
from noctule.core.settings.fields import ANY_NAME, SettingField, every_field

REFERENCE = Path(__file__).resolve().parent / "reference"
_COMMANDS = "noctule.cli.main"
_EVERY = "noctule.every_command"  # as noctule.cli.main calls it: the help of all commands
_HELP_COLUMNS = 96
_FIRST_KEYS = (
    "endpoints.NAME.kind",
    "endpoints.NAME.url",
    "endpoints.NAME.key",
    "models.NAME.endpoint",
    "models.NAME.name",
    "models.NAME.context",
    "roles.ROLE.primary",
    "roles.ROLE.fallback",
    "roles.ROLE.budget",
    "tools.permissions",
    "telegram.token",
    "timezone",
)
"""What most people need, in the order they need it."""


def main(arguments: Sequence[str] | None = None, folder: Path = REFERENCE) -> int:
    """Write or check all pages.

    Args:
        arguments: of the command line; None means the process's own.
        folder: where the pages are.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(prog="python -m docs.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, only compare")
    check = parser.parse_args(arguments).check
    drifted = [name for name, text in pages() if _differs(folder / name, text)]
    if check:
        for name in drifted:
            sys.stderr.write(
                f"{folder.name}/{name} is not what the code says: run `make docs` and commit it.\n"
            )
        return 1 if drifted else 0
    for name, text in pages():
        if name in drifted:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {folder.name}/{name}\n")
    return 0


def pages() -> Iterator[tuple[str, str]]:
    """Yield each page's file name and text; the command line's only where it can be imported."""
    made: dict[str, Callable[[], Iterator[str]]] = {
        "configuration.md": configuration,
        "errors.md": error_tree,
    }
    if _exists(_COMMANDS):
        made["cli.md"] = lambda: commands(importlib.import_module(_COMMANDS).program)
    for name, lines in made.items():
        yield name, "\n".join(lines()).rstrip() + "\n"
    yield from schema_pages()


def configuration() -> Iterator[str]:
    """Yield the reference of the configuration, a table for each section."""
    yield from _head("Configuration", "every key of `config.yaml`")
    yield "`NAME` is a name of your choice, `ROLE` one of the six roles. A key without a default is"
    yield "unset. `(required)` means required within its section."
    fields = list({_shown(field): field for field in every_field()}.items())
    by_key = dict(fields)
    yield from ("", "## The twelve keys most people need", "")
    yield "`noctule init` writes most of them. Everything after this table can wait."
    yield ""
    yield from _table([(key, by_key[key]) for key in _FIRST_KEYS])
    yield from ("", "## Top level", "")
    yield from _table([(key, field) for key, field in fields if "." not in key])
    for section, inner in groupby(fields, key=lambda item: item[1].path[0]):
        rows = [(key, field) for key, field in inner if "." in key]
        rows.sort(key=lambda row: row[0].startswith("roles.ROLE."))
        if rows:
            yield from ("", f"## `{section}`", "", _text(_section_doc(section)), "")
            yield from _table(rows)


def error_tree() -> Iterator[str]:
    """Yield the reference of the errors, as they inherit."""
    yield from _head("Errors", "what can go wrong, and who must act")
    yield "The message of each says what happened, to what, and what to do."
    yield from ("", "| error | exit code | meaning |", "|---|---|---|")
    for depth, error in _descendants(errors.NoctuleError):
        doc = " ".join((inspect.getdoc(error) or "").partition("\n\nArgs:")[0].split())
        yield f"| {'&nbsp;&nbsp;' * depth}`{error.__name__}` | {error.exit_code} | {_text(doc)} |"


def commands(group: click.Command) -> Iterator[str]:
    """Yield the help of a command and all below it."""
    yield from _head("Command line", "what every command says to `--help`")
    context = click.Context(group, info_name="noctule")
    context.meta[_EVERY] = True
    for name, help_text in _helps(group, context):
        yield from (f"## `{name}`", "", "```text", help_text, "```", "")


def _helps(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    context.terminal_width = context.max_content_width = _HELP_COLUMNS
    with context:
        lines = [line.rstrip() for line in command.get_help(context).splitlines()]
    yield context.command_path, "\n".join(lines)
    if not isinstance(command, click.Group):
        return
    for name in command.list_commands(context):
        inner = _command(command, context, name)
        if inner is not None and not inner.hidden:
            yield from _helps(inner, click.Context(inner, info_name=name, parent=context))


def _command(group: click.Group, context: click.Context, name: str) -> click.Command | None:
    """Return a command of a group; None when it is announced but its module is not there yet."""
    try:
        return group.get_command(context, name)
    except ModuleNotFoundError as error:
        if error.name == f"{_COMMANDS.rpartition('.')[0]}.commands.{name}":
            return None
        raise


def _head(title: str, what: str) -> Iterator[str]:
    yield from (f"# {title}: {what}", "")
    yield from ("<!-- Generated by `make docs`; edit the docstrings in the code instead. -->", "")


def _table(rows: Sequence[tuple[str, SettingField]]) -> Iterator[str]:
    yield from ("| key | value | default | meaning |", "|---|---|---|---|")
    for key, field in rows:
        default = "(required)" if field.required else f"`{field.default}`" if field.default else ""
        yield f"| `{key}` | {field.words} | {default} | {_text(field.doc)} |"


def _shown(field: SettingField) -> str:
    path = ["NAME" if part == ANY_NAME else part for part in field.path]
    if path[0] == "roles" and len(path) > 2:  # noqa: PLR2004 - roles.ROLE.key
        path[1] = "ROLE"
    return ".".join(path)


def _section_doc(name: str) -> str:
    return Settings.model_fields[name].description or ""


def _text(doc: str) -> str:
    return " ".join(doc.split()).replace("``", "`").replace("|", "\\|")


def _descendants(
    error: type[errors.NoctuleError], depth: int = 0
) -> Iterator[tuple[int, type[errors.NoctuleError]]]:
    """Yield the errors of ``core.errors``, each before those that inherit from it."""
    yield depth, error
    for inner in error.__subclasses__():
        if inner.__module__ == errors.__name__:
            yield from _descendants(inner, depth + 1)


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _differs(path: Path, text: str) -> bool:
    return not path.is_file() or path.read_text(encoding="utf-8") != text


if __name__ == "__main__":
    sys.exit(main())
