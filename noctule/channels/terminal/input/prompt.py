"""Where a person types: with history, and pastes of many lines taken whole."""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prompt_toolkit.completion import Completer
    from prompt_toolkit.history import FileHistory
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

    from noctule.core.settings import Settings


class InputPrompt:
    """Asks for messages on the terminal.

    Enter sends; Alt+Enter begins a new line; Tab completes; Ctrl-C clears what is typed; Ctrl-D
    leaves.

    Args:
        history: the file that remembers what was typed, readable by its owner alone; None
            remembers nothing.
        completer: knows how words may go on; None completes nothing.
    """

    def __init__(self, history: Path | None, completer: "Completer | None" = None) -> None:
        from prompt_toolkit import PromptSession  # noqa: PLC0415 - only for people who type
        from prompt_toolkit.shortcuts import CompleteStyle  # noqa: PLC0415 - likewise

        self._session: PromptSession[str] = PromptSession(
            history=None if history is None else _history(history),
            multiline=True,
            key_bindings=_bindings(),
            prompt_continuation="  ",
            reserve_space_for_menu=0,  # choices are listed above, as a shell does
            completer=completer,
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,
        )

    async def ask(self, label: str) -> str | None:
        """Return what a person typed; None when they leave.

        Args:
            label: stands before it.
        """
        try:
            return await self._session.prompt_async(label)
        except (EOFError, KeyboardInterrupt):
            return None


def forget_typed_ahead() -> None:
    """Drop what was typed and not read yet: nobody answered what they had not been shown."""
    import termios  # noqa: PLC0415 - only for people who type

    if "prompt_toolkit" in sys.modules:  # it keeps keys that came with an earlier answer
        from prompt_toolkit.application import get_app_session  # noqa: PLC0415 - likewise
        from prompt_toolkit.input.typeahead import clear_typeahead  # noqa: PLC0415 - likewise

        clear_typeahead(get_app_session().input)
    with suppress(termios.error, OSError, ValueError):  # no terminal, or it is gone
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


def completer_for(settings: "Settings", home: Path) -> "Completer":
    """Return what completes commands, roles, models and sessions.

    Args:
        settings: name the models.
        home: the data folder, with the sessions.
    """
    from noctule.bootstrap import newest_sessions  # noqa: PLC0415 - only for people who type
    from noctule.channels.terminal.input.completion import SlashCompleter  # noqa: PLC0415 - likewise
    from noctule.channels.terminal.input.suggestions import LOOKED_THROUGH  # noqa: PLC0415 - likewise

    return SlashCompleter(settings.models, lambda: newest_sessions(settings, home, LOOKED_THROUGH))


def _history(file: Path) -> "FileHistory":
    from prompt_toolkit.history import FileHistory  # noqa: PLC0415 - only for people who type

    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(file, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    return FileHistory(str(file))


def _bindings() -> "KeyBindings":
    from prompt_toolkit.key_binding import KeyBindings  # noqa: PLC0415 - only for people who type

    keys = KeyBindings()

    @keys.add("enter")
    def send(event: "KeyPressEvent") -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def new_line(event: "KeyPressEvent") -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("c-c")
    def clear_or_leave(event: "KeyPressEvent") -> None:
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=KeyboardInterrupt())

    return keys
