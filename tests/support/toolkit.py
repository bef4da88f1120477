"""Tools for tests of the loop: they count what they do and do as told.

In a test::

    board = Board()
    async with open_theatre(tmp_path, stage, tools=board.tools()) as theatre:
        ...
    assert board.written == ["one"]
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, Field

from noctule.core.settings import Permission
from noctule.core.tools.effects import EffectClass
from tests.support.stage import Act
from tools.ask import AskTool
from tools.base.tool import Tool, ToolContext, ToolError, ToolResult


def calls(*called: tuple[str, Mapping[str, Any]], text: str = "") -> Act:
    """Return a reply that calls tools."""
    said = [(name, json.dumps(arguments)) for name, arguments in called]
    return Act(text=text, tools=said, finish="tool_calls")


@dataclass
class Board:
    """What was done.

    Args:
        read: what ``look`` was asked.
        written: what ``put`` wrote.
        sent: what ``send`` sent into the world.
        shown: what ``look`` returns; what is not there is an error.
        fails: what ``look`` fails with, in the words of others.
        outside: whether ``look`` returns what others wrote.
        tells: whether ``put`` can tell what happened.
        hold: ``put`` waits for this before it writes; None does not.
        held: set once ``put`` waits.
        needs_person: why ``put`` must be asked about; None: need not be.
        approved: whether the last ``put`` was allowed by a person.
        order: every call as it began, and every ``put`` as it ended.
    """

    read: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    shown: dict[str, str] = field(default_factory=dict)
    fails: dict[str, str] = field(default_factory=dict)
    outside: bool = False
    tells: bool = True
    hold: asyncio.Event | None = None
    held: asyncio.Event = field(default_factory=asyncio.Event)
    needs_person: str | None = None
    approved: bool = False
    order: list[str] = field(default_factory=list)

    def tools(self) -> list[Tool[Any]]:
        return [Look(self), Put(self), Send(self), AskTool()]


class LookArguments(BaseModel):
    where: str


class WhatArguments(BaseModel):
    what: str = Field(min_length=1)
    times: int = 1


class Look(Tool[LookArguments]):
    name = "look"
    family = "files"
    description = "Look somewhere."
    arguments = LookArguments
    effect = EffectClass.READ

    def __init__(self, board: Board) -> None:
        self._board = board

    def subject(self, arguments):
        return arguments.where

    async def run(self, arguments, context):
        self._board.read.append(arguments.where)
        self._board.order.append(f"look {arguments.where}")
        if arguments.where == "broken":
            raise RuntimeError("it fell over")
        if arguments.where in self._board.fails:
            raise ToolError(self._board.fails[arguments.where], outside=True)
        if arguments.where not in self._board.shown:
            raise ToolError(f"There is nothing at {arguments.where}.")
        return ToolResult(self._board.shown[arguments.where], outside=self._board.outside)


class Put(Tool[WhatArguments]):
    name = "put"
    family = "files"
    description = "Write something on the board."
    arguments = WhatArguments
    effect = EffectClass.WRITE

    def __init__(self, board: Board) -> None:
        self._board = board

    def subject(self, arguments):
        return arguments.what

    def needs_person(self, arguments, context: ToolContext):
        return self._board.needs_person

    async def before(self, arguments, context):
        return {"length": len(self._board.written)}

    async def happened(self, arguments, context, before):
        if not self._board.tells:
            return None
        if self._board.written[before["length"] :]:
            return ToolResult(f"{arguments.what} is on the board.")
        return False

    async def run(self, arguments, context):
        self._board.approved = context.approved
        self._board.order.append(f"put {arguments.what}")
        await asyncio.sleep(0)  # noqa: TID251 - lets what runs at the same time go first
        if self._board.hold is not None:
            self._board.held.set()
            await self._board.hold.wait()
        self._board.written.append(arguments.what)
        self._board.order.append(f"done {arguments.what}")
        return ToolResult(f"wrote {arguments.what}", files=(f"{arguments.what}.txt",))


class Send(Tool[WhatArguments]):
    name = "send"
    family = "own"
    description = "Send something into the world."
    arguments = WhatArguments
    effect = EffectClass.OUTSIDE

    def __init__(self, board: Board) -> None:
        self._board = board

    def subject(self, arguments):
        return arguments.what

    async def run(self, arguments, context):
        self._board.sent.append(arguments.what)
        return ToolResult(f"sent {arguments.what}")


class Server(Tool[WhatArguments]):
    name = "shop_buy"
    family = "mcp"
    description = "Buy something."
    arguments = WhatArguments
    effect = EffectClass.OUTSIDE
    permission = Permission.ALLOW
    server = "shop"

    def __init__(self, board: Board) -> None:
        self._board = board

    async def run(self, arguments, context):
        self._board.sent.append(arguments.what)
        return ToolResult("bought")
