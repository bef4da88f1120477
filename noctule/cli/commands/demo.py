"""``noctule demo``: the main job on the tiny model Noctule brings along; nothing else is needed."""

import os
import shlex
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from noctule.cli.frame.invocation import Invocation, runs
from noctule.core.base.private_files import make_folder, write_private

if TYPE_CHECKING:
    from rich.console import Console

    from noctule.bootstrap import Runtime
    from noctule.channels.terminal.screens.screen import Screen
    from noctule.channels.terminal.talk import Talk
    from noctule.channels.terminal.turn_result import TurnResult
    from noctule.config import Loaded
    from noctule.setup.discover import Discovery

_TINY = (
    "This is SmolLM2-135M-Instruct, a real but tiny model (135M parameters) in llama.cpp on this "
    "machine: it shows how the parts work together, not what a good answer looks like. Connect "
    "your own models with `noctule init`."
)


_WHO_ANSWERS = (
    "When no rule matches, chat answers: this model is too small to choose a role. Choose one with "
    "/role engineer (or research, writer, utility); /help shows what else you can type."
)


@click.command("demo")
@runs
async def command(invocation: Invocation) -> int:
    """See Noctule run on the small bundled model.

    Needs no key, no Ollama and no network. It sends a greeting to chat, a request for code to the
    engineer, and work for two roles through a plan; then a session waits through a provider's
    refusal and through a budget that is exhausted. Every answer is the model's own, shown as it is
    written. Then it shows all requests and their costs, and in a terminal stays open for you to
    type. Its data goes into a folder of its own. With --config it uses that configuration instead.
    """
    from rich.console import Console  # noqa: PLC0415 - not for --help

    from noctule.bootstrap import open_records, open_runtime  # noqa: PLC0415 - likewise
    from noctule.channels.terminal.screens.screens import open_screen  # noqa: PLC0415 - likewise
    from noctule.channels.terminal.talk import Talk  # noqa: PLC0415 - likewise
    from noctule.config.places import packaged_demo  # noqa: PLC0415 - likewise

    console, screen, home = Console(highlight=False), open_screen(all_on_stdout=True), _folder()
    loaded = invocation.use(await _choose(console, invocation.config, home))
    console.print(f"Its data is in {home}.", style="dim", soft_wrap=True)
    async with open_records(loaded) as records, open_runtime(records) as runtime:
        talk = Talk(runtime, screen, what="demo", tell_route=True)
        stage = DemoStage(runtime, console, screen, talk)
        await stage.greeting()
        await stage.code()
        await stage.plan()
        if loaded.path == packaged_demo():  # it needs a model whose server is ours
            await stage.night()
        await stage.show_ledger()
        if _on_terminal():
            await _stay_open(stage, loaded)
    return stage.exit_code


class DemoStage:
    """Where the acts are played, all in one session.

    Args:
        runtime: everything it takes to work.
        console: where what is said about the acts goes.
        screen: where the acts themselves go.
        talk: says a message.

    Attributes:
        exit_code: the worst so far.
        session_id: the session; None before the first act.
    """

    def __init__(
        self, runtime: "Runtime", console: "Console", screen: "Screen", talk: "Talk"
    ) -> None:
        self.runtime = runtime
        self.console = console
        self.screen = screen
        self.talk = talk
        self.exit_code = 0
        self.session_id: str | None = None

    async def greeting(self) -> None:
        """Play a greeting."""
        await self._say("A greeting, which a rule sends to chat", "Good evening! How are you?")

    async def code(self) -> None:
        """Play a request for code."""
        await self._say(
            "Code, which a rule sends to the engineer",
            "Write a Python function that says whether a number is prime.",
        )

    async def plan(self) -> None:
        """Play work for two roles, the second of which waits for the first."""
        await self._say(
            "Work for two roles: a plan, in which the writer waits for the research",
            "Research why bats sleep by day and write a short paragraph about it.",
        )

    async def night(self) -> None:
        """Play a refusal and a used-up budget: each session parks, wakes by itself and finishes."""
        from noctule.cli.setup.demo_sleep import REFUSED, UNPAID, Night  # noqa: PLC0415 - likewise

        self._title("A provider that refuses: the session parks, wakes by itself and finishes")
        self.console.print(REFUSED, style="dim", soft_wrap=True)
        async with Night(self.runtime, self.console, self.screen) as night:
            self._end(await night.refused())
            self._title(
                "A budget that is exhausted: the session parks again, and not a cent more is spent"
            )
            self.console.print(UNPAID, style="dim", soft_wrap=True)
            self._end(await night.unpaid())

    def _end(self, said: "TurnResult") -> None:
        from noctule.channels.terminal.conversation import show_ending  # noqa: PLC0415 - likewise

        show_ending(said, self.screen, self.runtime.records)
        self.exit_code = max(self.exit_code, said.exit_code)

    async def show_ledger(self) -> None:
        """Show every request to a model."""
        from noctule.channels.terminal.ledger import attempts_table  # noqa: PLC0415 - not for --help

        async with self.runtime.records.database.read() as work:
            attempts = await work.attempts.list()
        self._title("Every request to a model, and what it cost")
        self.console.print(attempts_table(list(reversed(attempts))))

    async def _say(self, title: str, text: str) -> None:
        from noctule.sessions.service.service import Request  # noqa: PLC0415 - likewise

        self._title(title)
        self.console.print(f"> {text}", markup=False)
        said = await self.talk.say(Request(text=text, session_id=self.session_id))
        self._end(said)
        self.session_id = said.turn.session_id

    def _title(self, title: str) -> None:
        self.console.print()
        self.console.print(f"── {title}", style="bold", markup=False)


