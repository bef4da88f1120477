"""Tools of the person's own: the ``@tool`` functions in a folder of Python files.

```python
from langchain_core.tools import tool

@tool
def water_level(station: str) -> str:
    '''Return the water level at a station.'''
    ...

water_level.metadata = {"effect": "read"}   # read, write or outside; without it: outside
```
"""

import asyncio
import importlib.util
import json
import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from langchain_core.tools import BaseTool, ToolException
from pydantic import BaseModel

from noctule.core.sessions.grants import Seal, digest_of
from noctule.core.settings import ToolsSettings
from noctule.core.tools.effects import EffectClass
from tools.base.json_arguments import JsonArguments, arguments_like
from tools.base.tool import Tool, ToolContext, ToolError, ToolResult

_LOG = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MOST_ERROR_CHARS = 2000


class _UnusableError(Exception):
    """A function cannot be a tool; ``str()`` of it goes on after its name."""


class OwnTool(Tool[BaseModel]):
    """One function of the person's; ``own_tools`` makes them.

    Args:
        function: as LangChain made it a tool.
        arguments: what it takes.
        effect: what it can change.
        outside: whether its results are text that somebody else wrote.
        seconds: how long a call may take.
        code: what its file holds.
    """

    family: ClassVar[str] = "own"

    def __init__(
        self,
        function: BaseTool,
        arguments: type[BaseModel],
        *,
        effect: EffectClass,
        outside: bool,
        seconds: float,
        code: bytes,
    ) -> None:
        self.arguments = arguments
        self.effect = effect
        self._function = function
        self._outside = outside
        self._seconds = seconds
        self._seal = {"its file": digest_of(code)}

    async def seal(self, arguments: BaseModel, context: ToolContext) -> Seal:
        """Return what the file it was read from holds."""
        return self._seal

    def subject(self, arguments: BaseModel) -> str | None:
        """Return the arguments as JSON."""
        return json.dumps(_given(arguments), ensure_ascii=False, default=str)

    def needs_person(self, arguments: BaseModel, context: ToolContext) -> str | None:
        """Say that the arguments may leave the machine when the session is private."""
        if not context.private or self.effect is not EffectClass.OUTSIDE:
            return None
        return f"the session is private, and {self._function.name} acts outside of this machine"

    async def run(self, arguments: BaseModel, context: ToolContext) -> ToolResult:
        """Call the function; one that is not async runs in a thread.

        Raises:
            ToolError: it failed or took too long.
        """
        name = self._function.name
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._function.ainvoke(_given(arguments))
        except TimeoutError as error:
            raise ToolError(
                f"{name} did not end within {self._seconds:g} s (tools.command_timeout). Nobody "
                "knows what it did."
            ) from error
        except ToolException as error:
            said = f"{name}: {str(error)[:_MOST_ERROR_CHARS]}"
            raise ToolError(said, outside=self._outside, private=self._outside) from error
        except Exception as error:
            _LOG.warning("The tool %s failed.", name, exc_info=True)
            text = f"{type(error).__name__}: {error}"[:_MOST_ERROR_CHARS]
            raise ToolError(
                f"{name} failed with {text}", outside=self._outside, private=self._outside
            ) from error
        return ToolResult(_text(answer), outside=self._outside, private=self._outside)


def own_tools(settings: ToolsSettings, problems: list[str]) -> Iterator[OwnTool]:
    """Yield the tools of the configured folder, by file and name.

    Args:
        settings: the folder.
        problems: gets a sentence for everything that cannot be used; the rest still works.
    """
    folder = settings.folder
    if folder is None:
        return
    if not folder.is_dir():
        problems.append(f"tools.folder: there is no folder {folder}. Make it, or remove the line.")
        return
    seconds = settings.command_timeout.total_seconds()
    for path in sorted(folder.glob("*.py")):
        code = path.read_bytes()
        module = _load(path, code, problems)
        for function in _functions(module):
            try:
                yield _tool_of(function, seconds, code)
            except _UnusableError as error:
                problems.append(f"{path.name}: the tool {function.name!r} {error}")


def _load(path: Path, code: bytes, problems: list[str]) -> ModuleType | None:
    """Run what was read of a file, and no bytecode that lies beside it; None when it cannot."""
    spec = importlib.util.spec_from_file_location(f"noctule_own_{path.stem}", path)
    if spec is None:
        return None
    module = importlib.util.module_from_spec(spec)
    try:
        exec(compile(code, path, "exec", dont_inherit=True), vars(module))  # noqa: S102 - the person's
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a file can fail in every way there is
        text = " ".join(str(error).split()) or "no reason given"
        problems.append(
            f"{path}: its tools are missing, because it cannot be run: {type(error).__name__}: "
            f"{text}"
        )
        return None
    return module


def _functions(module: ModuleType | None) -> Iterator[BaseTool]:
    """Yield the tools of a module, each once, in the order they were written."""
    seen: set[int] = set()
    for value in vars(module).values() if module is not None else ():
        if isinstance(value, BaseTool) and id(value) not in seen:
            seen.add(id(value))
            yield value


def _tool_of(function: BaseTool, seconds: float, code: bytes) -> OwnTool:
    """Return a tool.

    Raises:
        _UnusableError: it cannot be used.
    """
    if not _NAME.fullmatch(function.name):
        raise _UnusableError("must be named with letters, digits, - and _, 64 at most.")
    metadata: Mapping[str, Any] = function.metadata or {}
    said = metadata.get("effect", EffectClass.OUTSIDE.value)
    try:
        effect = EffectClass(said)
    except ValueError:
        known = ", ".join(effect.value for effect in EffectClass)
        raise _UnusableError(f'has the effect {said!r}; metadata["effect"] is {known}.') from None
    arguments = _arguments(function)
    text = " ".join(function.description.split())
    kind = type("OwnTool", (OwnTool,), {"name": function.name, "description": text})
    made: OwnTool = kind(
        function,
        arguments,
        effect=effect,
        outside=bool(metadata.get("outside", True)),
        seconds=seconds,
        code=code,
    )
    return made


def _arguments(function: BaseTool) -> type[BaseModel]:
    """Return what a function takes from a model.

    Raises:
        _UnusableError: it takes something that no model could give.
    """
    schema, whole = function.tool_call_schema, function.get_input_schema()
    if isinstance(schema, dict):
        return arguments_like(schema)
    if not (issubclass(schema, BaseModel) and issubclass(whole, BaseModel)):
        raise _UnusableError("describes its arguments with pydantic 1; use pydantic 2.")
    if set(schema.model_fields) != set(whole.model_fields):
        raise _UnusableError("takes arguments that only LangGraph could inject; leave them out.")
    return schema


def _given(arguments: BaseModel) -> dict[str, Any]:
    if isinstance(arguments, JsonArguments):
        return arguments.given()
    return arguments.model_dump(exclude_unset=True)


def _text(answer: Any) -> str:
    if isinstance(answer, str):
        return answer
    if answer is None:
        return "Done; it returned nothing."
    try:
        return json.dumps(answer, ensure_ascii=False, default=str)
    except (TypeError, ValueError):
        return str(answer)
