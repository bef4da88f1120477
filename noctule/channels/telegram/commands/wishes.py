"""Wishes: the role, the model and the privacy a chat asked for, for its next turn or for all.

Keys of ``Chat.settings``: ``role`` and ``model`` (names), ``role_stays`` and ``model_stays`` (true:
until ``/new`` or taken back; else for the next turn only), ``private``.
"""

from dataclasses import dataclass, replace

from noctule.core.chats import Chat

_LASTING = {"role": "role_stays", "model": "model_stays"}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a chat's next turn is submitted with.

    Args:
        role: who answers; None leaves it to the route.
        model: which model answers; None leaves it to the binding.
        private: whether it is kept on local models.
    """

    role: str | None = None
    model: str | None = None
    private: bool = False


def wishes_of(chat: Chat) -> Wishes:
    """Return what the next turn of a chat is submitted with."""
    settings = chat.settings
    return Wishes(
        role=settings.get("role"),
        model=settings.get("model"),
        private=bool(settings.get("private")),
    )


def after_turn(chat: Chat) -> Chat:
    """Return the chat without what was wished for one turn only."""
    spent = {
        key
        for name, stays in _LASTING.items()
        if not chat.settings.get(stays)
        for key in (name, stays)
    }
    return _without(chat, spent)


def after_session(chat: Chat) -> Chat:
    """Return the chat as a new session begins: role and model are free again, privacy stays."""
    return _without(chat, {key for pair in _LASTING.items() for key in pair})


def with_wish(chat: Chat, name: str, value: str | None, *, stays: bool) -> Chat:
    """Return the chat with a role or a model wished for.

    Args:
        chat: as it is stored.
        name: ``role`` or ``model``.
        value: which; None takes the wish back.
        stays: True: until ``/new``; False: for the next turn.
    """
    bare = _without(chat, {name, _LASTING[name]})
    if value is None:
        return bare
    return replace(bare, settings={**bare.settings, name: value, _LASTING[name]: stays})


def _without(chat: Chat, keys: set[str]) -> Chat:
    kept = {key: value for key, value in chat.settings.items() if key not in keys}
    return chat if len(kept) == len(chat.settings) else replace(chat, settings=kept)
