"""``noctule chat``: talk in the terminal, or say one thing and get the answer."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from noctule.cli.frame.completed import MODEL, SESSION
from noctule.cli.frame.examples import examples
from noctule.cli.frame.invocation import Invocation, runs
from noctule.cli.frame.tell import tell
from noctule.cli.input.handed_files import file_option, image_option, with_files
from noctule.cli.input.last_session import continue_option, last_session
from noctule.cli.input.tool_options import allow_option, folder_of, rules_of, workspace_option
from noctule.core.base.roles import ANSWERING
from noctule.core.base.short_ids import short_id
from noctule.core.errors import UsageError

if TYPE_CHECKING:
    from noctule.bootstrap import Runtime
    from noctule.channels.terminal.conversation import ChatOptions
    from noctule.sessions.service.service import Request


@click.command(
    "chat",
    epilog=examples(
        'noctule chat "What is a bat?"',
        'git diff | noctule chat "Review this"',
        'noctule chat --file report.csv --image plot.png "Do these agree?"',
        "noctule chat -c",
    ),
)
@click.argument("text", required=False)
@click.option(
    "--role",
    type=click.Choice([role.value for role in ANSWERING], case_sensitive=False),
    help="Role that answers (default: chosen by the router).",
)
@click.option(
    "--model", type=MODEL, metavar="NAME", help="Model that answers, by its configured name."
)
@click.option(
    "--session", type=SESSION, metavar="ID", help="Continue this session; `last` is the newest."
)
@continue_option
@click.option("--private", is_flag=True, help="Use local models only.")
@file_option
@image_option
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
    continues: bool,
    private: bool,
    files: tuple[Path, ...],
    images: tuple[Path, ...],
    allow: tuple[str, ...],
    workspace: str | None,
    as_json: bool,
) -> int:
    """Chat in the terminal, with replies shown as they are written.

    With TEXT, runs one turn and exits: 0 done, 75 parked or waiting, 1 failed. At a terminal it
    waits for a parked turn that wakes within 30 s.
    Text piped to standard input is added after TEXT; to send it alone, leave TEXT out or use -.
    Ctrl-C stops a reply, a second Ctrl-C exits at once. Agents ask their questions in the
    terminal; without one the turn waits until you use `noctule sessions answer`.
    """
    from noctule.bootstrap import open_records, open_runtime  # noqa: PLC0415 - not for --help
    from noctule.channels.terminal.conversation import ChatOptions  # noqa: PLC0415 - likewise
    from noctule.cli.input.message import read_message  # noqa: PLC0415 - likewise

    loaded = invocation.load()
    message = read_message(text, most_bytes=loaded.settings.limits.max_message_bytes)
    if message is None and (as_json or not sys.stdout.isatty()):
        raise UsageError(
            "No message given and no terminal to read one from. Pass TEXT, or run `noctule chat` "
            "in a terminal."
        )
    if message is None and (files or images):
        raise UsageError("--file and --image need a message: noctule chat --file FILE TEXT.")
    wishes = ChatOptions(
        session_id=session,
        role=role,
        model=model,
        private=private,
        allow=rules_of(allow),
        workspace=folder_of(workspace),
    )
    async with open_records(loaded) as records, open_runtime(records) as runtime:
        if continues:
            wishes = replace(wishes, session_id=await last_session(records, session, "chat"))
        if message is None:
            return await _converse(runtime, wishes)
        request = await with_files(records, _request(message, wishes), files, images)
        return await _say_once(invocation, runtime, request)


async def _converse(runtime: "Runtime", wishes: "ChatOptions") -> int:
    from noctule.channels.terminal.asking import open_asking  # noqa: PLC0415 - not for --help
    from noctule.channels.terminal.conversation import Conversation  # noqa: PLC0415 - likewise
    from noctule.channels.terminal.input.prompt import InputPrompt, completer_for  # noqa: PLC0415 - likewise
    from noctule.channels.terminal.screens.screens import open_screen  # noqa: PLC0415 - likewise
    from noctule.channels.terminal.talk import Talk  # noqa: PLC0415 - likewise
    from noctule.sessions.service.workspaces import check_has_workspace  # noqa: PLC0415 - likewise

    records, screen = runtime.records, open_screen()
    if wishes.session_id is not None:
        async with records.database.read() as work:  # what is wrong is said before typing begins
            check_has_workspace(await work.sessions.get(wishes.session_id), wishes.workspace)
    asking = open_asking(records.service, screen)
    talk = Talk(runtime, screen, what="chat", asking=asking)
    prompt = InputPrompt(records.home / "history", completer_for(records.settings, records.home))
    await Conversation(records, talk, screen, prompt.ask, wishes).run()
    return 0


def _request(message: str, wishes: "ChatOptions") -> "Request":
    from noctule.sessions.service.service import Request  # noqa: PLC0415 - not for --help

    return Request(
        text=message,
        session_id=wishes.session_id,
        role=wishes.role,
        model=wishes.model,
        private=wishes.private,
        allow=wishes.allow,
        workspace=wishes.workspace,
    )


async def _say_once(invocation: Invocation, runtime: "Runtime", request: "Request") -> int:
    from noctule.channels.terminal.asking import open_asking  # noqa: PLC0415 - not for --help
    from noctule.channels.terminal.footer import footer  # noqa: PLC0415 - likewise
    from noctule.channels.terminal.screens.screens import open_screen  # noqa: PLC0415 - likewise
    from noctule.channels.terminal.talk import Talk  # noqa: PLC0415 - likewise
    from noctule.cli.frame.documents import turn_document  # noqa: PLC0415 - likewise

    records = runtime.records
    screen = None if invocation.as_json else open_screen()
    asking = open_asking(records.service, screen)
    patient = sys.stdin.isatty() and sys.stdout.isatty()
    talk = Talk(runtime, screen, what="chat", asking=asking, patient=patient)
    said = await talk.say(request)
    sentence = said.sentence(records.settings, records.zone)
    if sentence is not None:
        tell(sentence)
    if screen is None:
        invocation.print_document(turn_document(said, sentence))
    elif records.settings.footer and (line := footer(said)) is not None:
        screen.note(line)
        screen.note(f"Continue with `noctule chat --session {short_id(said.turn.session_id)}`.")
    return said.exit_code
