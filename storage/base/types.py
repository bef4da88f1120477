"""Column types that mean the same on SQLite and PostgreSQL."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from noctule.core.base.money import from_nanos, to_nanos

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def storable_text(value: str) -> str:
    """Return text that every database takes.

    PostgreSQL refuses NUL characters and both refuse half surrogate pairs (what Python makes of
    invalid UTF-8 on a terminal); each becomes a replacement character.
    """
    if "\0" in value:
        value = value.replace("\0", _REPLACEMENT)
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def aware_utc(value: datetime) -> datetime:
    """Return the same moment in UTC.

    Raises:
        ValueError: it has no zone, so that nobody can say which moment it is.
    """
    if value.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone; take the moment from a Clock")
    return value.astimezone(UTC)


def dump_json(value: Any) -> str:
    """Return compact JSON that every database takes.

    Raises:
        TypeError: it holds something that is not JSON.
    """
    return storable_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


class Words(TypeDecorator[str]):
    """Text as people write it, made storable."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Make it storable."""
        return None if value is None else storable_text(value)


class Id(TypeDecorator[str]):
    """An id; compared byte by byte on both databases, so that they sort alike."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Take PostgreSQL's byte order instead of the database's language."""
        if dialect.name == "postgresql":
            return sa.Text(collation="C")
        return sa.Text()

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Make it storable: people type ids too."""
        return None if value is None else storable_text(value)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: aware in, aware out, in UTC, to the microsecond.

    ISO text on SQLite, whose own type gives times back naive; ``timestamptz`` on PostgreSQL.
    """

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose by database."""
        if dialect.name == "postgresql":
            return sa.TIMESTAMP(timezone=True)
        return sa.Text()

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Store it in UTC; a naive time is refused."""
        if value is None:
            return None
        moment = aware_utc(value)
        return moment if dialect.name == "postgresql" else moment.isoformat(timespec="microseconds")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Give it back aware."""
        if value is None:
            return None
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return aware_utc(moment)


class NanoUsd(TypeDecorator[Decimal]):
    """Dollars: whole nano-dollars in the column, Decimal in code; None is unknown.

    SQLite's NUMERIC is a float.
    """

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        """Store whole nano-dollars, rounded up."""
        return None if value is None else to_nanos(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        """Give dollars back."""
        return None if value is None else from_nanos(value)


class Json(TypeDecorator[Any]):
    """A JSON value as compact text."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        """Write it."""
        return dump_json(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Read it."""
        if value == "[]":  # most lists of what was skipped or tried
            return []
        return None if value is None else json.loads(value)


class Names(TypeDecorator[tuple[str, ...]]):
    """Several names, in order, as a JSON list."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> str:
        """Write them."""
        return dump_json(list(value or ()))

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[str, ...]:
        """Read them."""
        return () if value in {None, "[]"} else tuple(json.loads(value or "[]"))


class EnumText(TypeDecorator[StrEnum]):
    """One of a fixed set of words.

    Args:
        choices: the words.
    """

    impl = sa.Text
    cache_ok = True

    def __init__(self, choices: type[StrEnum]) -> None:
        super().__init__()
        self.choices = choices
        self._members = {member.value: member for member in choices}

    def process_bind_param(self, value: StrEnum | None, dialect: Dialect) -> str | None:
        """Store the word."""
        return None if value is None else self.choices(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        """Give the member back."""
        return None if value is None else self._members[value]
