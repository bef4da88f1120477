"""What Claude models differ in: thinking, temperature, schemas, forced tools.

Read from the names: the generations are regular, and the installed library's table of models
(langchain-anthropic 1.7.7) is used for what names do not say. Checked 2026-11.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DEFAULT_MAX_TOKENS = 4096
LEAST_BUDGET = 1024
"""The smallest thinking budget the API takes."""

_NAME = re.compile(r"^claude-(?P<family>[a-z]+)-(?P<major>\d)(?:-(?P<minor>\d))?(?:-\d{8})?$")
_ADAPTIVE_SINCE = (4, 6)
_QUIET_SINCE = (4, 7)
_THINKING_BY_DEFAULT_SINCE = (5, 0)
_ALWAYS_THINKING_SINCE = (5, 1)
_ALWAYS_THINKING = frozenset({"fable", "mythos"})
_UNFORCED = ("claude-fable-5-1", "claude-opus-5-5", "claude-sonnet-5-5")
_SCHEMAS_SINCE = {"sonnet": (4, 5), "haiku": (4, 5), "opus": (4, 1)}


@dataclass(frozen=True, slots=True)
class Claude:
    """What one model can be asked for.

    Args:
        name: as the endpoint calls it; a dated one counts as the model it is a version of.
        profile: what the library's table says of it; empty when it is not in there.
    """

    name: str
    profile: Mapping[str, Any]

    @property
    def keeps_schemas(self) -> bool:
        """Whether the API holds its answer to a JSON schema."""
        if self._version is None:
            return False
        since = _SCHEMAS_SINCE.get(self._family, _THINKING_BY_DEFAULT_SINCE)
        return self._version >= since

    @property
    def can_be_forced(self) -> bool:
        """Whether it takes a tool choice that forces a call."""
        if self.profile.get("tool_choice") is False:
            return False
        return not self.name.startswith(_UNFORCED)

    @property
    def takes_temperature(self) -> bool:
        """Whether a temperature other than 1 is no error."""
        if "temperature" in self.profile:
            return bool(self.profile["temperature"])
        return self._version is None or self._version < _QUIET_SINCE

    def thinking(self, *, wanted: bool, max_tokens: int) -> dict[str, Any]:
        """Return the body fields that ask it to think, or not to as far as it can.

        Args:
            wanted: whether it should.
            max_tokens: the answer's bound, thinking included; too small a bound means no
                thinking.
        """
        if self._version is not None and self._version >= _ADAPTIVE_SINCE:
            return self._adaptive() if wanted else self._stopped()
        if not wanted:
            # Older models think only when asked; what is no Claude may do so by itself.
            return {"thinking": {"type": "disabled"}} if self._version is None else {}
        budget = max_tokens // 2
        if budget < LEAST_BUDGET:
            return {}
        return {"thinking": {"type": "enabled", "budget_tokens": budget}}

    def _adaptive(self) -> dict[str, Any]:
        thinking = {"type": "adaptive"}
        if self._version is not None and self._version >= _QUIET_SINCE:
            thinking["display"] = "summarized"  # else it thinks in silence, and nothing streams
        return {"thinking": thinking}

    def _stopped(self) -> dict[str, Any]:
        if self._version is None or self._version < _THINKING_BY_DEFAULT_SINCE:
            return {}
        if self._version < _ALWAYS_THINKING_SINCE and self._family not in _ALWAYS_THINKING:
            return {"thinking": {"type": "disabled"}}
        return {"output_config": {"effort": "low"}} if self._has_effort else {}

    @property
    def _has_effort(self) -> bool:
        return bool(self.profile.get("reasoning_effort_levels"))

    @property
    def _family(self) -> str:
        found = _NAME.match(self.name)
        return found["family"] if found else ""

    @property
    def _version(self) -> tuple[int, int] | None:
        found = _NAME.match(self.name)
        return (int(found["major"]), int(found["minor"] or 0)) if found else None
