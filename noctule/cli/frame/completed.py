"""Values a shell completes: sessions and models, read without loading anything heavy."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from noctule.cli.frame.invocation import Invocation
from noctule.core.errors import NoctuleError

if TYPE_CHECKING:
    from noctule.channels.terminal.input.suggestions import Suggestion
    from noctule.config import Loaded


class SessionId(click.ParamType[str]):
    """The id of a session, or any part of one that a command takes."""

    name = "session"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the newest sessions that may be meant."""
        return _items(_sessions(ctx, incomplete))


class ModelName(click.ParamType[str]):
    """The configured name of a model."""

    name = "model"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the models that may be meant."""
        return _items(_models(ctx, incomplete))


SESSION = SessionId()
MODEL = ModelName()


def _sessions(ctx: click.Context, typed: str) -> "Iterator[Suggestion]":
    from noctule.bootstrap import newest_sessions  # noqa: PLC0415 - only to complete
    from noctule.channels.terminal.input.suggestions import (  # noqa: PLC0415 - likewise
        LOOKED_THROUGH,
        session_suggestions,
    )

    loaded = _loaded(ctx)
    if loaded is not None:
        known = newest_sessions(loaded.settings, loaded.home, LOOKED_THROUGH)
        yield from session_suggestions(known, typed)


def _models(ctx: click.Context, typed: str) -> "Iterator[Suggestion]":
    from noctule.channels.terminal.input.suggestions import name_suggestions  # noqa: PLC0415 - likewise

    loaded = _loaded(ctx)
    if loaded is not None:
        yield from name_suggestions(loaded.settings.models, typed)


def _loaded(ctx: click.Context) -> "Loaded | None":
    """Return the configuration; None when it cannot be read: this is no place to say so."""
    from noctule.config import load  # noqa: PLC0415 - only to complete

    invocation = ctx.find_object(Invocation)
    try:
        return load(invocation.config if invocation is not None else None)
    except NoctuleError:
        return None


def _items(found: "Iterable[Suggestion]") -> list[CompletionItem]:
    return [CompletionItem(each.value, help=each.says or None) for each in found]
