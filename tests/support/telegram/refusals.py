"""What the Bot API answers when it does not do what it was asked."""

from typing import Any


class Refusal(Exception):  # noqa: N818 - the API's own answer, not a failure of ours
    """An answer with ``ok: false``.

    Args:
        code: the HTTP status, which is ``error_code`` too.
        description: what the API says.
        parameters: ``retry_after`` in seconds or ``migrate_to_chat_id``; None sends none.
    """

    def __init__(
        self, code: int, description: str, parameters: dict[str, Any] | None = None
    ) -> None:
        super().__init__(f"{code} {description}")
        self.code = code
        self.description = description
        self.parameters = parameters

    @property
    def body(self) -> dict[str, Any]:
        """The document that is sent."""
        document = {"ok": False, "error_code": self.code, "description": self.description}
        return document | ({"parameters": self.parameters} if self.parameters else {})


def bad_request(what: str) -> Refusal:
    """Refuse what was asked."""
    return Refusal(400, f"Bad Request: {what}")


def forbidden(what: str) -> Refusal:
    """Refuse because a person or a chat does not want the bot."""
    return Refusal(403, f"Forbidden: {what}")


def conflict(what: str) -> Refusal:
    """Refuse because another one receives the updates."""
    return Refusal(409, f"Conflict: {what}")


def too_many_requests(retry_after: int) -> Refusal:
    """Refuse until that many seconds have passed."""
    return Refusal(
        429, f"Too Many Requests: retry after {retry_after}", {"retry_after": retry_after}
    )
