"""Conversation: a person types, Noctule answers, until they leave."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from noctule.channels.terminal.footer import footer
from noctule.channels.terminal.input.slash import HELP, Slash, read_slash
from noctule.channels.terminal.screens.screen import Screen
from noctule.channels.terminal.talk import Talk
from noctule.channels.terminal.turn_result import TurnResult
from noctule.core.base.money import show_usd
from noctule.core.base.roles import ANSWERING
from noctule.core.errors import PersonMustActError
from noctule.core.llm.attempts import Attempt
from noctule.core.times.durations import show_duration

if TYPE_CHECKING:
    from noctule.bootstrap import Records

_RECALLED_LINES = 8
_RECALLED_CHARS = 600

Ask = Callable[[str], Awaitable[str | None]]
"""Asks for a message behind a label; None means the person leaves."""


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """What a person wants for what they say next.

    Args:
        session_id: the session; None begins one.
        role: who answers; None leaves it to the route.
        model: which model answers; None leaves it to the role.
        private: True keeps it on local models.
        allow: rules of what may be done without asking, for each session that is begun.
        workspace: the folder sessions that are begun work in, absolute; None makes one for each.
    """

    session_id: str | None = None
    role: str | None = None
    model: str | None = None
    private: bool = False
    allow: tuple[str, ...] = ()
    workspace: str | None = None


class Conversation:
    """Talks until the person leaves.

    Args:
        records: what there is to read.
        talk: says a message.
        screen: where lines about the conversation go.
        ask: where messages come from.
        wishes: what was chosen at the start.
        command: how this is called again, for the line at the end.
        recalls: whether it begins with what was said last, for a person who comes back.
    """

    def __init__(
        self,
        records: "Records",
        talk: Talk,
        screen: Screen,
        ask: Ask,
        wishes: ChatOptions,
        *,
        command: str = "noctule chat",
        recalls: bool = True,
    ) -> None:
        self._records = records
        self._talk = talk
        self._screen = screen
        self._ask = ask
        self._wishes = wishes
        self._command = command
        self._recalls = recalls
        self._last: TurnResult | None = None

    async def run(self) -> None:
        """Talk until the person leaves, then say how to go on."""
        if self._recalls and self._wishes.session_id is not None:
            await self._recall(self._wishes.session_id)
        self._screen.note("Enter sends, Ctrl-D exits, /help shows what else you can type.")
        while (text := await self._ask(self._label())) is not None:
            slash = read_slash(text)
            if slash is not None and slash.name == "quit":
                break
            try:
                if slash is not None:
                    await self._obey(slash)
                elif text.strip():
                    await self._say(text)
            except PersonMustActError as error:
                self._screen.problem(str(error))
        if self._wishes.session_id is not None:
            self._screen.note(
                f"Session {self._wishes.session_id}. Resume with `{self._command} --session "
                f"{self._wishes.session_id}`."
            )

    async def _say(self, text: str) -> None:
        from noctule.sessions.service.service import Request  # noqa: PLC0415 - loaded with the runtime

        wishes = self._wishes
        begins = wishes.session_id is None
        said = await self._talk.say(
            Request(
                text=text,
                session_id=wishes.session_id,
                role=wishes.role,
                model=wishes.model,
                private=wishes.private,
                allow=wishes.allow if begins or self._last is None else (),
                workspace=wishes.workspace if begins else None,
            )
        )
        self._last = said
        self._wishes = replace(wishes, session_id=said.turn.session_id)
        show_ending(said, self._screen, self._records)

    async def _obey(self, slash: Slash) -> None:
        match slash.name:
            case "help":
                for name, text in HELP.items():
                    self._screen.note(f"/{name:8} {text}")
            case "role":
                self._choose_role(slash.argument)
            case "model":
                self._choose_model(slash.argument)
            case "private":
                self._wishes = replace(self._wishes, private=not self._wishes.private)
                where = (
                    "on local models only" if self._wishes.private else "on the models of the roles"
                )
                self._screen.note(f"From now on, replies come {where}.")
            case "new":
                self._wishes = replace(self._wishes, session_id=None)
                self._screen.note("Your next message starts a new session.")
            case "session":
                await self._go_to(slash.argument)
            case "why":
                for line in _why(self._last):
                    self._screen.note(line)
            case _:
                self._screen.problem(f"There is no /{slash.name}; /help lists the commands.")

    def _choose_role(self, role: str | None) -> None:
        names = [role.value for role in ANSWERING]
        if role is not None and role not in names:
            self._screen.problem(f"There is no role {role!r}. Use one of: {', '.join(names)}.")
            return
        self._wishes = replace(self._wishes, role=role)
        self._screen.note(f"{role or 'The router'} answers from now on.")

    def _choose_model(self, model: str | None) -> None:
        names = sorted(self._records.settings.models)
        if model is not None and model not in names:
            self._screen.problem(f"There is no model {model!r}. Use one of: {', '.join(names)}.")
            return
        self._wishes = replace(self._wishes, model=model)
        self._screen.note(f"{model or 'The model of each role'} answers from now on.")

    async def _go_to(self, session_id: str | None) -> None:
        if session_id is not None:
            async with self._records.database.read() as work:
                session = await work.sessions.get(session_id)
            self._wishes = replace(self._wishes, session_id=session.id)
            await self._recall(session.id)
        self._screen.note(f"Session {self._wishes.session_id or '(new with the next message)'}.")

    async def _recall(self, session_id: str) -> None:
        """Show what was said last, so that nobody goes on blindly."""
        async with self._records.database.read() as work:
            session = await work.sessions.get(session_id)
            turns = await work.turns.of_session(session.id)
        if not turns:
            return
        last = turns[-1]
        self._screen.note(f"{session.title or 'Untitled'} ({len(turns)} messages). Last:")
        self._screen.note(f"> {_shortened(last.text)}")
        if last.reply:
            self._screen.note(_shortened(last.reply))
        else:
            self._screen.note(f"({last.status.value}: {last.error or 'no reply yet'})")

    def _label(self) -> str:
        wishes = self._wishes
        chosen = [wishes.role, wishes.model, "private" if wishes.private else None]
        return " · ".join([part for part in chosen if part]) + "> "


def show_ending(said: TurnResult, screen: Screen, records: "Records") -> None:
    """Show what stands under a reply, or why there is none."""
    sentence = said.sentence(records.settings, records.zone)
    if sentence is not None:
        screen.problem(sentence)
    line = footer(said) if records.settings.footer else None
    if line is not None:
        screen.note(line)


def _shortened(text: str) -> str:
    """Return the beginning of a text, a few lines at most."""
    lines = text.strip().splitlines()
    shown = "\n".join(lines[:_RECALLED_LINES])
    cut = len(lines) > _RECALLED_LINES or len(shown) > _RECALLED_CHARS
    return shown[:_RECALLED_CHARS] + (" …" if cut else "")


def _why(said: TurnResult | None) -> Iterator[str]:
    if said is None:
        yield "No messages yet."
        return
    route = said.route
    if route is not None:
        roles = ", ".join(role.value for role in route.roles)
        yield f"{roles}: decided by {route.by.value}, {route.reason}; {route.complexity.value}"
    for attempt in said.attempts:
        yield _attempt_line(attempt)
        for skip in attempt.skipped:
            yield f"    skipped {skip.model}: {skip.reason}"


def _attempt_line(attempt: Attempt) -> str:
    parts = [
        f"{attempt.role} ({attempt.purpose.value}) asked {attempt.model}: {attempt.outcome.value}",
        show_duration(attempt.duration_s),
        show_usd(attempt.cost_usd),
    ]
    if attempt.message:
        parts.append(attempt.message)
    return "  " + " · ".join(parts)
