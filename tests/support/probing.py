"""Models under a probe: what a good one says, and providers that answer them as told."""

from collections.abc import Callable
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.messages.tool import tool_call

from noctule.models.capabilities.probe_cases import CASES, ProbeCase
from tests.support.good_replies import case_in, right_reply
from tests.support.provider import Reply, Request

BY_NAME = {case.name: case for case in CASES}


def right_arguments(case: ProbeCase) -> list[tuple[str, dict[str, Any]]]:
    """Return the calls that are due, with the arguments that are asked for."""
    return [(call.name, dict(call.arguments)) for call in case.wanted]


def right_message(case: ProbeCase) -> AIMessage:
    """Return what a good model answers."""
    calls = [
        tool_call(name=name, args=arguments, id=f"call{number}")
        for number, (name, arguments) in enumerate(right_arguments(case))
    ]
    return AIMessage(content="" if calls else "Cold.", tool_calls=calls)


def case_of(request: Request) -> ProbeCase | None:
    """Return the case that a request asks; None when it is no probe."""
    return case_in(request.body)


def probed(
    answer: Callable[[ProbeCase], Reply] = right_reply,
    otherwise: Callable[[Request], Reply | None] = lambda _: None,
) -> Callable[[Request], Reply | None]:
    """Return a provider's ``decide`` that answers probes in one way and all else in another.

    Args:
        answer: what it says to a case of a probe.
        otherwise: what it says to everything else.
    """

    def decide(request: Request) -> Reply | None:
        case = case_of(request)
        return otherwise(request) if case is None else answer(case)

    return decide
