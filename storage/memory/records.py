"""Records as they would come back from a real database."""

import dataclasses
import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, TypeVar

from noctule.core.errors import OurBugError
from noctule.core.money import from_nanos, to_nanos
from storage.types import aware_utc, dump_json, storable_text

T = TypeVar("T")


def stored(record: T) -> T:
    """Return a record, or a value of one, as storing and reading it again would give it.

    Raises:
        OurBugError: it holds a time without a zone.
    """
    try:
        kept: T = _stored(record)
    except ValueError as error:
        raise OurBugError(f"A record cannot be stored: {error}. Please report this.") from error
    return kept


def _stored(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_stored(item) for item in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: _stored(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return type(value)(**fields)
    if isinstance(value, Mapping):
        return json.loads(dump_json(dict(value)))
    return _stored_plain(value)


def _stored_plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return aware_utc(value)
    if isinstance(value, Decimal):
        return from_nanos(to_nanos(value))
    if isinstance(value, str) and not isinstance(value, Enum):
        return storable_text(value)
    return value
