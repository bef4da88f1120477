import click
import pytest

from docs import json_schemas
from noctule.cli.json_types.commands import DOCUMENTS
from noctule.cli.main import program
from tests.support.json_documents import check_document, document_of


def commands_with_json(command=program, words=()):
    """Yield the words of every command that has --json."""
    if any("--json" in option.opts for option in command.params):
        yield " ".join(words)
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from commands_with_json(command.get_command(context, name), (*words, name))


def test_no_document_is_without_a_schema():
    """Every command with --json has a schema, and every schema a command with --json."""
    named = {words.partition(" --")[0] for words in DOCUMENTS}
    assert set(commands_with_json()) == named
    assert len(named) > 25


def objects(schema):
    """Yield every part of a schema that describes an object's keys."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for inner in schema.values():
            yield from objects(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from objects(inner)


def test_schemas_are_open_and_say_what_they_describe():
    """Every object takes further keys, and says what it is; no title repeats a key."""
    for words, schema in json_schemas.schemas().items():
        parts = list(objects(schema))
        assert parts, words
        assert all(part["additionalProperties"] is True for part in parts), words
        assert all(part["description"] for part in parts), words
        assert [part for part in parts if part is not schema and "title" in part] == []


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ("sessions show last --json", "sessions-show"),
        ("sessions --json", "sessions"),
        ("--config models.yaml sessions grants revoke g1 --json", "sessions-grants-revoke"),
        ("run --detach --json hello", "run-detach"),
        ("run --json hello", "run"),
        ("limits clear far --json", "limits-clear"),
        ("limits", None),
        ("run --json --help", None),
    ],
)
def test_the_command_says_which_schema_holds(arguments, name):
    """The longest command that the words name decides, whatever options stand before it."""
    assert document_of(arguments.split()) == name


def test_a_document_that_lacks_a_key_is_found_and_a_new_key_is_not():
    """Keys may come and none may go; a failure has a schema of its own."""
    rated = '{"turn": "t1", "session": "s1", "verdict": "good"%s}'
    check_document(["rate", "--json"], rated % ', "new": 1')
    check_document(["rate", "--json"], '{"error": "There is no turn t1."}')
    check_document(["rate", "--json"], "")
    for wrong in ('{"turn": "t1", "verdict": "good"}', rated.replace('"t1"', "1") % "", "[]"):
        with pytest.raises(AssertionError, match=r"rate\.json"):
            check_document(["rate", "--json"], wrong)
