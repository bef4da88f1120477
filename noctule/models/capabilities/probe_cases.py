"""The cases of a probe: what a model is asked to find out whether it calls tools.

Necessary for ``proven`` is what every step of an agent loop needs: a call with typed arguments,
the choice of the right tool, none where none fits, going on from a tool's result, and all of it
streamed. Enumerations with nested objects and several calls in one reply raise the score only: a
loop gets along without them, and tells a model what was wrong with its arguments. Whoever misses
one of those two is asked once more, whether it can be led (``models.tool_calls.manner``). A model
that writes its calls as text is asked again with the tools described in words.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages.tool import tool_call

from noctule.core.llm.proofs import BY_TEXT
from noctule.models.tool_calls.manner import FINISH, FINISH_TOOL

SYSTEM = (
    "You are an assistant with tools. When one of them does what the person asks for, call it; "
    "when none does, answer in words."
)


@dataclass(frozen=True, slots=True)
class WantedCall:
    """A call that is due.

    Args:
        name: of the tool.
        arguments: what must be among its arguments; texts may be longer or differ in case.
    """

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ProbeCase:
    """One question to a model.

    Args:
        name: one word.
        tools: what it is offered, by name.
        messages: what it is asked.
        wanted: the calls that are due, in any order; none means that it should answer in words.
        streamed: whether the answer is asked for piece by piece.
        necessary: whether ``proven`` needs it.
    """

    name: str
    tools: Mapping[str, Mapping[str, Any]]
    messages: tuple[BaseMessage, ...]
    wanted: tuple[WantedCall, ...]
    streamed: bool = False
    necessary: bool = True

    @property
    def has_results(self) -> bool:
        """Whether results of tools stand in its conversation."""
        return any(isinstance(message, ToolMessage) for message in self.messages)

    @property
    def definitions(self) -> list[dict[str, Any]]:
        """The tools as every client takes them; the one that ends the work is added elsewhere."""
        offered = [tool for name, tool in self.tools.items() if name != FINISH]
        return [{"type": "function", "function": dict(tool)} for tool in offered]


def _tool(name: str, description: str, /, **fields: Mapping[str, Any]) -> Mapping[str, Any]:
    parameters = {"type": "object", "properties": fields, "required": list(fields)}
    return {"name": name, "description": description, "parameters": parameters}


def _text(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}


def _offer(*tools: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {tool["name"]: tool for tool in tools}


def _ask(text: str) -> tuple[BaseMessage, ...]:
    return SystemMessage(SYSTEM), HumanMessage(text)


def _called(name: str, arguments: Mapping[str, Any], id_: str) -> AIMessage:
    return AIMessage(content="", tool_calls=[tool_call(name=name, args=dict(arguments), id=id_)])


_WEATHER = _tool("get_weather", "Tell the weather in a city now.", city=_text("The city's name."))
_TIMER = _tool(
    "set_timer",
    "Set a timer that rings once.",
    label=_text("What it is for."),
    minutes={"type": "integer", "description": "Minutes until it rings."},
    loud={"type": "boolean", "description": "Whether it rings loudly."},
)
_STOCK = _tool("get_stock_price", "Tell the price of a share.", symbol=_text("The ticker symbol."))
_MAIL = _tool("send_mail", "Send an e-mail.", to=_text("The address."), text=_text("The text."))
_FIND = _tool("find_customer", "Find a customer's number by name.", name=_text("The full name."))
_BALANCE = _tool(
    "get_balance",
    "Tell the balance of a customer's account.",
    customer_id={"type": "integer", "description": "The customer's number."},
)
_TICKET = _tool(
    "open_ticket",
    "Open a ticket for the support team.",
    title=_text("What is wrong, in a few words."),
    priority={"type": "string", "enum": ["low", "normal", "high"]},
    contact={
        "type": "object",
        "description": "Whom to ask about it.",
        "properties": {"name": _text("The name."), "email": _text("The address.")},
        "required": ["name", "email"],
    },
)

_FOUND = (
    *_ask("What is the balance of the customer Grace Hopper? Find her number first."),
    _called("find_customer", {"name": "Grace Hopper"}, "call00001"),
    ToolMessage(content='{"customer_id": 4711}', tool_call_id="call00001", name="find_customer"),
)

CASES: tuple[ProbeCase, ...] = (
    ProbeCase(
        "typed",
        _offer(_TIMER),
        _ask("Set a loud timer for the bread that rings in 25 minutes."),
        (WantedCall("set_timer", {"label": "bread", "minutes": 25, "loud": True}),),
    ),
    ProbeCase(
        "choice",
        _offer(_WEATHER, _STOCK),
        _ask("What is the weather like in Lisbon right now?"),
        (WantedCall("get_weather", {"city": "Lisbon"}),),
    ),
    ProbeCase(
        "restraint",
        _offer(_STOCK, _MAIL),
        _ask("What is the opposite of the word 'hot'? Answer with one word."),
        (),
    ),
    ProbeCase(
        "nested",
        _offer(_TICKET),
        _ask(
            "Open a ticket with high priority: the printer is broken. "
            "The contact is Ada Byron, ada@example.org."
        ),
        (
            WantedCall(
                "open_ticket",
                {
                    "title": "printer",
                    "priority": "high",
                    "contact": {"name": "Ada Byron", "email": "ada@example.org"},
                },
            ),
        ),
        necessary=False,
    ),
    ProbeCase(
        "result",
        _offer(_FIND, _BALANCE),
        _FOUND,
        (WantedCall("get_balance", {"customer_id": 4711}),),
    ),
    ProbeCase(
        "parallel",
        _offer(_WEATHER),
        _ask("What is the weather in Oslo and in Cairo? Ask for both cities at once."),
        (WantedCall("get_weather", {"city": "Oslo"}), WantedCall("get_weather", {"city": "Cairo"})),
        necessary=False,
    ),
    ProbeCase(
        "streamed",
        _offer(_WEATHER, _TIMER),
        _ask("Set a quiet timer for the tea that rings in 4 minutes."),
        (WantedCall("set_timer", {"label": "tea", "minutes": 4, "loud": False}),),
        streamed=True,
    ),
)
"""In the order in which they are asked."""

GUIDED = ProbeCase(
    "guided",
    _offer(_FIND, _BALANCE, FINISH_TOOL["function"]),
    (
        *_FOUND,
        _called("get_balance", {"customer_id": 4711}, "call00002"),
        ToolMessage(content='{"balance_usd": 120}', tool_call_id="call00002", name="get_balance"),
    ),
    (WantedCall(FINISH, {"report": "120"}),),
    necessary=False,
)
"""Whether a model that has to call something ends its work by the tool that is for it."""

TEXT_CASES: tuple[ProbeCase, ...] = tuple(
    replace(case, name=f"{BY_TEXT}{case.name}")
    for case in CASES
    if case.necessary and not case.streamed
)
"""What is asked again with the tools described in words; what streams is the same text."""

TEXT_GUIDED = replace(GUIDED, name=f"{BY_TEXT}{GUIDED.name}")
