"""What a run would stop and ask for, asked in one question before it begins."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from noctule.channels.terminal.screens.printable import printable
from noctule.cli.frame.tell import tell
from noctule.core.errors import UsageError
from noctule.core.tools.foreseen import Foreseen, bare_commands

if TYPE_CHECKING:
    from noctule.bootstrap import Records
    from noctule.sessions.service.service import Request

_COMMANDS = ("shell", "python")


async def with_foreseen(
    records: "Records", request: "Request", *, as_json: bool, asks: bool, stays: bool
) -> "Request":
    """Return a request with what the person allows it beforehand.

    Only somebody at a terminal is asked, once, and not when they said ``--allow`` or that nothing
    is to be asked: everything else goes on at once.

    Args:
        records: the configuration and what was allowed before.
        request: not submitted yet.
        as_json: whether a program reads the answer.
        asks: whether anything may be asked.
        stays: whether the person follows the work from its beginning: then what is asked about only
            because their own rules say so is left to be asked when it comes to that.
    """
    from noctule.bootstrap import sandbox_flaw  # noqa: PLC0415 - not for --help
    from noctule.sessions.service.foresight import foreseen  # noqa: PLC0415 - loads the tools

    settings, home = records.settings, records.home
    if request.allow:
        runs = any(rule.partition(":")[0] in _COMMANDS for rule in request.allow)
        if runs and sandbox_flaw(settings, home) is not None:
            tell(f"Allowed for this run: {bare_commands()}.")
        return request
    if not asks or as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return request
    found = await foreseen(request, settings, records.database, records.clock, home)
    if not found or (stays and all(item.by_rule for item in found)):
        return request
    return replace(request, allow=await _ask(found, records))


async def _ask(found: Sequence[Foreseen], records: "Records") -> tuple[str, ...]:
    from noctule.channels.terminal.input.prompt import (  # noqa: PLC0415 - only to type
        InputPrompt,
        forget_typed_ahead,
    )
    from noctule.sessions.service.grants import check_rules  # noqa: PLC0415 - likewise

    forget_typed_ahead()
    tell(
        "Before it starts: it would stop and ask you for this. Allow it now, and it continues by "
        "itself."
    )
    width = max(len(item.rule) for item in found)
    for number, item in enumerate(found, 1):
        tell(f"  {number}  {printable(item.rule):{width}}  {printable(item.means)}.")
    tell("It will ask about what you do not allow when it comes up, and wait for you.")
    prompt = InputPrompt(None)
    while True:
        said = await prompt.ask("allow for this run (1,2 or all; Enter: nothing)> ")
        try:
            rules = read_choice(said or "", found)
            check_rules(rules, records.settings)
        except UsageError as error:
            tell(str(error))
        else:
            return rules


def read_choice(said: str, found: Sequence[Foreseen]) -> tuple[str, ...]:
    """Return the rules that a person's words allow: numbers, rules of their own, or all.

    Raises:
        UsageError: a number stands for nothing.
    """
    words = [word for word in said.replace(",", " ").split() if word]
    if [word.lower() for word in words] in (["all"], ["a"]):
        return tuple(item.rule for item in found)
    if [word.lower() for word in words] in (["no"], ["n"], ["none"]):
        return ()
    rules = []
    for word in words:
        if not word.isdecimal():
            rules.append(word)
        elif 1 <= int(word) <= len(found):
            rules.append(found[int(word) - 1].rule)
        else:
            raise UsageError(f"There is no {word} in the list. Choose from 1 to {len(found)}.")
    return tuple(dict.fromkeys(rules))
