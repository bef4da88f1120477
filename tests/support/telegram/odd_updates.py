"""Random updates by the schema python-telegram-bot carries in its signatures, and mutated ones.

Every class an ``Update`` can hold is walked; values are drawn by type. A mutation drops, adds,
retypes, nests or swells something, as versions of the Bot API to come might.
"""

import collections.abc
import datetime as dt
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache
from random import Random
from typing import Any

import telegram
from telegram import TelegramObject
from telegram._utils import types as aliases

_DEEPEST = 6
_NOT_SENT = frozenset({"api_kwargs", "return", "bot"})
_NAMES = {"from_user": "from"}
_TEXTS = (
    "hi",
    "",
    "/start",
    "/nothing here",
    "/run at 9 x",
    "a\0b",
    "\ud83d",
    "👩‍👩‍👧‍👦" * 40,
    "שלום עולם",
    "x" * 5000,
    "{}",
    "@Noctule_Bot",
    "7",
)
_ODD: tuple[Callable[[], Any], ...] = (
    lambda: None,
    lambda: 7,
    lambda: -1,
    lambda: 0,
    lambda: 2**70,
    lambda: True,
    lambda: "text",
    list,
    dict,
    lambda: [{}],
    lambda: 1e308,
    lambda: [None, 7, "x"],
    lambda: _nested(40),
)


def random_update(random: Random, number: int, people: list[int]) -> Any:
    """Return an update as JSON values; about half of them are mutated, a few are no objects.

    Args:
        random: seeded by the caller.
        number: its ``update_id``.
        people: the numbers of those who may be its sender, its chat or both.
    """
    drawn = _Draw(random, people)
    kinds = [name for name in _fields(telegram.Update) if name != "update_id"]
    often = ["message", "edited_message", "callback_query", "message_reaction"]
    kind = random.choice(often if random.random() < 0.6 else kinds)
    update = {"update_id": number, kind: drawn.value(_fields(telegram.Update)[kind], 0, kind)}
    if random.random() < 0.5:
        mutate(random, update)
    return update


def mutate(random: Random, update: dict[str, Any]) -> None:
    """Change one to four things somewhere in an update, but not its number."""
    for _ in range(random.randint(1, 4)):
        holders = [found for found in _holders(update) if found]
        holder = random.choice(holders)
        keys = [key for key in _keys(holder) if key != "update_id"]
        if not keys:
            continue
        key, odd = random.choice(keys), random.choice(_ODD)()
        match random.randint(0, 4):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[f"new_{random.randint(0, 99)}"] = odd
            case 2 if holder is update:
                update[f"kind_of_{random.randint(2027, 2040)}"] = update.pop(key)
            case _:
                holder[key] = odd


class _Draw:
    def __init__(self, random: Random, people: list[int]) -> None:
        self._random = random
        self._people = people
        self._who = random.choice(people)

    def value(self, hint: Any, depth: int, name: str) -> Any:
        """Return a value of a type."""
        choices = [one for one in _members(hint) if one is not types.NoneType]
        chosen = self._random.choice(choices) if choices else str
        origin = typing.get_origin(chosen)
        if inspect.isclass(chosen) and issubclass(chosen, TelegramObject):
            return self._object(chosen, depth)
        if origin is typing.Literal:
            return str(self._random.choice(typing.get_args(chosen)))
        if origin is not None and issubclass(origin, collections.abc.Sequence):
            count = self._random.randint(0, 3) if depth < _DEEPEST else 0
            inner = typing.get_args(chosen)[0]
            return [self.value(inner, depth + 1, name) for _ in range(count)]
        return self._leaf(chosen, name)

    def _object(self, form: Any, depth: int) -> dict[str, Any]:
        kinds = [kind for kind in form.__subclasses__() if _fields(kind)]
        form = self._random.choice(kinds) if kinds else form
        known: dict[str, Any] = {**_told_apart_by(form)}
        for name, (hint, needed) in _described(form).items():
            if not needed and (depth >= _DEEPEST or self._random.random() > 0.15):
                continue
            known[_NAMES.get(name, name)] = self.value(hint, depth + 1, name)
        if form in {telegram.User, telegram.Chat}:
            known["id"] = self._who
        if form is telegram.Chat:
            known["type"] = self._random.choice(["private", "private", "group", "channel"])
        return known

    def _leaf(self, form: Any, name: str) -> Any:
        random = self._random
        if form is bool:
            return random.random() < 0.5
        if form is float:
            return random.uniform(-180, 180)
        if form is dt.datetime:
            return random.choice([0, 1, 1_700_000_000, 2_000_000_000])
        if form is int or form is dt.timedelta:
            return random.choice([0, 1, 7, random.randint(-(2**40), 2**52)])
        return random.choice(_TEXTS) if name in {"text", "caption", "data"} else f"{name}"


@cache
def _told_apart_by(form: Any) -> Mapping[str, str]:
    """Return the field by which a class is told from its siblings, as its constructor sets it."""
    base = form.__base__
    if base is TelegramObject or not issubclass(base or object, TelegramObject):
        return {}
    given: dict[str, Any] = dict.fromkeys(_fields(form), 0)
    made: Any = form(**given)
    found = {name: getattr(made, name, None) for name in ("type", "source", "status")}
    return {name: str(value) for name, value in found.items() if isinstance(value, str)}


@cache
def _fields(form: Any) -> Mapping[str, Any]:
    return {name: hint for name, (hint, _) in _described(form).items()}


@cache
def _described(form: Any) -> Mapping[str, tuple[Any, bool]]:
    names = {
        **vars(typing),
        **vars(collections.abc),
        **vars(aliases),
        **vars(telegram),
        **vars(inspect.getmodule(form)),
        "dtm": dt,
    }
    hints = typing.get_type_hints(form.__init__, globalns=names, localns=names)
    given = inspect.signature(form.__init__).parameters
    return {
        name: (hint, given[name].default is inspect.Parameter.empty)
        for name, hint in hints.items()
        if name not in _NOT_SENT and given[name].kind is not inspect.Parameter.VAR_KEYWORD
    }


def _members(hint: Any) -> list[Any]:
    if typing.get_origin(hint) in {typing.Union, types.UnionType}:
        return [member for one in typing.get_args(hint) for member in _members(one)]
    return [hint]


def _holders(value: Any) -> list[Any]:
    found = [value] if isinstance(value, dict | list) else []
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return found + [holder for one in inner for holder in _holders(one)]


def _keys(holder: Any) -> list[Any]:
    return list(holder) if isinstance(holder, dict) else list(range(len(holder)))


def _nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"deeper": value}
    return value
