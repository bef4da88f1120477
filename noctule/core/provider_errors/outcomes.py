"""What can come of one attempt, and what each class of outcome means for the next step."""

from enum import StrEnum


class Outcome(StrEnum):
    """The result of one request to one model."""

    SUCCESS = "success"
    RATE_LIMITED = "rate_limited"
    QUOTA_EXHAUSTED = "quota_exhausted"
    OVERLOADED = "overloaded"
    UNAVAILABLE = "unavailable"
    TIMEOUT = "timeout"
    CONTEXT_OVERFLOW = "context_overflow"
    AUTH = "auth"
    BAD_REQUEST = "bad_request"
    MODEL_MISSING = "model_missing"
    EMPTY_REPLY = "empty_reply"
    MALFORMED_TOOL_CALL = "malformed_tool_call"
    CONTENT_FILTERED = "content_filtered"
    CANCELLED = "cancelled"

    @property
    def limits(self) -> bool:
        """Whether the provider said "not before T": remembered as a limit."""
        return self in _LIMITS

    @property
    def opens_circuit(self) -> bool:
        """Whether it speaks against the model's health, so that repeats open its circuit."""
        return self in _UNHEALTHY

    @property
    def passes_by_itself(self) -> bool:
        """Whether waiting can cure it, with nobody doing anything."""
        return self in _LIMITS or self in _UNHEALTHY


_LIMITS = frozenset({Outcome.RATE_LIMITED, Outcome.QUOTA_EXHAUSTED, Outcome.OVERLOADED})
_UNHEALTHY = frozenset({Outcome.UNAVAILABLE, Outcome.TIMEOUT})
