"""What a method is called with: strings and files, read as the Bot API reads them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.telegram.refusals import bad_request


@dataclass(frozen=True)
class Upload:
    """A file that came with a request."""

    name: str
    content: bytes
    media_type: str


@dataclass(frozen=True)
class Params:
    """The parameters of one call.

    Args:
        values: strings as they were sent; with a JSON body also numbers, lists and objects.
        uploads: files by the name of their part.
    """

    values: Mapping[str, Any]
    uploads: Mapping[str, Upload] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return a string; "" when it was not sent."""
        value = self.values.get(name, "")
        return value if isinstance(value, str) else json.dumps(value)

    def integer(self, name: str, default: int = 0) -> int:
        """Return a number; the default when it was not sent or is none."""
        try:
            return int(self.text(name))
        except ValueError:
            return default

    def optional_integer(self, name: str) -> int | None:
        """Return a number; None when it was not sent or is 0."""
        return self.integer(name) or None

    def flag(self, name: str) -> bool:
        """Return whether something was asked for."""
        return self.text(name).lower() in {"true", "1", "yes"}

    def structure(self, name: str, called: str) -> Any:
        """Return a list or an object; None when it was not sent.

        Raises:
            Refusal: it is not JSON.
        """
        value = self.values.get(name)
        if value in (None, ""):
            return None
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError:
            raise bad_request(f"can't parse {called} JSON object") from None

    def chat_id(self) -> int:
        """Return the chat that is meant.

        Raises:
            Refusal: none is named, or it is not a number.
        """
        if not self.text("chat_id"):
            raise bad_request("chat_id is empty")
        chat_id = self.optional_integer("chat_id")
        if chat_id is None:
            raise bad_request("chat not found")
        return chat_id

    @property
    def shown(self) -> dict[str, Any]:
        """The parameters for a record: JSON is read, files are only named."""
        shown = {name: _readable(value) for name, value in self.values.items()}
        files = {name: f"<{u.name}, {len(u.content)} bytes>" for name, u in self.uploads.items()}
        return shown | files


def _readable(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith(("{", "[")):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
