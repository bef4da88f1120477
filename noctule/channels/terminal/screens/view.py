"""How the events of one turn become blocks and lines on a screen."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from noctule.channels.terminal.screens.screen import Screen
from noctule.channels.terminal.screens.tool_lines import ending, tool_line
from noctule.core.base.roles import Role
from noctule.core.llm.attempts import Purpose
from noctule.core.llm.events import Event, EventKind
from noctule.core.times.durations import show_duration


@dataclass(slots=True)
class _Voice:
    """One attempt that speaks.

    Args:
        role: whose.
        text: what it has said so far.
        waiting: said while somebody else has the screen.
        ended: whether it says nothing more.
    """

    role: str
    text: str = ""
    waiting: str = ""
    ended: bool = False


class TurnView:
    """Shows one turn; one voice has the screen, others at work meanwhile wait for it.

    Args:
        screen: where.
        tell_route: whether a line says who decided the route, and why.
    """

    def __init__(self, screen: Screen, *, tell_route: bool = False) -> None:
        self._screen = screen
        self._tell_route = tell_route
        self._voices: dict[str, _Voice] = {}
        self._speaking: str | None = None
        self._finished: list[str] = []
        self._several = False
        self._replied: str | None = None
        self._tools: dict[str, str] = {}
        self._handlers: Mapping[EventKind, Callable[[Mapping[str, Any]], None]] = {
            EventKind.TURN_STARTED: lambda _: self._screen.status("routing"),
            EventKind.WOKEN: self._woken,
            EventKind.ROUTE: self._route,
            EventKind.PLAN: self._plan,
            EventKind.ATTEMPT_STARTED: self._attempt_started,
            EventKind.DELTA: self._delta,
            EventKind.ATTEMPT_DISCARDED: self._discarded,
            EventKind.ATTEMPT_ENDED: self._attempt_ended,
            EventKind.TOOL_STARTED: self._tool_started,
            EventKind.TOOL_ENDED: self._tool_ended,
            EventKind.TURN_ENDED: self._ended,
            EventKind.NOTICE: lambda data: self._screen.note(str(data.get("text", ""))),
        }

    def show(self, event: Event) -> None:
        """Show one event; kinds it does not know are passed over."""
        handler = self._handlers.get(event.kind)
        if handler is not None:
            handler(event.data)

    def finish(self, reply: str | None) -> None:
        """End the turn, and show what is missing of its reply.

        Text may have come too fast, or from another process: what is stored is what counts.

        Args:
            reply: as it is stored; None when there is none.
        """
        if reply:
            self._complete(reply)
        self._end_block()
        self._screen.status(None)

    def _woken(self, data: Mapping[str, Any]) -> None:
        slept = data.get("slept_s")
        if slept is not None:
            self._screen.note(f"woke after {show_duration(float(slept))}")

    def _route(self, data: Mapping[str, Any]) -> None:
        roles = [str(role) for role in data.get("roles", ())]
        self._several = len(roles) > 1
        if self._tell_route:
            self._screen.note(f"→ {', '.join(roles)} ({data.get('by')}: {data.get('reason')})")
        self._screen.status(", ".join(roles))

    def _plan(self, data: Mapping[str, Any]) -> None:
        assignments: Sequence[Mapping[str, Any]] = data.get("assignments", ())
        if len(assignments) > 1:
            self._several = True
            self._screen.note("plan: " + "; ".join(map(_assignment, assignments)))

    def _attempt_started(self, data: Mapping[str, Any]) -> None:
        role, model = str(data.get("role", "")), data.get("model")
        if data.get("purpose", Purpose.ANSWER) == Purpose.ANSWER:
            self._voices[str(data["attempt"])] = _Voice(role)
        self._make_room()
        if self._speaking is None:
            instead = data.get("fallback_from")
            self._screen.status(
                f"{role} · {model} instead of {instead}" if instead else f"{role} · {model}"
            )

    def _delta(self, data: Mapping[str, Any]) -> None:
        attempt, text = str(data["attempt"]), str(data["text"])
        voice = self._voices.setdefault(attempt, _Voice(str(data.get("role", ""))))
        self._make_room()
        if self._speaking is None:
            self._begin(attempt)
        if self._speaking == attempt:
            voice.text += text
            self._screen.text(text)
        else:
            voice.waiting += text

    def _discarded(self, data: Mapping[str, Any]) -> None:
        attempt = str(data.get("attempt"))
        voice = self._voices.pop(attempt, None)
        if voice is None or self._speaking != attempt:
            return
        self._speaking = None
        self._screen.take_back(str(data.get("reason") or "it was abandoned"))
        self._next_voice()

    def _attempt_ended(self, data: Mapping[str, Any]) -> None:
        voice = self._voices.get(str(data.get("attempt")))
        if voice is None:
            return
        voice.ended = True
        if self._speaking == str(data.get("attempt")):
            self._next_voice()

    def _tool_started(self, data: Mapping[str, Any]) -> None:
        at_work = tool_line(data)
        self._tools[str(data.get("call"))] = at_work
        self._make_room()
        if self._speaking is None:
            self._screen.status(f"{data.get('role', '')} · {at_work}".strip(" ·"))

    def _tool_ended(self, data: Mapping[str, Any]) -> None:
        at_work = self._tools.pop(str(data.get("call")), None) or tool_line(data)
        self._screen.note(f"  {at_work}{ending(data, at_work)}")

    def _ended(self, data: Mapping[str, Any]) -> None:
        role = data.get("role")
        if self._several and role in set(Role):  # what several wrote together has no one speaker
            self._replied = str(role)

    def _make_room(self) -> None:
        """End what has been said to its end: what goes on now is shown below it."""
        if self._speaking is not None and self._voices[self._speaking].ended:
            self._end_block()

    def _next_voice(self) -> None:
        """Give the screen to whoever has something to say; else it stays with the last."""
        following = [name for name, voice in self._voices.items() if voice.waiting]
        if not following:
            return
        self._end_block()
        self._begin(following[0])
        if self._voices[following[0]].ended:
            self._next_voice()

    def _begin(self, attempt: str) -> None:
        voice = self._voices[attempt]
        self._speaking = attempt
        self._screen.begin(voice.role if self._several else None)
        if voice.waiting:
            voice.text, voice.waiting = voice.text + voice.waiting, ""
            self._screen.text(voice.text)

    def _end_block(self) -> None:
        if self._speaking is not None:
            self._finished.append(self._voices.pop(self._speaking).text)
            self._speaking = None
        self._screen.end()

    def _complete(self, reply: str) -> None:
        if self._speaking is not None:
            open_text = self._voices[self._speaking].text
            if reply.startswith(open_text):
                self._screen.text(reply[len(open_text) :])
                return
            self._end_block()
        if not _is_covered(reply, self._finished):
            self._screen.begin(self._replied)
            self._screen.text(reply)


def _assignment(assignment: Mapping[str, Any]) -> str:
    needs = ", ".join(map(str, assignment.get("needs", ())))
    after = f" after {needs}" if needs else ""
    return f"{assignment.get('id')} ({assignment.get('role')}){after}"


def _is_covered(reply: str, shown: Sequence[str]) -> bool:
    """Whether all of a reply has been shown, apart from headings that name its parts."""
    rest = reply
    for text in sorted(shown, key=len, reverse=True):
        if text.strip():
            rest = rest.replace(text.strip(), "")
    return all(not line.strip() or _is_heading(line.strip()) for line in rest.splitlines())


def _is_heading(line: str) -> bool:
    return line.startswith("**") and line.endswith("**")
