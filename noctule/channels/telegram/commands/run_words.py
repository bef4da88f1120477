"""The words in front of a piece of work: ``/run at 9am budget 2 allow shell,web TEXT``.

What is clearly an option is one, what is clearly the work is the work. What is nearly an option is
neither: the person is asked what they meant, and nothing runs meanwhile.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches

from noctule.core.base.roles import ANSWERING
from noctule.core.base.tool_names import BUILT_IN, FAMILIES, MCP_PREFIX
from noctule.core.times.time_words import NUMBERS
from noctule.core.times.written_times import TimeReading, TimeTrouble, read_time

TEXT_FROM_HERE = "--"
"""Everything behind it is the work, whatever it looks like."""

_WORD = re.compile(r"\s*(\S+)")
_OPTION = re.compile(r"(?P<dashes>--|—)?(?P<name>[A-Za-z]+)(?:(?P<sign>[=:])(?P<joined>\S*))?")
_AMOUNT = re.compile(r"(?:USD|US\$|\$)?(\d+(?:[.,]\d{1,9})?|[.,]\d{1,9})(?:\$|USD)?", re.IGNORECASE)
_TOOLS = frozenset({*FAMILIES, *(tool for family in BUILT_IN.values() for tool in family)})
_ROLES = frozenset(role.value for role in ANSWERING)
_NAMES = ("at", "budget", "allow", "role", "model", "private")
_SMALL_WORDS = (
    "a an and are as at be by can do does for from how i if in is it me my no not of on or our out "
    "that the their them there these this those to up us was we what when with you your"
)
_SENTENCE = frozenset(_SMALL_WORDS.split())
"""Behind one of these a word like ``budget`` is part of a sentence."""

_LEAST_NAME = 4
_MOST_OFFERED = 3
_BEHIND_A_VALUE = ":;,"
_ANOTHER = re.compile(r"(?:,\s*(?:and\s+)?|\s*and\s+|\s*[&+]\s*)(\w+)")
_CURRENCY = re.compile(r"\s*(?:(?:US )?dollars?|USD|bucks)\b\s*", re.IGNORECASE)


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
class RunSuggestion:
    """One thing that may have been meant.

    Args:
        text: what would have said it clearly.
        option: the option it reads, as it would be written; None when all of it is the work.
        moment: when it would begin; None unless that is what the option says.
    """

    text: str
    option: str | None = None
    moment: datetime | None = None


@dataclass(frozen=True, slots=True)
class Unsure:
    """Something in front of the work that is nearly an option.

    Args:
        problem: a sentence: what was written and how it is written rightly.
        offers: what may have been meant, the likeliest first; the last takes all of it as the work.
    """

    problem: str
    offers: tuple[RunSuggestion, ...]


@dataclass(frozen=True, slots=True)
class _Reading:
    now: datetime
    zone: tzinfo
    models: Collection[str]


@dataclass(frozen=True, slots=True)
class _Misfit:
    """A value that does not fit its option, with those that would."""

    problem: str
    instead: tuple[str, ...] = ()


def parse_run(
    text: str, *, now: datetime, zone: tzinfo, models: Collection[str]
) -> RunWords | Unsure:
    """Read what stands in front of a piece of work.

    Options are a time (``at 9am``, ``tomorrow 9:00``, ``in 2h``), ``budget USD``, ``allow TOOLS``,
    ``role ROLE``, ``model MODEL`` and ``private`` with two dashes, in any order; the others may
    have two dashes, a ``=`` or a ``:``. Behind ``--`` everything is the work.

    Args:
        text: what followed the command.
        now: aware.
        zone: where times are meant.
        models: the configured names.
    """
    reading, words, rest = _Reading(now, zone, models), RunWords(""), text
    while True:
        before = text[: len(text) - len(rest)]
        word, behind = _first(rest)
        if word == TEXT_FROM_HERE:
            return replace(words, text=behind.strip())
        step = _time(words, rest, before, reading) or _option(words, word, behind, before, reading)
        if step is None:
            return replace(words, text=rest.strip())
        if isinstance(step, Unsure):
            return replace(step, offers=(*step.offers, _as_text(before, rest)))
        words, rest = step


_Step = tuple[RunWords, str] | Unsure | None
"""What was read with what is left, a doubt, or None when the work begins here."""


def _first(text: str) -> tuple[str, str]:
    found = _WORD.match(text)
    return ("", "") if found is None else (found[1], text[found.end() :])


def _as_text(before: str, rest: str) -> RunSuggestion:
    return RunSuggestion(_said(before, TEXT_FROM_HERE, rest))


def _said(*pieces: str) -> str:
    return " ".join(piece.strip() for piece in pieces if piece.strip())


def _time(words: RunWords, rest: str, before: str, reading: _Reading) -> _Step:
    """Read a time that needs no option in front of it."""
    found = read_time(rest, now=reading.now, zone=reading.zone)
    if found is None:
        return _nearly_a_time(rest, before, reading)
    if words.not_before is not None:
        return None  # the second time is about the work
    after = found.rest(rest)
    if found.moment is None or re.match(r"of\b", after, re.IGNORECASE):
        return _unclear(found, before, after)
    return replace(words, not_before=found.moment), after


def _nearly_a_time(rest: str, before: str, reading: _Reading) -> Unsure | None:
    """Return a doubt about ``at`` with a number that nobody can be sure is an hour."""
    lead, behind = _first(rest)
    number, after = _first(behind)
    if lead.lower() != "at" or number.lower() in _SENTENCE:
        return None
    if number.lower() in NUMBERS:
        return Unsure(_no_time(f"at {number}"), ())
    hour = read_time(f"at {number}", now=reading.now, zone=reading.zone)
    return None if hour is None else _unclear(hour, before, after)


def _unclear(found: TimeReading, before: str, after: str) -> Unsure:
    moments = found.candidates if found.moment is None else (found.moment,)
    offers = (
        RunSuggestion(_said(before, "at", moment.isoformat(), after), "at", moment)
        for moment in moments[:_MOST_OFFERED]
    )
    problem = {
        TimeTrouble.PAST: f"{found.words!r} is already past.",
        TimeTrouble.AMBIGUOUS: f"{found.words!r} may be a time, but I'm not sure which.",
        None: f"{found.words!r} may be when to start, or part of the task.",
    }.get(found.trouble, _no_time(found.words))
    return Unsure(problem, tuple(offers))


def _no_time(words: str) -> str:
    return (
        f"{words!r} is not a time I understand. Write e.g. at 9am, at 23:30, tomorrow 9:00 or in "
        "2h."
    )


def _option(words: RunWords, word: str, behind: str, before: str, reading: _Reading) -> _Step:
    found = _OPTION.fullmatch(word)
    if found is None:
        return None
    name, dashed, joined = found["name"].lower(), found["dashes"] is not None, found["joined"]
    marked = dashed or bool(joined)
    value, after = (joined, behind) if joined else _first(behind)
    if name == "private":
        return (replace(words, private=True), behind) if dashed and not found["sign"] else None
    if name == "at":
        return _at(words, f"{joined or ''} {behind}", before, reading) if marked else None
    if name not in _OPTIONS:
        return _misspelt(name, value, after, before, reading, marked=marked)
    if not marked and value.lower() in _SENTENCE:
        return None
    doubt = _more_tools(value, after, before) if name == "allow" else None
    found_value = (value.rstrip(_BEHIND_A_VALUE), after)
    return doubt or _valued(words, name, found_value, before, reading, marked)


def _more_tools(value: str, after: str, before: str) -> Unsure | None:
    """Return a doubt about "shell, web": nothing more is allowed than was clearly meant."""
    tool = value.rstrip(_BEHIND_A_VALUE)
    found = _ANOTHER.match(after if tool == value else f"{value[-1]}{after}")
    if found is None or not {tool, found[1]} <= _TOOLS:
        return None
    both, rest = f"allow {tool},{found[1]}", after[after.index(found[1]) + len(found[1]) :]
    problem = f"{found[1]!r} may be a tool to allow, or part of the task."
    return Unsure(problem, (RunSuggestion(_said(before, both, rest), both),))


def _valued(
    words: RunWords,
    name: str,
    found: tuple[str, str],
    before: str,
    reading: _Reading,
    marked: bool,  # noqa: FBT001 - one shape for all options
) -> _Step:
    value, after = found
    changed = _OPTIONS[name](words, value, reading, marked)
    if changed is None:
        return None
    if isinstance(changed, _Misfit):
        offers = [
            RunSuggestion(_said(before, name, one, after), f"{name} {one}")
            for one in changed.instead
        ]
        return Unsure(changed.problem, tuple(offers))
    currency = _CURRENCY.match(after) if name == "budget" else None
    return changed, after if currency is None else after[currency.end() :]


def _at(words: RunWords, text: str, before: str, reading: _Reading) -> _Step:
    """Read the time behind ``--at``: nothing but one can stand there."""
    found = read_time(text, now=reading.now, zone=reading.zone, expected=True)
    if found is None:
        return Unsure(_no_time(_first(text)[0]), ())
    after = found.rest(text)
    if found.moment is None:
        return _unclear(found, before, after)
    return replace(words, not_before=found.moment), after


def _misspelt(
    name: str, value: str, after: str, before: str, reading: _Reading, *, marked: bool
) -> Unsure | None:
    """Return a doubt about a word that is nearly an option and followed by what fits that one."""
    close = get_close_matches(name, _NAMES, n=1, cutoff=0.75) if len(name) >= _LEAST_NAME else []
    if not close or close[0] not in _OPTIONS:
        return Unsure(f"There is no option {name!r}.", ()) if marked and close else None
    fits = isinstance(_OPTIONS[close[0]](RunWords(""), value, reading, marked), RunWords)
    if not fits:
        return Unsure(f"There is no option {name!r}.", ()) if marked else None
    offer = RunSuggestion(_said(before, close[0], value, after), f"{close[0]} {value}")
    return Unsure(f"There is no option {name!r}.", (offer,))


_Read = RunWords | _Misfit | None


def _budget(words: RunWords, value: str, reading: _Reading, marked: bool) -> _Read:  # noqa: FBT001 - one shape for all options
    del reading, marked
    found = _AMOUNT.fullmatch(value)
    if found is None:
        inside = re.search(r"\d+(?:\.\d{1,9})?", value)
        instead = (inside[0],) if inside is not None and not value.startswith("-") else ()
        return _Misfit(f"{value!r} is not a valid USD amount. Use e.g. 2 or 0.50.", instead)
    try:
        usd = Decimal(found[1].replace(",", "."))
    except InvalidOperation:  # pragma: no cover - the pattern is stricter
        return None
    return replace(words, budget_usd=usd)


def _allow(words: RunWords, value: str, reading: _Reading, marked: bool) -> _Read:  # noqa: FBT001 - likewise
    del reading
    rules = tuple(rule for rule in value.split(",") if rule)
    named = [rule.partition(":")[0] in _TOOLS or rule.startswith(MCP_PREFIX) for rule in rules]
    if all(named) and rules:
        return replace(words, allow=(*words.allow, *rules))
    if not marked and not any(named) and not any(_close(rule, _TOOLS) for rule in rules):
        return None  # "allow me to ..."
    wrong = [rule for rule, known in zip(rules, named, strict=True) if not known]
    instead = [_right(rule, known=known) for rule, known in zip(rules, named, strict=True)]
    problem = f"There is no tool {', '.join(map(repr, wrong)) or 'named'} to allow."
    return _Misfit(problem, (",".join(instead),) if instead and all(instead) else ())


def _role(words: RunWords, value: str, reading: _Reading, marked: bool) -> _Read:  # noqa: FBT001 - likewise
    del reading
    if value.lower() in _ROLES:
        return replace(words, role=value.lower())
    close = _close(value.lower(), _ROLES)
    if not close and not marked:
        return None
    return _Misfit(f"There is no role {value!r}. There are {', '.join(sorted(_ROLES))}.", close)


def _model(words: RunWords, value: str, reading: _Reading, marked: bool) -> _Read:  # noqa: FBT001 - likewise
    found = next((one for one in reading.models if one.lower() == value.lower()), None)
    if found is not None:
        return replace(words, model=found)
    close = _close(value, reading.models)
    if not close and not marked:
        return None
    known = ", ".join(list(reading.models)[:10])
    return _Misfit(f"There is no model {value!r}. There are {known}.", close)


def _close(value: str, known: Collection[str]) -> tuple[str, ...]:
    return tuple(get_close_matches(value, list(known), n=2, cutoff=0.7))


def _right(rule: str, *, known: bool) -> str:
    name, sign, subject = rule.partition(":")
    close = (name,) if known else _close(name, _TOOLS)
    return f"{close[0]}{sign}{subject}" if close else ""


_OPTIONS: dict[str, Callable[[RunWords, str, _Reading, bool], _Read]] = {
    "budget": _budget,
    "allow": _allow,
    "role": _role,
    "model": _model,
}
