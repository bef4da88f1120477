"""``noctule chat``: talk in the terminal, or say one thing and get the answer."""

import sys
from typing import TYPE_CHECKING

import click

from noctule.cli.invocation import Invocation, runs
from noctule.cli.tool_options import allow_option, folder_of, rules_of, workspace_option
from noctule.core.errors import UsageError
from noctule.core.roles import ANSWERING

if TYPE_CHECKING:
    from noctule.bootstrap import Runtime
    from noctule.channels.terminal.conversation import Wishes


@click.command("chat")
@click.argument("text", required=False)
@click.option(
    "--role",
    type=click.Choice([role.value for role in ANSWERING], case_sensitive=False),
    help="Who answers; else the route decides.",
)
@click.option("--model", help="Which model answers, by its configured name.")
@click.option("--session", metavar="ID", help="Go on with this session.")
@click.option("--private", is_flag=True, help="Keep it on local models.")
@allow_option
@workspace_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@runs
async def command(  # noqa: PLR0913 - the contract's options
    invocation: Invocation,
    *,
    text: str | None,
    role: str | None,
    model: str | None,
    session: str | None,
    private: bool,
    allow: tuple[str, ...],
    workspace: str | None,
    as_json: bool,
) -> int:
    """Talk in the terminal, streaming.

    With TEXT it is one turn and the command ends with it: 0 done, 75 parked or waiting, 1 failed.
    TEXT may be - to read the message from standard input; without TEXT, input that is no terminal
    is the message. Ctrl-C stops a reply, a second one leaves at once. What an agent has to ask is
    asked on the terminal; elsewhere the turn waits, and `noctule sessions answer` answers.
    """
    from noctule.bootstrap import open_records, open_runtime  # noqa: PLC0415 - not for --help
    from noctule.channels.terminal.conversation import Wishes  # noqa: PLC0415 - likewise
    from noctule.cli.message import read_message  # noqa: PLC0415 - likewise

    loaded = invocation.load()
    message = read_message(text, most_bytes=loaded.settings.limits.max_message_bytes)
    if message is None and (as_json or not sys.stdout.isatty()):
        raise UsageError(
            "There is no message, and nobody to ask for one: `noctule chat TEXT` says one thing, "
            "`noctule chat` alone needs a terminal."
        )
    wishes = Wishes(
        session_id=session,
        role=role,
        model=model,
        private=private,
        allow=rules_of(allow),
        workspace=folder_of(workspace),
    )
    async with open_records(loaded) as records, open_runtime(records) as runtime:
        if message is None:
            return await _converse(runtime, wishes)
        return await _say_once(invocation, runtime, message, wishes)


async def _converse(runtime: "Runtime", wishes: "Wishes") -> int:
    from noctule.channels.terminal.asking import open_asking  # noqa: PLC0415 - not for --help
    from noctule.channels.terminal.conversation import Conversation  # noqa: PLC0415 - likewise
    from noctule.channels.terminal.opening import open_screen  # noqa: PLC0415 - likewise
    from noctule.channels.terminal.prompt import Prompt  # noqa: PLC0415 - likewise
    from noctule.channels.terminal.talk import Talk  # noqa: PLC0415 - likewise
    from noctule.sessions.workspaces import check_has_workspace  # noqa: PLC0415 - likewise

    records, screen = runtime.records, open_screen()
    if wishes.session_id is not None:
        async with records.database.read() as work:  # what is wrong is said before typing begins
            check_has_workspace(await work.sessions.get(wishes.session_id), wishes.workspace)
    asking = open_asking(records.desk, screen)
    talk = Talk(runtime, screen, what="chat", asking=asking)
    prompt = Prompt(records.home / "history")
    await Conversation(records, talk, screen, prompt.ask, wishes).run()
    return 0


async def _say_once(
    invocation: Invocation, runtime: "Runtime", message: str, wishes: "Wishes"
) -> int:
    from noctule.channels.terminal.asking import open_asking  # noqa: PLC0415 - not for --help
    from noctule.channels.terminal.footer import footer  # noqa: PLC0415 - likewise
    from noctule.channels.terminal.opening import open_screen  # noqa: PLC0415 - likewise
    from noctule.channels.terminal.talk import Talk  # noqa: PLC0415 - likewise
    from noctule.cli.documents import turn_document  # noqa: PLC0415 - likewise
    from noctule.sessions.desk import Request  # noqa: PLC0415 - likewise

    records = runtime.records
    screen = None if invocation.as_json else open_screen()
    asking = open_asking(records.desk, screen)
    said = await Talk(runtime, screen, what="chat", asking=asking).say(
        Request(
            text=message,
            session_id=wishes.session_id,
            role=wishes.role,
            model=wishes.model,
            private=wishes.private,
            allow=wishes.allow,
            workspace=wishes.workspace,
        )
    )
    sentence = said.sentence(records.settings, records.zone)
    if sentence is not None:
        click.echo(sentence, err=True)
    if screen is None:
        invocation.print_document(turn_document(said, sentence))
    elif records.settings.footer and (line := footer(said)) is not None:
        screen.note(line)
        screen.note(f"`noctule chat --session {said.turn.session_id}` goes on.")
    return said.exit_code
