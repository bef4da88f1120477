"""What a model that calls tools says to each case of a probe, in any provider's words."""

import json
from typing import TYPE_CHECKING, Any

from tests.support.replies import Reply, ToolCall

if TYPE_CHECKING:
    from noctule.models.capabilities.probe_cases import ProbeCase


def case_in(body: dict[str, Any]) -> "ProbeCase | None":
    """Return the case that a request asks; None when it is no probe."""
    if not body.get("tools"):
        return None
    from noctule.models.capabilities.probe_cases import CASES, SYSTEM  # noqa: PLC0415 - loads LangChain

    asked = json.dumps(body, ensure_ascii=False)
    if SYSTEM not in asked:
        return None
    return next((case for case in CASES if str(case.messages[1].content) in asked), None)


def right_reply(case: "ProbeCase") -> Reply:
    """Return what a good model answers, as a provider sends it."""
    calls = tuple(
        ToolCall(call.name, dict(call.arguments), id=f"call{number}")
        for number, call in enumerate(case.wanted)
    )
    return Reply(text="" if calls else "Cold.", tool_calls=calls)


def good_reply(body: dict[str, Any]) -> Reply | None:
    """Return the right reply to a request of a probe; None when it is none."""
    case = case_in(body)
    return None if case is None else right_reply(case)
