"""Tool calls as compatible servers stream them, read into pieces that add up.

OpenAI numbers calls, gives id and name once, and arguments in parts. Others repeat the name in each
part, or the id, or send another id each time; number nothing, or every call 0, or every part
differently; send id and name apart; send arguments as objects, as null, or whole so far each time;
use the older ``function_call``; send all calls once more at the end. Seen in issue threads of
vLLM, SGLang, Ollama, LM Studio, OpenRouter, Gemini, Nebius, Cerebras and LiteLLM, 2026-11.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import ToolCallChunk
from langchain_core.messages.tool import tool_call_chunk

from noctule.models.wire.call_arguments import read_arguments
from noctule.models.wire.sanitizing import Mender, mended

_NAMES = ("name", "tool_name")
_ARGUMENTS = ("arguments", "args", "parameters", "input")


@dataclass(slots=True)
class _Given:
    """One entry as it came."""

    id: str
    index: int | None
    name: str
    arguments: str
    extra: object


@dataclass(slots=True)
class _Call:
    number: int
    id: str = ""
    index: int | None = None
    name: str = ""
    arguments: str = ""
    mender: Mender = field(default_factory=Mender)

    @property
    def is_whole(self) -> bool:
        return bool(self.arguments.strip()) and read_arguments(self.arguments) is not None


class CallReader:
    """Reads the calls of one answer, whole or part by part.

    Attributes:
        extras: what a server wants back beside a call (Gemini's signatures), by the call's id.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self.extras: dict[str, Any] = {}

    def read(self, raw: object) -> list[ToolCallChunk]:
        """Return what the next entries of ``tool_calls`` add to the calls so far.

        Args:
            raw: the list as it came; an entry alone, or anything else, is taken for what it can
                be.
        """
        entries = raw if isinstance(raw, list) else [raw]
        given = [_given(entry) for entry in entries if isinstance(entry, Mapping)]
        named = [one for one in given if one.name]
        if len(named) > 1 and len({one.index for one in named} - {None}) < len(named):
            # several calls at once under one number, or none, are several calls
            for place, one in enumerate(named):
                one.index = -1 - len(self._calls) - place
        return [self._take(one) for one in given]

    def _take(self, given: _Given) -> ToolCallChunk:
        call = self._find(given)
        is_new = call is None
        if call is None:
            call = _Call(len(self._calls), index=given.index)
            call.id = self._free_id(given.id, call.number)
            self._calls.append(call)
        if given.extra:
            self.extras[call.id] = given.extra
        name = _more_name(call, given.name)
        call.name += name
        arguments = _more_arguments(call, given.arguments)
        call.arguments += arguments
        return tool_call_chunk(
            name=name or None,
            args=call.mender.mend(arguments),
            id=call.id if is_new else None,
            index=call.number,
        )

    def _find(self, given: _Given) -> _Call | None:
        """Return the call that an entry goes on with; None when it begins one."""
        if not self._calls:
            return None
        known = next((c for c in reversed(self._calls) if given.id and c.id == given.id), None)
        if known is not None:
            return None if _is_another(known, given) else known
        if not given.id and given.name and (same := self._said_before(given)) is not None:
            return same
        at_index = [c for c in self._calls if given.index is not None and c.index == given.index]
        call = at_index[-1] if at_index else None
        if given.id:
            return self._with_new_id(call, given)
        if call is None:
            # an index that moves on with every part, or none at all
            call = self._calls[-1] if not given.name or given.index is None else None
        if call is None or not given.name:
            return call
        return None if _begins_anew(call, given) else call

    def _said_before(self, given: _Given) -> _Call | None:
        """Return the call that an entry says once more as a whole."""
        arguments = read_arguments(given.arguments) if given.arguments.strip() else None
        if arguments is None:
            return None
        alike = (call for call in self._calls if call.name == given.name and call.is_whole)
        return next((c for c in alike if read_arguments(c.arguments) == arguments), None)

    def _with_new_id(self, call: _Call | None, given: _Given) -> _Call | None:
        if call is None:
            last = self._calls[-1]
            lone = not given.name and given.index is None and not last.is_whole
            return last if lone else None
        if call.id.startswith(_MADE_UP) and not (given.name and call.is_whole):
            return call  # the id comes after the name
        if not given.name:
            return call  # another id with every part
        repeats = given.name == call.name and bool(call.arguments) and not call.is_whole
        return call if repeats else None

    def _free_id(self, wanted: str, number: int) -> str:
        taken = {call.id for call in self._calls}
        return wanted if wanted and wanted not in taken else f"{_MADE_UP}{number}"


_MADE_UP = "call_made_"


def _given(entry: Mapping[str, Any]) -> _Given:
    function = entry.get("function")
    named = function if isinstance(function, Mapping) else entry
    index, id_ = entry.get("index"), entry.get("id")
    if isinstance(index, str) and index.isdecimal() and len(index) < len("10000"):
        index = int(index)
    name = next((named[key] for key in _NAMES if isinstance(named.get(key), str)), "")
    if not name and isinstance(function, str):
        name = function
    arguments = next((named[key] for key in _ARGUMENTS if key in named), None)
    return _Given(
        id=mended(str(id_)) if isinstance(id_, str | int) and not isinstance(id_, bool) else "",
        index=index if isinstance(index, int) and not isinstance(index, bool) else None,
        name=mended(name).strip(),
        arguments=_text_of(arguments),
        extra=entry.get("extra_content"),
    )


def _text_of(arguments: object) -> str:
    if isinstance(arguments, str):
        return arguments
    return "" if arguments is None else json.dumps(arguments)


def _is_another(call: _Call, given: _Given) -> bool:
    """Whether an entry is another call though its id is known: some give all calls the same."""
    if not given.name:
        return False
    if given.index is not None and call.index is not None and given.index != call.index:
        return call.is_whole or given.name != call.name
    return _differs_whole(call, given)


def _begins_anew(call: _Call, given: _Given) -> bool:
    """Whether an entry with a name and no id begins another call at the same place."""
    if given.name != call.name:
        if call.arguments:
            return True
        return not given.name.startswith(call.name) and bool(given.arguments)
    return _differs_whole(call, given)


def _differs_whole(call: _Call, given: _Given) -> bool:
    """Whether both are whole, and not the same said again."""
    before = read_arguments(call.arguments)
    if not before or not given.arguments.strip():  # {} is often a beginning only
        return False
    more = read_arguments(given.arguments)
    return more is not None and more != before


def _more_name(call: _Call, name: str) -> str:
    """Return what a name adds: nothing when it is repeated, its end when it grows."""
    if not call.name or not name or name == call.name:
        return "" if name == call.name else name
    if call.arguments:
        return ""
    return name.removeprefix(call.name)


def _more_arguments(call: _Call, arguments: str) -> str:
    """Return what arguments add; servers that send them whole so far repeat the beginning."""
    before = call.arguments
    if not before or not arguments:
        return arguments
    if before.lstrip().startswith("{") and arguments.startswith(before):
        return arguments[len(before) :]
    if call.is_whole and read_arguments(arguments) == read_arguments(before):
        return ""
    return arguments
