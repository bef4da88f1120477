"""Completion at the prompt: commands, roles, models and sessions, shown by Tab."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from noctule.channels.terminal.input.slash import HELP
from noctule.channels.terminal.input.suggestions import (
    Suggestion,
    name_suggestions,
    session_suggestions,
)
from noctule.core.base.roles import ANSWERING


class SlashCompleter(Completer):
    """Completes what begins with a slash; messages are left alone.

    Args:
        models: the configured names.
        sessions: returns id and title of the newest sessions.
    """

    def __init__(
        self, models: Iterable[str], sessions: Callable[[], Sequence[tuple[str, str]]]
    ) -> None:
        self._models = tuple(models)
        self._sessions = sessions

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        """Yield what the text before the cursor may become."""
        text = document.text_before_cursor
        if not text.startswith("/") or "\n" in text:
            return
        typed = text.rpartition(" ")[2]
        for found in self._found(text, typed):
            yield Completion(
                found.value,
                start_position=-len(typed),
                display=f"{found.value}  {found.says}".rstrip(),
            )

    def _found(self, text: str, typed: str) -> Iterator[Suggestion]:
        command, space, _ = text.partition(" ")
        if not space:
            yield from name_suggestions((f"/{name}" for name in HELP), typed)
            yield from name_suggestions((f"/{role.value}" for role in ANSWERING), typed)
            return
        if text.count(" ") > 1:
            return
        match command:
            case "/role":
                yield from name_suggestions((role.value for role in ANSWERING), typed)
            case "/model":
                yield from name_suggestions(self._models, typed)
            case "/session":
                yield from session_suggestions(self._sessions(), typed, last=False)
