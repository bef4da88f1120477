"""Nudge: a run that ends in words without anything having been done is asked once whether it is.

Small models announce what they are about to do ("I'll search the files...") and stop, claim what
they did not do, or write the program into their answer instead of into the file. Such an answer is
asked about; an answer that is only an answer is not. What they are told is true of their work;
whoever had nothing to do says so with one word, and the answer before stands.
"""

import re
from collections.abc import Sequence

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from agents.agent import Agent
from graphs.state.context import TurnContext
from graphs.tools.tool_call import NOTED
from graphs.tools.tool_selection import known_tools
from noctule.core.base.roles import Role
from noctule.core.sessions.sessions import SessionKind
from noctule.core.tools.effects import EffectClass

COMPLETE = "COMPLETE"
"""What an agent says whose answer was complete."""

_WORKERS = frozenset({Role.ENGINEER, Role.RESEARCH})
_CHANGERS = frozenset({Role.ENGINEER})
_OPENING = "(This is Noctule, not the person.) "
_CLOSING = (
    " If the task is done as it stands, answer with the one word "
    f"{COMPLETE}. If not, go on: call a tool now, do not announce it."
)
_SAID = {
    "nothing": "You called nothing: no file was read or changed, no command was run.",
    "failed": "None of your calls came to anything.",
    "looked": "You only looked: no file was changed and no command was run.",
}
_ANNOUNCES = re.compile(
    r"```|:\s*\Z"
    r"|\b(?:I['\u2019]ll|I\swill|I(?:\sa|['\u2019])m\s(?:now\s)?going\sto|let\sme(?!\sknow)|let['\u2019]s|next,\sI"
    r"|now\sI|I\s(?:need|have|want)\sto|I\sshould|we\s(?:need|have)\sto|the\snext\sstep)\b"
    r"|\b(?:ich\swerde|lass\smich|als\sn\u00e4chstes|ich\smuss|je\svais|il\sfaut\sque\sje|voy\sa|vou|ora"
    r"\sdevo|adesso|sto\sper)\b|\u6211\u5c06|\u6211\u4f1a|\u8ba9\u6211|\u63a5\u4e0b\u6765"
    r"|\u6b21\u306b"
    r"|\b(?:\u0441\u0435\u0439\u0447\u0430\u0441\s\u044f|\u044f\s\u0431\u0443\u0434\u0443)\b",
    re.IGNORECASE,
)
"""Words of somebody who is not done, and a program that stands in an answer."""

_DEEDS = (
    r"(?:fixed|changed|updated|created|written|wrote|added|renamed|moved|removed|deleted|edited"
    r"|corrected|implemented|replaced|saved|installed|tested|ran|executed)"
)
_CLAIMS = re.compile(
    rf"\bI(?:['\u2019]ve|\shave)?\s(?:now\s|also\s|successfully\s)?{_DEEDS}\b"
    rf"|\b(?:has|have)\s(?:now\s)?been\s(?:successfully\s)?{_DEEDS}\b"
    rf"|\b(?:is|are)\snow\s{_DEEDS}\b|\bsuccessfully\s{_DEEDS}\b"
    r"|\bich\shabe\b.{0,80}\b(?:ge\u00e4ndert|geschrieben|erstellt|behoben|umbenannt|korrigiert)\b"
    r"|\bj['\u2019]ai\s(?:corrig\u00e9|modifi\u00e9|cr\u00e9\u00e9|\u00e9crit|renomm\u00e9)\b"
    r"|\bhe\s(?:corregido|modificado|creado|escrito|renombrado)\b"
    r"|\u6211\u5df2|\u5df2\u7ecf|\u5df2\u4fee\u6539|\u5df2\u521b\u5efa",
    re.IGNORECASE,
)
"""Words of somebody who says that something was changed or run."""


def nudge(
    agent: Agent, messages: Sequence[AnyMessage], context: TurnContext
) -> HumanMessage | None:
    """Return what a loop is told that is about to end; None when it may.

    Args:
        agent: whose loop it is.
        messages: of the loop, an answer in words last.
        context: of the turn; only runs are nudged, in a chat the person is there to say so.
    """
    if context.session.kind is not SessionKind.RUN or agent.role not in _WORKERS:
        return None
    if not known_tools(agent, context) or not _may_call(messages[-1], context):
        return None
    what = _undone(messages, context)
    if what is None:
        return None
    said = messages[-1].text
    is_doubtful = bool(_ANNOUNCES.search(said) or _CLAIMS.search(said))
    if what == "looked" and agent.role not in _CHANGERS:
        return None
    if what != "failed" and not is_doubtful:
        return None
    return HumanMessage(_OPENING + _SAID[what] + _CLOSING)


def is_complete(text: str) -> bool:
    """Whether an agent answers that its answer before was complete."""
    words = re.findall(r"\w+", text)
    return len(words) <= 5 and COMPLETE in words  # noqa: PLR2004 - "It is COMPLETE." and the like


def _may_call(message: AnyMessage, context: TurnContext) -> bool:
    """Whether the model that answered was offered tools, as far as that is known."""
    noted = getattr(message, "response_metadata", {}).get("noctule", {})
    facts = context.models.facts().get(noted.get("model"))
    return facts is None or facts.tools is not False


def _undone(messages: Sequence[AnyMessage], context: TurnContext) -> str | None:
    """Return what can be said of a loop that did nothing; None when it did something."""
    results = []
    for message in reversed(messages[:-1]):
        if message.additional_kwargs.get(NOTED, {}).get("steer"):
            return None  # a person follows the work and has just been answered
        if isinstance(message, ToolMessage):
            results.append(message)
        elif isinstance(message, AIMessage) and not message.tool_calls:
            break  # the answer of an earlier turn
    if not results:
        return "nothing"
    good = [result for result in results if result.status != "error"]
    if any(not _only_looks(result.name, context) for result in good):
        return None
    return "looked" if good else "failed"


def _only_looks(name: str | None, context: TurnContext) -> bool:
    tool = None if context.equipment is None else context.equipment.toolbox.find(str(name))
    return tool is not None and tool.effect is EffectClass.READ
