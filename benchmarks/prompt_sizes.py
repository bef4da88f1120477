"""How many tokens each role takes of a window before its task: what it is told, and its tools.

Counted by the tokenizer of the packaged model (SmolLM2), through the product's own embedded server:
the system text, then one line of JSON for each tool, as most chat templates write them. Both faces
are shown: the full one, and the lean one of small windows and weak models. ``--weights`` counts by
another GGUF file.

    python -m benchmarks.prompt_sizes [--weights FILE] [--tools] [--json]
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from agents.agent import Agent
from agents.roster import ROSTER
from graphs.prompts.face import Face, face, lean_face
from noctule.core.clock import SystemClock
from noctule.core.settings import Settings
from noctule.models.embedded.options import EmbeddedOptions
from noctule.models.embedded.server import EmbeddedServer
from tools.registry import AnyTool, Toolbox


class Tokenizer:
    """Counts texts by a server's ``POST /tokenize``."""

    def __init__(self, url: str, key: str) -> None:
        self._client = httpx.AsyncClient(
            base_url=url.removesuffix("/v1"), headers={"authorization": f"Bearer {key}"}
        )

    async def count(self, text: str) -> int:
        """Return the tokens of a text."""
        answer = await self._client.post("/tokenize", json={"content": text})
        answer.raise_for_status()
        return len(answer.json()["tokens"])

    async def close(self) -> None:
        """Let go of the connection."""
        await self._client.aclose()


def usual_tools(agent: Agent, toolbox: Toolbox) -> tuple[AnyTool, ...]:
    """Return the tools a role has when its configuration does not say otherwise."""
    return toolbox.for_role(agent.role, agent.tools)


async def sizes(tokenizer: Tokenizer, shown: Face) -> tuple[int, int, dict[str, int]]:
    """Return the tokens of the system text, of all tools, and of each of them."""
    each = {tool["function"]["name"]: await tokenizer.count(_line(tool)) for tool in shown.tools}
    return await tokenizer.count(shown.system), sum(each.values()), each


def _line(tool: Any) -> str:
    return json.dumps(tool, ensure_ascii=False) + "\n"


async def measure(weights: Path | None) -> list[dict[str, Any]]:
    """Return a row per role and face."""
    clock = SystemClock()
    toolbox = Toolbox(_settings(), clock=clock)
    server = EmbeddedServer(EmbeddedOptions(weights=weights, context_tokens=512), clock=clock)
    address = await server.address()
    tokenizer = Tokenizer(address.url, address.api_key)
    rows = []
    try:
        for agent in ROSTER.values():
            tools = usual_tools(agent, toolbox)
            faces = {"full": face(agent, tools), "lean": lean_face(agent, tools)}
            for name, shown in faces.items():
                if name == "lean" and not tools:
                    continue
                system, definitions, each = await sizes(tokenizer, shown)
                rows.append(
                    {
                        "role": agent.role.value,
                        "face": name,
                        "prompt": system,
                        "tools": len(shown.tools),
                        "definitions": definitions,
                        "together": system + definitions,
                        "each": each,
                    }
                )
    finally:
        await tokenizer.close()
        await server.close()
    return rows


def _settings() -> Settings:
    model = {"endpoint": "here", "name": "any"}
    role = {"primary": "model"}
    return Settings.model_validate(
        {
            "endpoints": {"here": {"kind": "scripted"}},
            "models": {"model": model},
            "roles": dict.fromkeys(Settings.model_fields["roles"].annotation.model_fields, role),
        }
    )


def table(rows: Sequence[dict[str, Any]], *, tools: bool) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "| role | face | prompt | tools | their definitions | together |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = (
            row[name] for name in ("role", "face", "prompt", "tools", "definitions", "together")
        )
        lines.append("| " + " | ".join(map(str, cells)) + " |")
        if tools:
            lines += [f"|  | {name} |  |  | {size} |  |" for name, size in row["each"].items()]
    return "\n".join(lines)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, help="a GGUF file; its tokenizer counts")
    parser.add_argument("--tools", action="store_true", help="a line for each tool")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    rows = asyncio.run(measure(wanted.weights))
    print(json.dumps(rows) if wanted.json else table(rows, tools=wanted.tools))
    return 0


if __name__ == "__main__":
    sys.exit(main())
