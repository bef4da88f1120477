"""The words in front of a piece of work: ``/run at 02:00 budget 2 allow shell,web TEXT``."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from decimal import Decimal, InvalidOperation

from noctule.core.errors import UsageError
from noctule.core.roles import ANSWERING
from noctule.core.times_of_day import parse_moment
from noctule.core.tool_names import BUILT_IN, FAMILIES, MCP_PREFIX

_LIKE_A_TIME = re.compile(r"\+?\d+(?:[:.]\d|[hmsd]\b|\d*-\d)|\+\d")
_WORD = re.compile(r"\s*(\S+)")
_TOOLS = frozenset({*FAMILIES, *(tool for family in BUILT_IN.values() for tool in family)})
_ROLES = frozenset(role.value for role in ANSWERING)


@dataclass(frozen=True, slots=True)
class RunWords:
    """A piece of work and how it is wanted.

    Args:
        text: the work itself; "" when nothing is left.
        not_before: when it may begin; None means at once.
        budget_usd: the most its session may spend; None means no such bound.
        allow: what may be done without asking.
        role: who does it; None leaves it to the route.
        model: which model; None leaves it to the binding.
        private: whether it is kept on local models.
    """

    text: str
    not_before: datetime | None = None
    budget_usd: Decimal | None = None
    allow: tuple[str, ...] = ()
    role: str | None = None
    model: str | None = None
    private: bool = False


@dataclass(frozen=True, slots=True)
class _Reading:
    now: datetime
    zone: tzinfo
    models: Collection[str]


def parse_run(text: str, *, now: datetime, zone: tzinfo, models: Collection[str]) -> RunWords:
    """Read what stands in front of a piece of work, as far as it makes sense.

    Options are ``at TIME``, ``budget USD``, ``allow TOOLS``, ``role ROLE``, ``model MODEL``, in any
    order, and the same with two dashes, where ``--private`` is another. A bare word that is
    followed by nothing of its kind begins the work: "at the end of ..." is no time.

    Args:
        text: what followed the command.
        now: aware.
        zone: where times are meant.
        models: the configured names.

    Raises:
        UsageError: an option is followed by something of its kind that does not fit.
    """
    reading, words = _Reading(now, zone, models), RunWords("")
    while True:
        word, rest = _first(text)
        name, dashed = word.lstrip("-").lower(), word.startswith(("--", "—"))
        name = name.lstrip("—")
        name, _, joined = name.partition("=") if dashed else (name, "", "")
        if dashed and name == "private":
            words, text = replace(words, private=True), rest
            continue
        read = _OPTIONS.get(name)
        if read is None:
            break
        value, after = (joined, rest) if joined else _first(rest)
        changed = read(words, value, reading, dashed)
        if changed is None:
            break
        words, text = changed, after
    return replace(words, text=text.strip())


def _first(text: str) -> tuple[str, str]:
    found = _WORD.match(text)
    return ("", "") if found is None else (found[1], text[found.end() :])


def _at(words: RunWords, value: str, reading: _Reading, dashed: bool) -> RunWords | None:  # noqa: FBT001 - one shape for all options
    if not dashed and not _LIKE_A_TIME.match(value):
        return None
    try:
        moment = parse_moment(value, now=reading.now, zone=reading.zone)
    except ValueError as error:
        raise UsageError(
            f"at {error}. Write a time of day (23:30), a duration from now (+2h, 30m) or a moment "
            "(2026-12-01T08:00)."
        ) from None
    return replace(words, not_before=moment)


def _budget(words: RunWords, value: str, reading: _Reading, dashed: bool) -> RunWords | None:  # noqa: FBT001 - likewise
    del reading
    number = value.removeprefix("$").removesuffix("$")
    if not dashed and not number[:1].isdigit():
        return None
    try:
        usd = Decimal(number)
    except InvalidOperation:
        usd = Decimal(-1)
    if not usd.is_finite() or usd < 0:
        raise UsageError(f"budget {value!r} is no amount in USD. Write one like 2 or 0.50.")
    return replace(words, budget_usd=usd)


def _allow(words: RunWords, value: str, reading: _Reading, dashed: bool) -> RunWords | None:  # noqa: FBT001 - likewise
    del reading
    rules = tuple(rule for rule in value.split(",") if rule)
    named = [rule.partition(":")[0] in _TOOLS or rule.startswith(MCP_PREFIX) for rule in rules]
    if not dashed and not any(named):
        return None  # "allow me to ..."; what is named wrongly beside a tool the desk refuses
    return replace(words, allow=(*words.allow, *rules))


def _role(words: RunWords, value: str, reading: _Reading, dashed: bool) -> RunWords | None:  # noqa: FBT001 - likewise
    del reading
    known = value.lower() in _ROLES
    return replace(words, role=value.lower()) if known or dashed else None


def _model(words: RunWords, value: str, reading: _Reading, dashed: bool) -> RunWords | None:  # noqa: FBT001 - likewise
    return replace(words, model=value) if value in reading.models or dashed else None


_Option = Callable[[RunWords, str, _Reading, bool], RunWords | None]
_OPTIONS: dict[str, _Option] = {
    "at": _at,
    "budget": _budget,
    "allow": _allow,
    "role": _role,
    "model": _model,
}
