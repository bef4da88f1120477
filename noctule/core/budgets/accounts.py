"""What a provider itself says of a key's money: limit, spent, left, and when it starts anew."""

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from noctule.core.base.json_paths import ABSENT, Absent, find
from noctule.core.budgets.budgets import BudgetKey
from noctule.core.provider_errors.provider_words import mask_secrets
from noctule.core.settings.account import AccountPaths
from noctule.core.times.moments import date_from, moment_from, seconds_from
from noctule.core.times.windows import CalendarUnit, Window, WindowKind

_PREFIX = "endpoints."
_SUFFIX = ".account"

_MOST_USD = Decimal(1_000_000_000)
"""A limit from here on is none; other amounts from here on are nonsense."""

_FARTHEST = timedelta(days=400)
_LONGEST_WORD = 60
_SMALLEST_EPOCH = 1e8

_WORDS = {
    "daily": CalendarUnit.DAY,
    "day": CalendarUnit.DAY,
    "weekly": CalendarUnit.WEEK,
    "week": CalendarUnit.WEEK,
    "monthly": CalendarUnit.MONTH,
    "month": CalendarUnit.MONTH,
}


@dataclass(frozen=True, slots=True)
class Statement:
    """One answer of a provider.

    Args:
        limit_usd: the most that may be spent until it starts anew; None when there is no such
            limit, or it did not say.
        spent_usd: what is spent of that; None when it did not say.
        left_usd: what is left, below 0 when it is overdrawn; None when there is no limit.
        unlimited: it says that there is no limit.
        resets_at: when it starts anew; None when never, or nobody knows.
        never_resets: it says that it never does.
        words: the answer's own words for all this, without secrets.
    """

    limit_usd: Decimal | None
    spent_usd: Decimal | None
    left_usd: Decimal | None
    unlimited: bool = False
    resets_at: datetime | None = None
    never_resets: bool = False
    words: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """The provider's view of one key, as it is stored.

    Args:
        endpoint: its configured name.
        key_fingerprint: HMAC of the key that asked; "" without a key.
        asked_at: when it was asked last.
        trouble: why that gave nothing, as a sentence; None when it gave the statement.
        answered_at: when the statement was given; None when there was never one.
        statement: the last one; None likewise.
    """

    endpoint: str
    key_fingerprint: str
    asked_at: datetime
    trouble: str | None = None
    answered_at: datetime | None = None
    statement: Statement | None = None

    def heard(self, answer: Statement | str, now: datetime) -> "Account":
        """Return it after it was asked once more.

        Args:
            answer: what it said, or in a sentence why it said nothing.
            now: when.
        """
        if isinstance(answer, str):
            return replace(self, asked_at=now, trouble=answer)
        return replace(self, asked_at=now, trouble=None, answered_at=now, statement=answer)

    def now(self, moment: datetime) -> Statement | None:
        """Return what counts at a moment; None when nobody knows what is left.

        Args:
            moment: a statement does not outlive the reset it names.
        """
        said = self.statement
        if self.trouble is not None or said is None or self.answered_at is None:
            return None
        # A reset that was over when it was named is late, and does not make the statement so.
        if said.resets_at is not None and self.answered_at < said.resets_at <= moment:
            return None
        return said


def account_key(endpoint: str) -> BudgetKey:
    """Return what an endpoint's account is called among the budgets: who sleeps on it is there."""
    return BudgetKey(f"{_PREFIX}{endpoint}{_SUFFIX}")


def account_endpoint(key: BudgetKey) -> str | None:
    """Return the endpoint whose account a key stands for; None when it is a budget's."""
    if not (key.name.startswith(_PREFIX) and key.name.endswith(_SUFFIX)):
        return None
    return key.name.removeprefix(_PREFIX).removesuffix(_SUFFIX)


def read_statement(body: bytes, paths: AccountPaths, now: datetime) -> Statement:
    """Read an answer.

    Args:
        body: what was sent; JSON.
        paths: where what stands in it.
        now: when it came, aware.

    Raises:
        ValueError: it makes no sense; the message is a clause about it, without a value of it.
    """
    document = _parse(body)
    limit = _at(document, paths.limit)
    left = _at(document, paths.left)
    spent_usd = _amount(_at(document, paths.spent), paths.spent)
    left_usd = _amount(left, paths.left)
    limit_usd = _amount(limit, paths.limit)
    if limit_usd is not None and limit_usd >= _MOST_USD:
        limit, limit_usd = None, None
    if spent_usd is not None and not 0 <= spent_usd < _MOST_USD:
        raise ValueError(f"{_dotted(paths.spent)} is no amount that can be spent")
    if limit_usd is not None and limit_usd < 0:
        raise ValueError(f"{_dotted(paths.limit)} is below 0")
    if left_usd is None and limit_usd is not None and spent_usd is not None:
        left_usd = limit_usd - spent_usd
    unlimited = left_usd is None and (limit is None or (paths.limit is None and left is None))
    if left_usd is None and not unlimited:
        raise ValueError(_missing(document, paths))
    if left_usd is not None and left_usd >= _MOST_USD:
        left_usd, unlimited = None, True
    reset = _at(document, paths.reset)
    return Statement(
        limit_usd=limit_usd,
        spent_usd=spent_usd,
        left_usd=left_usd,
        unlimited=unlimited,
        resets_at=_reset(reset, now),
        never_resets=reset is None,
        words=_words(document, paths),
    )


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)


def _at(document: Any, steps: tuple[str, ...] | None) -> Any:
    return ABSENT if steps is None else find(document, steps)


def _amount(value: Any, steps: tuple[str, ...] | None) -> Decimal | None:
    if value is None or isinstance(value, Absent):
        return None
    is_number = isinstance(value, int | Decimal | str) and not isinstance(value, bool)
    try:
        amount = Decimal(value) if is_number else Decimal("NaN")
    except (InvalidOperation, ValueError):
        amount = Decimal("NaN")
    if not amount.is_finite() or amount <= -_MOST_USD:
        raise ValueError(f"{_dotted(steps)} is no amount of money")
    return amount


def _missing(document: Any, paths: AccountPaths) -> str:
    wanted = [steps for steps in (paths.left, paths.limit, paths.spent) if steps is not None]
    absent = [_dotted(steps) for steps in wanted if isinstance(find(document, steps), Absent)]
    return f"it has no {' and no '.join(absent)}" if absent else "it does not say what is left"


def _reset(value: Any, now: datetime) -> datetime | None:
    """Return the moment; None for null, for what is in no known form and for the absurd."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return None
    text = str(value).strip()[:_LONGEST_WORD]
    unit = _WORDS.get(text.lower())
    if unit is not None:
        return Window(WindowKind.ALIGNED, unit).next_reset(now)
    number = seconds_from(text)
    is_epoch = number is not None and abs(number) >= _SMALLEST_EPOCH
    moment = moment_from(text, now) if is_epoch else date_from(text)
    if moment is None or abs(moment - now) > _FARTHEST:
        return None
    return moment


def _words(document: Any, paths: AccountPaths) -> str:
    found = []
    for steps in (paths.limit, paths.spent, paths.left, paths.reset):
        value = ABSENT if steps is None else find(document, steps)
        if steps is not None and (value is None or isinstance(value, int | Decimal | str)):
            said = "null" if value is None else " ".join(str(value).split())[:_LONGEST_WORD]
            found.append(f"{steps[-1]} {mask_secrets(said)}")
    return ", ".join(found)


def _dotted(steps: tuple[str, ...] | None) -> str:
    return ".".join(steps or ())