async def _choose(console: "Console", named: Path | None, home: Path) -> "Loaded":
    """Return the configuration to play on: a named one, a local Ollama's, or the packaged one.

    Raises:
        UsageError: nothing but the packaged model is there, and it is not installed.
    """
    from noctule.config import load  # noqa: PLC0415 - not for --help
    from noctule.config.places import packaged_demo  # noqa: PLC0415 - likewise
    from noctule.core.base.extras import embedded_gap  # noqa: PLC0415 - likewise
    from noctule.core.errors import UsageError  # noqa: PLC0415 - likewise

    environ = {**os.environ, "NOCTULE_HOME": str(home)}
    if named is not None:
        return load(named, environ=environ)
    found = await _ollama()
    if found is not None and _wants_ollama(console, found):
        return load(_written_for(found, home), environ=environ)
    lacking = embedded_gap(packaged=True)
    if lacking is not None:
        raise UsageError(str(lacking))
    console.print(_TINY, soft_wrap=True)
    return load(packaged_demo(), environ=environ)


async def _ollama() -> "Discovery | None":
    """Return what a local Ollama offers; None when none answers, or has no model that could."""
    from httpx import AsyncClient  # noqa: PLC0415 - not for --help

    from noctule.setup.discover import discover  # noqa: PLC0415 - likewise
    from noctule.setup.recommend import pick  # noqa: PLC0415 - likewise

    async with AsyncClient(trust_env=False) as http:
        found = await discover(os.environ, http)
    usable = pick(found.ollama or (), found.memory_bytes) is not None
    return replace(found, keys=(), azure=None) if usable else None


def _wants_ollama(console: "Console", found: "Discovery") -> bool:
    names = ", ".join(model.name for model in found.ollama or ())
    console.print(
        f"Ollama answers at {found.ollama_url}, with {names}.", markup=False, soft_wrap=True
    )
    if _on_terminal():
        return click.confirm("Play the demo on these models instead of the tiny one?")
    console.print(
        "Write a configuration for them with `noctule init`; the demo stays on its own model."
    )
    return False


def _written_for(found: "Discovery", home: Path) -> Path:
    from noctule.setup.config_writer import propose  # noqa: PLC0415 - not for --help

    path = home / "config.yaml"
    write_private(path, propose(found).encode())
    return path


async def _stay_open(stage: DemoStage, loaded: "Loaded") -> None:
    from noctule.channels.terminal.conversation import ChatOptions, Conversation  # noqa: PLC0415 - likewise
    from noctule.channels.terminal.input.prompt import InputPrompt, completer_for  # noqa: PLC0415 - likewise
    from noctule.config.places import packaged_demo  # noqa: PLC0415 - likewise

    stage.console.print("\nNow it is your turn.", style="bold")
    if loaded.path == packaged_demo():
        stage.console.print(_WHO_ANSWERS, style="dim", soft_wrap=True)
    where = f"NOCTULE_HOME={shlex.quote(str(loaded.home))}"
    await Conversation(
        stage.runtime.records,
        stage.talk,
        stage.screen,
        InputPrompt(loaded.home / "history", completer_for(loaded.settings, loaded.home)).ask,
        ChatOptions(session_id=stage.session_id),
        command=f"{where} noctule chat --config {shlex.quote(str(loaded.path))}",
        recalls=False,  # all of it stands above
    ).run()


def _folder() -> Path:
    """Make a data folder of the demo's own: in NOCTULE_HOME, else in the temporary folder."""
    home = os.environ.get("NOCTULE_HOME")
    if not home:
        return Path(tempfile.mkdtemp(prefix="noctule-demo-"))
    parent = Path(home).expanduser().resolve()
    make_folder(parent)
    return Path(tempfile.mkdtemp(prefix="demo-", dir=parent))


def _on_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()
