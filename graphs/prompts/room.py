"""Room: what a role's prompt and tools leave of the window of a model, before any task."""

from collections.abc import Sequence

from langchain_core.messages import SystemMessage

from agents.agent import Agent
from graphs.prompts.face import face, face_for
from graphs.prompts.prompt import largest_tools
from noctule.core.ports.prompts import Reader, RoleRoom
from tools.registry import AnyTool


def room_of(agent: Agent, tools: Sequence[AnyTool], reader: Reader, *, insists: bool) -> RoleRoom:
    """Return how much of a model's window is taken before anybody has asked anything.

    Args:
        agent: whose prompt and tools.
        tools: what it may call now.
        reader: the model.
        insists: whether the configuration names the tools, so that none is left out.
    """
    shown = face_for(face(agent, tools), agent, tools, reader, insists=insists)
    taken = reader.counter.count([SystemMessage(shown.system)], shown.tools)
    return RoleRoom(
        role=agent.role.value,
        model=reader.model,
        window_tokens=reader.window_tokens,
        prompt_tokens=reader.prompt_tokens,
        taken_tokens=taken,
        tools=len(shown.tools),
        largest=largest_tools(shown.tools, reader.counter),
    )
