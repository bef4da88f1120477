"""Bind: every model call of a loop goes to the role's binding, with a prompt made to fit."""

from dataclasses import replace

from langchain.agents.middleware.types import ModelRequest
from langchain_core.messages import SystemMessage

from graphs.prompts.loop_prompt import LoopPrompt
from graphs.state.context import TurnContext
from graphs.tools.tool_selection import TALKERS, known_tools
from noctule.core.llm.attempts import Purpose
from noctule.core.ports.prompts import Reader


def bound(
    request: ModelRequest[TurnContext], prompt: LoopPrompt, reader: Reader
) -> ModelRequest[TurnContext]:
    """Return a loop's model request with the role's binding.

    What it carries says what the call is about; what is sent is made for the model that is asked.

    Args:
        request: as the loop made it.
        prompt: makes what is sent.
        reader: the model that would be asked now.
    """
    context, role = prompt.context, prompt.agent.role
    made = prompt.whole(reader)
    system, *messages = made.messages
    # Who talks answers in words as they come; a report that is an argument comes all at once.
    call = context.call(role, Purpose.ANSWER, stream=True, loop=role not in TALKERS)
    known = frozenset(tool.name for tool in known_tools(prompt.agent, context))
    call = replace(call, tools_known=known)
    return request.override(
        model=context.models.bind(call, prompt),
        system_message=SystemMessage(system.content),
        messages=messages,
        tools=list(made.tools),
    )
