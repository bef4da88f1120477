"""What an MCP server offers: its list of tools, read one by one."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field, ValidationError

if TYPE_CHECKING:
    from mcp import ClientSession
    from mcp.types import Tool as OfferedTool

_MOST_PAGES = 20
_MOST_TOOLS = 200


@dataclass(slots=True)
class Listed:
    """What a server offers."""

    tools: "list[OfferedTool]" = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)


class _Page(BaseModel):
    """A page of its list; one odd tool does not make the others unreadable."""

    tools: list[Any] = Field(default_factory=list)
    nextCursor: str | None = None  # noqa: N815 - the protocol's name


async def greet(session: "ClientSession") -> Listed:
    """Agree on the protocol and return the tools that are offered."""
    from mcp.types import (  # noqa: PLC0415 - loaded with the session
        ClientRequest,
        ListToolsRequest,
        PaginatedRequestParams,
    )

    await session.initialize()
    listed = Listed()
    cursor: str | None = None
    for _ in range(_MOST_PAGES):
        request = ListToolsRequest(params=PaginatedRequestParams(cursor=cursor))
        page = await session.send_request(ClientRequest(request), _Page)
        for each in page.tools[:_MOST_TOOLS]:
            _read_into(listed, each)
        cursor = page.nextCursor
        if not cursor or len(listed.tools) >= _MOST_TOOLS:
            break
    del listed.tools[_MOST_TOOLS:]
    return listed


def _read_into(listed: Listed, each: object) -> None:
    from mcp.types import Tool as OfferedTool  # noqa: PLC0415 - loaded with the session

    try:
        listed.tools.append(OfferedTool.model_validate(each))
    except ValidationError as error:
        name = each.get("name") if isinstance(each, dict) else None
        where = ".".join(str(part) for part in error.errors()[0]["loc"]) or "it"
        if len(listed.unreadable) < _MOST_TOOLS:
            listed.unreadable.append((str(name), f"{where} is not what MCP says"))
