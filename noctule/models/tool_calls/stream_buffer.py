"""Holding: text that begins like a written tool call is not shown before it is known what it is."""

import re
from collections.abc import Callable, Collection

from noctule.models.tool_calls.call_marks import OPENINGS
from noctule.models.tool_calls.text_tool_calls import FENCES, MARKERS, TAGS
from noctule.models.tool_calls.written_calls import NAME_KEYS, WRAPPER_KEYS

_OPENINGS = (
    *(f"<{tag}>" for tag in TAGS),
    *MARKERS,
    *OPENINGS,
    "<function=",
    "<invoke name=",
    "<\uff5ctool\u2581call",
    "<|channel|>",
    "<|start|>",
    "to=functions.",
    "commentary to=functions.",
    "Action:",
)
_FIRST_KEY = re.compile(r'[\[{\s]*(?:"(?P<key>[^"]*)(?P<ends>")?)?')
_FENCE_LINE = re.compile(r"```(?P<lang>[\w+\-]*)[ \t]*(?P<ends>\n)?")
_BESIDE_FIRST = frozenset({"type", "id", "thought", "reasoning"})


def may_become_imitation(beginning: str, offered: Collection[str]) -> bool:
    """Whether an answer that begins like this may turn out to be a written tool call.

    Args:
        beginning: what has come so far.
        offered: the names of the tools.
    """
    said = beginning.lstrip()
    if not said:
        return True
    fence = _FENCE_LINE.match(said)
    if fence is not None:
        if fence["ends"] is None and fence.end() == len(said):
            return True  # the word behind the fence may not be whole yet
        return fence["lang"].lower() in FENCES and may_become_imitation(
            said[fence.end() :], offered
        )
    return (
        "```".startswith(said)
        or _opens(said, (*_OPENINGS, *(f"<{name}>" for name in offered)))
        or _opens(said, _python_openings(offered))
        or _begins_as_json(said, offered)
    )


def _opens(said: str, openings: Collection[str]) -> bool:
    lowered = said.lower()
    return any(lowered.startswith(o.lower()) or o.lower().startswith(lowered) for o in openings)


def _python_openings(offered: Collection[str]) -> list[str]:
    plain = [f"{name}{end}" for name in offered for end in ("(", ".call(")]
    return [*plain, *(f"[{one}" for one in plain), *(f"print({one}" for one in plain)]


def _begins_as_json(said: str, offered: Collection[str]) -> bool:
    if said[0] not in "{[":
        return False
    match = _FIRST_KEY.match(said)
    key = None if match is None else match["key"]
    if match is None or key is None:
        return match is not None and match.end() == len(said)
    known = {*NAME_KEYS, *WRAPPER_KEYS, *_BESIDE_FIRST, *offered, "arguments", "parameters"}
    if match["ends"]:
        return key in known
    return any(word.startswith(key) for word in known)


class HeldText:
    """Hands text on, except that what may be a written tool call waits until it is told apart.

    Args:
        tell: is handed the text.
        offered: the names of the tools; with none nothing waits.
    """

    def __init__(self, tell: Callable[[str], None], offered: Collection[str]) -> None:
        self._tell = tell
        self._offered = offered
        self._held: list[str] = []
        self._holds = bool(offered)

    def add(self, text: str) -> None:
        """Take the next piece."""
        if not self._holds:
            self._tell(text)
            return
        self._held.append(text)
        if not may_become_imitation("".join(self._held), self._offered):
            self.release()

    def release(self) -> None:
        """Hand on what waits, and wait no more: it is an answer."""
        self._holds = False
        held, self._held = "".join(self._held), []
        if held:
            self._tell(held)
