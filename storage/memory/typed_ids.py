"""Finding the one record a person means by an id, or by the beginning or the end of one."""

from collections.abc import Mapping
from typing import TypeVar

from noctule.core.errors import AmbiguousIdError, NotFoundError
from noctule.core.ids import SHORTEST_ENDING
from storage.types import storable_text

T = TypeVar("T")


def find(records: Mapping[str, T], name: str, *, what: str, listing: str) -> T:
    """Return the record whose id is, or alone begins or ends like, what a person typed.

    Raises:
        NotFoundError: no id begins or ends like that; several do (AmbiguousIdError).
    """
    name = storable_text(name)
    if name in records:
        return records[name]
    ending = len(name) >= SHORTEST_ENDING
    alike = [key for key in records if key.startswith(name) or (ending and key.endswith(name))]
    if not alike or not name:
        raise NotFoundError(what, name, listing)
    if len(alike) > 1:
        raise AmbiguousIdError(what, name, listing)
    return records[alike[0]]
