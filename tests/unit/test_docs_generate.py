import inspect

import click
import pytest

from docs import generate
from noctule.core import errors
from noctule.core.settings.fields import every_field


@click.group()
def tool():
    """Do things."""


@tool.command()
@click.option("--loud", is_flag=True, help="So that all hear it.")
def sing(loud):
    """Sing a song."""


@tool.group()
def birds():
    """Birds of all kinds."""


@birds.command(name="list")
def list_birds():
    """Name them."""


@tool.command(hidden=True)
def secret():
    """Not for everybody."""


def test_every_key_is_in_the_reference():
    """The reference of the configuration has each key, with its default."""
    text = "\n".join(generate.configuration())
    for field in every_field():
        last = field.path[-1]
        assert f".{last}`" in text or f"| `{last}`" in text
    assert "| `limits.queue_timeout` | a duration like 1h30m | `30s` |" in text
    assert text.count("max_tokens") == 1


def test_the_reference_begins_with_twelve_keys():
    """The first table has the twelve keys most people need, each of them in its section too."""
    first, _, rest = "\n".join(generate.configuration()).partition("\n## Top level\n")
    keys = [line.split("`")[1] for line in first.splitlines() if line.startswith("| `")]
    assert len(keys) == len(set(keys)) == 12
    assert {"models.NAME.name", "roles.ROLE.primary", "roles.ROLE.fallback"} <= set(keys)
    assert [key for key in keys if rest.count(f"| `{key}` |") != 1] == []


def test_every_error_is_in_the_reference():
    """The reference of errors has each class of core.errors with its exit code and meaning."""
    text = "\n".join(generate.error_tree())
    for name, error in inspect.getmembers(errors, inspect.isclass):
        if issubclass(error, errors.NoctuleError):
            assert f"`{name}` | {error.exit_code} | " in text
            assert error.__doc__


def test_every_command_is_in_the_reference():
    """The reference of the command line has the help of each command that is not hidden."""
    text = "\n".join(generate.commands(tool))
    for name in ("noctule", "noctule sing", "noctule birds", "noctule birds list"):
        assert f"## `{name}`\n" in text
    assert "So that all hear it." in text
    assert "secret" not in text


def test_an_announced_command_without_a_module_is_left_out():
    """A command without its module is left out; other errors of import are not hidden."""

    class Lazy(click.Group):
        def list_commands(self, ctx):
            return ["someday"]

        def get_command(self, ctx, cmd_name):
            raise ModuleNotFoundError(name=self.name)

        def format_commands(self, ctx, formatter):
            pass

    lines = list(generate.commands(Lazy(name="noctule.cli.commands.someday")))
    assert sum(line.startswith("## ") for line in lines) == 1
    with pytest.raises(ModuleNotFoundError):
        list(generate.commands(Lazy(name="elsewhere")))


def test_check_finds_drift_and_writing_cures_it(tmp_path, capsys):
    """--check ends with 1 and a sentence for each page that differs, and with 0 once written."""
    assert generate.main(["--check"], tmp_path) == 1
    said = capsys.readouterr().err
    assert "configuration.md is not what the code says" in said
    assert "make docs" in said
    assert list(tmp_path.iterdir()) == []
    assert generate.main([], tmp_path) == 0
    assert generate.main(["--check"], tmp_path) == 0
    (tmp_path / "errors.md").write_text("old")
    assert generate.main(["--check"], tmp_path) == 1
