"""The prompt of a loop's next model call, made for whichever model is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AnyMessage

from agents.agent import Agent, read_prompt
from graphs.prompts.cut import Cut
from graphs.prompts.face import Face, face_of
from graphs.prompts.prompt import PromptSource, build, whole
from graphs.state.context import TurnContext
from graphs.tools.tool_selection import ToolSelection
from noctule.core.base.secret_forms import PLACEHOLDER
from noctule.core.ports.prompts import Fitted, Reader

_MOST_CUTS = 4
_MARK = "<data-"
_REMOVED = PLACEHOLDER.partition("{")[0]


@dataclass(slots=True)
class LoopPrompt:
    """Makes prompts of a loop; satisfies ``Fit``.

    Args:
        agent: whose loop it is.
        context: of the turn.
        offered: what the agent may call.
        messages: what it is to see, pictures included.
        task: the id of the message it works on.
        cuts: what was left out so far, by the model it was left out for.
    """

    agent: Agent
    context: TurnContext
    offered: ToolSelection
    messages: Sequence[AnyMessage]
    task: str | None
    cuts: dict[str, Cut] = field(default_factory=dict)

    def whole(self, reader: Reader) -> Fitted:
        """Return the prompt with nothing left out."""
        script = self._script(reader)
        return Fitted(whole(script), script.tools)

    def fitted(self, reader: Reader) -> Fitted:
        """Return the prompt, short enough.

        Raises:
            NoRoomError: it does not fit, whatever is left out.
        """
        script, key = self._script(reader), _key(reader)
        prompt = build(script, reader, self.cuts.get(key))
        self.cuts[key] = prompt.cut
        return Fitted(prompt.messages, script.tools)

    def face(self, reader: Reader) -> Face:
        """Return what a model is told and offered besides the conversation."""
        return face_of(self.agent, self.context, self.offered.tools, reader)

    def cuts_as_state(self) -> dict[str, Any]:
        """Return the newest cuts as plain JSON values."""
        left_out = {key: cut.as_state() for key, cut in self.cuts.items() if cut != Cut()}
        return dict(list(left_out.items())[-_MOST_CUTS:])

    def _script(self, reader: Reader) -> PromptSource:
        face = self.face(reader)
        system = face.system
        if not face.tools and any(_MARK in message.text for message in self.messages):
            system += f"\n\n{read_prompt('data')}"  # what others wrote is data without tools too
        if any(_REMOVED in message.text for message in self.messages):
            system += f"\n\n{read_prompt('secrets')}"
        return PromptSource(system, self.messages, self.task, face.tools)


def cuts_of(stored: Mapping[str, Any] | None) -> dict[str, Cut]:
    """Return cuts as they were stored."""
    return {key: Cut(**cut) for key, cut in (stored or {}).items()}


def _key(reader: Reader) -> str:
    """Return what a cut holds for: a window that turned out smaller begins anew."""
    return f"{reader.model}@{reader.window_tokens}"
