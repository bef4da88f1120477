"""Ways out: what a call would carry to others after something private was read.

A search, an address, the arguments of a server may hold what the session has read. Before it has
read anything private nothing is asked. After that an address needs no question that the person
named, or that stands so in results or on a page: a model only chose it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from langchain_core.messages import AnyMessage, HumanMessage, ToolMessage

from graphs.tools.known_addresses import Known, addresses_in, host_of, known_addresses
from graphs.tools.tool_call import ToolCall
from noctule.core.ports.database import UnitOfWork
from noctule.core.tools.outside_text import data_in, own_words
from noctule.core.workers.patience import look_up

_READ = "the session has read what is yours alone"
_WEB = frozenset({"fetch", "web_search"})
_TOLD = ("summary-", "notes-")
"""How the ids of messages begin that tell what an agent has read."""

_RUN_CHARS = 24
_NUMBERED_RUN_CHARS = 14
_NUMBERED_CHARS = 8
_RANDOM_CHARS = 20
_NO_WORD = re.compile(r"[\W_]+")
_TOKEN = re.compile(r"[^\s\"'`(){}<>,;]+")


async def leaving(call: ToolCall, messages: Sequence[AnyMessage]) -> str | None:
    """Return why a call may carry out what was read, as a clause; None: it cannot.

    Args:
        call: any call.
        messages: of the loop so far.
    """
    if call.tool.family not in {"web", "mcp"}:
        return None
    said = await _said_if_private(call)
    if said is None:
        return None
    if call.tool.name == "web_search":
        return _searched(call.subject or "", said, messages)
    known = known_addresses(said, messages, _tools_of_servers(call))
    given = [call.subject or ""] if call.tool.name == "fetch" else _addresses_of(call.given)
    return _unknown(given, known)


def _tools_of_servers(call: ToolCall) -> frozenset[str]:
    """Return the tools whose results are others' words, as those of the web are."""
    return frozenset(tool.name for tool in call.equipment.toolbox.tools if tool.family == "mcp")


async def _said_if_private(call: ToolCall) -> list[str] | None:
    """Return what the person said in the session; None when nothing private was read in it."""
    id_ = call.context.session_id

    async def look(work: UnitOfWork) -> list[str] | None:
        session = await work.sessions.get(id_)
        if session.private_since is None:
            return None
        return [turn.text for turn in await work.turns.of_session(id_)]

    said = await look_up(call.turn.database, look)
    return None if said is None else [*said, call.turn.turn.text]


def _unknown(addresses: Iterable[str], known: Known) -> str | None:
    made = [url for url in addresses if not known.has(url)]
    if not made:
        return None
    host = host_of(made[0])
    where = "an address" if host is None else f"an address of {host}"
    return f"{_READ}, and {where} that neither you nor a page gave could carry it out"


def _addresses_of(given: Mapping[str, Any]) -> list[str]:
    return [url for text in _texts(given) for url in addresses_in(text)]


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(key)
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def _searched(query: str, said: Sequence[str], messages: Sequence[AnyMessage]) -> str | None:
    """Return why a query may hold what was read: words of it, a number, something unreadable."""
    public = _squeezed("\n".join([*map(own_words, said), *_results(messages, web=True)]))
    passed_on = [part for text in said for part in data_in(text)]
    private = _squeezed("\n".join([*passed_on, *_results(messages, web=False)]))
    why = f"{_READ}, and the search would tell others some of it"
    plain = _squeezed(query)
    if any(run in private and run not in public for run in _runs(plain)):
        return why
    for token in map(_squeezed, _TOKEN.findall(query)):
        numbered = any(letter.isdigit() for letter in token)
        if token in public or not numbered:
            continue
        if len(token) >= _RANDOM_CHARS or (len(token) >= _NUMBERED_CHARS and token in private):
            return why
    return None


def _results(messages: Sequence[AnyMessage], *, web: bool) -> Iterable[str]:
    for message in messages:
        if isinstance(message, ToolMessage) and (message.name in _WEB) is web:
            yield message.text
        elif isinstance(message, HumanMessage) and not web:
            told = str(message.id).startswith(_TOLD)
            yield from [message.text] if told else data_in(message.text)


def _runs(plain: str) -> Iterable[str]:
    """Yield what of a query is long enough to be told from other words; shorter with a number."""
    for length in (_RUN_CHARS, _NUMBERED_RUN_CHARS):
        for at in range(len(plain) - length + 1):
            run = plain[at : at + length]
            if length == _RUN_CHARS or any(letter.isdigit() for letter in run):
                yield run


def _squeezed(text: str) -> str:
    return _NO_WORD.sub("", text).casefold()


def redirected(call: ToolCall, url: str) -> ToolCall:
    """Return the call that a redirect amounts to: the same tool, with another address.

    What chose the address is the site; where the person had to be asked about the first one, its
    words may be in the second as well.
    """
    arguments = call.tool.arguments(url=url)
    there, known = host_of(url), host_of(str(getattr(call.arguments, "url", "")))
    leaves = call.leaves
    if leaves is not None and there != known:
        leaves = f"{_READ}, and {known} sends on to {there}"
    return replace(call, arguments=arguments, given={"url": url}, leaves=leaves)
