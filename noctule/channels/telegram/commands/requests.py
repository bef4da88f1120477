"""Requests: the role, the model and the privacy a chat asked for, for its next turn or for all.

Keys of ``Chat.settings``: ``role`` and ``model`` (until ``/new`` or taken back), ``next_role`` and
``next_model`` (for the next turn, over these), ``private``.
"""

from dataclasses import dataclass, replace

from noctule.core.messaging.chats import Chat

_NEXT = {"role": "next_role", "model": "next_model"}


@dataclass(frozen=True, slots=True)
class TurnOptions:
    """What a chat's next turn is submitted with.

    Args:
        role: who answers; None leaves it to the route.
        model: which model answers; None leaves it to the binding.
        private: whether it is kept on local models.
    """

    role: str | None = None
    model: str | None = None
    private: bool = False


def wishes_of(chat: Chat) -> TurnOptions:
    """Return what the next turn of a chat is submitted with."""
    settings = chat.settings
    return TurnOptions(
        role=settings.get("next_role") or settings.get("role"),
        model=settings.get("next_model") or settings.get("model"),
        private=bool(settings.get("private")),
    )


def after_turn(chat: Chat) -> Chat:
    """Return the chat without what was wished for one turn only."""
    return _without(chat, set(_NEXT.values()))


def after_session(chat: Chat) -> Chat:
    """Return the chat as a new session begins: role and model are free again, privacy stays."""
    return _without(chat, {*_NEXT, *_NEXT.values()})


def with_wish(chat: Chat, name: str, value: str | None, *, stays: bool) -> Chat:
    """Return the chat with a role or a model wished for.

    Args:
        chat: as it is stored.
        name: ``role`` or ``model``.
        value: which; None takes the wish back.
        stays: True: until ``/new``; False: for the next turn.
    """
    bare = _without(chat, {_NEXT[name], *([name] if stays or value is None else [])})
    return bare if value is None else with_setting(bare, name if stays else _NEXT[name], value)


def with_setting(chat: Chat, name: str, value: object) -> Chat:
    """Return the chat with one setting changed."""
    return replace(chat, settings={**chat.settings, name: value})


def _without(chat: Chat, keys: set[str]) -> Chat:
    kept = {key: value for key, value in chat.settings.items() if key not in keys}
    return chat if len(kept) == len(chat.settings) else replace(chat, settings=kept)
