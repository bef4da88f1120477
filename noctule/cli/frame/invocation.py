"""What every command is given, and how an asynchronous one is run."""

import asyncio
import functools
import json
import os
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

import click

if TYPE_CHECKING:
    from noctule.config import Loaded

P = ParamSpec("P")


@dataclass(slots=True)
class Invocation:
    """One run of ``noctule``.

    Args:
        config: what ``--config`` said; None searches.
        as_json: whether ``--json`` stands on the command line.
        answered: whether the JSON document has been printed.
        home: the data folder, once it is known.
        secrets: values that no log and no message may hold.
    """

    config: Path | None = None
    as_json: bool = False
    answered: bool = False
    home: Path | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def load(self) -> "Loaded":
        """Find and read the configuration, and begin the log in its data folder.

        Raises:
            ConfigError: with all its problems at once.
        """
        from noctule.cli.frame.trusting import asker, tell_choice  # noqa: PLC0415 - not for --help
        from noctule.config import load  # noqa: PLC0415 - pydantic and YAML, not for --help
        from noctule.config.environment import take_environment  # noqa: PLC0415 - likewise

        if (complaint := take_environment(os.environ)) is not None:
            click.echo(complaint, err=True)
        loaded = load(self.config, ask=asker(as_json=self.as_json))
        tell_choice(loaded.choice, as_json=self.as_json)
        return self.use(loaded)

    def use(self, loaded: "Loaded") -> "Loaded":
        """Take a configuration that was read already, and begin the log in its data folder."""
        from noctule.cli.frame.logs import log_to, secrets_of  # noqa: PLC0415 - likewise

        self.home = loaded.home
        self.secrets = secrets_of(loaded.settings, os.environ)
        log_to(loaded.home, self.secrets)
        return loaded

    def print_document(self, document: Any) -> None:
        """Print the one JSON document of ``--json`` on stdout, in UTF-8, without secrets.

        The ``reply`` somebody waits for is printed as it was given.
        """
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
        from noctule.channels.discretion import masked_document  # noqa: PLC0415 - not for --help
        from noctule.core.base.printable import escaped_in_json  # noqa: PLC0415 - likewise
        from noctule.core.tools.approval_text import unseen_escaped  # noqa: PLC0415 - likewise

        self.answered = True
        shown = masked_document(document, but=("reply",))
        text = unseen_escaped(json.dumps(shown, ensure_ascii=False, indent=2))
        click.echo(escaped_in_json(text))


def runs(
    function: Callable[Concatenate[Invocation, P], Coroutine[Any, Any, int | None]],
) -> Callable[P, None]:
    """Make a click callback of a coroutine function that takes the invocation first.

    It runs in an event loop of its own; the number it returns is the exit code, None means 0.
    """

    @functools.wraps(function)
    def callback(*args: P.args, **kwargs: P.kwargs) -> None:
        context = click.get_current_context()
        invocation = context.ensure_object(Invocation)
        code = asyncio.run(function(invocation, *args, **kwargs))
        context.exit(code or 0)

    return callback
