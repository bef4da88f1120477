"""Finding one record by a unique beginning of its id."""

from collections.abc import Mapping
from typing import TypeVar

from noctule.core.errors import NotFoundError
from storage.types import storable_text

T = TypeVar("T")


def find(records: Mapping[str, T], name: str, *, what: str, listing: str) -> T:
    """Return the record whose id is, or alone begins like, what a person typed.

    Raises:
        NotFoundError: no id begins like that, or several do.
    """
    name = storable_text(name)
    if name in records:
        return records[name]
    alike = [key for key in records if key.startswith(name)]
    if len(alike) != 1 or not name:
        raise NotFoundError(what, name, listing)
    return records[alike[0]]
