"""Tool calls as lines for people: what was done to what, how long it took, whether it failed."""

from collections.abc import Mapping
from typing import Any

from noctule.core.times.durations import show_duration

_MOST_CHARS = 72
_MOST_FILES = 3


def tool_line(data: Mapping[str, Any]) -> str:
    """Return the tool and what it acts on, from the event of its start or its end."""
    subject = " ".join(str(data.get("subject") or "").split())
    if len(subject) > _MOST_CHARS:
        subject = f"{subject[:_MOST_CHARS]} …"
    return f"{data.get('tool')} {subject}".rstrip()


def ending(data: Mapping[str, Any], line: str = "") -> str:
    """Return what stands behind a line once the call has ended: duration, failure, files.

    Args:
        data: of the event of its end.
        line: what stands before it; files it names are not named again.
    """
    parts: list[str] = []
    if data.get("duration_s") is not None:
        parts.append(show_duration(float(data["duration_s"])))
    if data.get("failed"):
        parts.append("failed")
    files = [str(name) for name in data.get("files") or () if str(name) not in line]
    if files:
        more = f" and {len(files) - _MOST_FILES} more" if len(files) > _MOST_FILES else ""
        parts.append(", ".join(files[:_MOST_FILES]) + more)
    return "".join(f" · {part}" for part in parts)
