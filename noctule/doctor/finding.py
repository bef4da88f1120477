"""One thing the doctor found."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How much it matters, least first."""

    OK = "ok"
    """As it should be."""
    ADVICE = "advice"
    """It works; it could work better."""
    WARNING = "warning"
    """It works until it does not."""
    ERROR = "error"
    """Something that is needed does not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. It never holds a secret.

    Args:
        level: how much it matters.
        about: what was looked at: ``config``, ``endpoint local``, ``model qwen`` ...
        sentence: how it is.
        fix: what to do; None when nothing has to be done.
    """

    level: Level
    about: str
    sentence: str
    fix: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "level": self.level.value,
            "about": self.about,
            "sentence": self.sentence,
            "fix": self.fix,
        }
