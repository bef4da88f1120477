"""``noctule doctor``: checks everything, and says how to mend what is wrong."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from noctule.cli.frame.invocation import Invocation, runs

if TYPE_CHECKING:
    from noctule.doctor.finding import Finding

_FAILED = 1


@click.command("doctor")
@click.option(
    "--json", is_flag=True, expose_value=False, help="Print one JSON document and nothing else."
)
@runs
async def command(invocation: Invocation) -> int:
    """Check your setup and explain how to fix any problems.

    It checks the configuration, data folder, database, endpoints, models and machine. Every
    endpoint is asked which models it has; that costs nothing. Exit code 1 when something you need
    does not work, 2 when the configuration cannot be used.
    """
    from noctule.core.clock import SystemClock  # noqa: PLC0415 - not for --help
    from noctule.core.errors import ConfigError  # noqa: PLC0415 - likewise
    from noctule.doctor.examination import Examination, unreadable  # noqa: PLC0415 - likewise
    from noctule.doctor.finding import Level  # noqa: PLC0415 - likewise

    try:
        loaded = invocation.load()
    except ConfigError as error:
        findings = unreadable(error)
        _answer(invocation, findings)
        return error.exit_code
    findings = await Examination(loaded, os.environ, SystemClock()).findings()
    _answer(invocation, findings)
    return _FAILED if any(found.level is Level.ERROR for found in findings) else 0


def _answer(invocation: Invocation, findings: "Sequence[Finding]") -> None:
    from noctule.doctor.finding import Level  # noqa: PLC0415 - not for --help

    findings = [_discreet(found, invocation.secrets) for found in findings]
    if invocation.as_json:
        counts = {level.value: sum(f.level is level for f in findings) for level in Level}
        invocation.print_document(
            {
                "ok": not counts[Level.ERROR],
                "counts": counts,
                "findings": [found.as_json() for found in findings],
            }
        )
        return
    for found in findings:
        for line in _lines(found):
            click.echo(line)
    click.echo(_summary(findings))


def _discreet(found: "Finding", secrets: Sequence[str]) -> "Finding":
    """Hide secrets: providers repeat keys in what they say."""
    from noctule.cli.frame.logs import hide  # noqa: PLC0415 - not for --help

    fix = None if found.fix is None else hide(found.fix, secrets)
    return replace(found, sentence=hide(found.sentence, secrets), fix=fix)


def _lines(found: "Finding") -> list[str]:
    from noctule.channels.terminal.screens.printable import shown  # noqa: PLC0415 - not for --help
    from noctule.doctor.finding import Level  # noqa: PLC0415 - likewise

    colors = {Level.OK: "green", Level.ADVICE: "cyan", Level.WARNING: "yellow", Level.ERROR: "red"}
    head = click.style(f"{found.level.value:8}", fg=colors[found.level])
    lines = [f"{head} {shown(f'{found.about}: {found.sentence}')}"]
    if found.fix is not None:
        lines.append(f"{'':8} → {shown(found.fix)}")
    return lines


def _summary(findings: "Sequence[Finding]") -> str:
    from noctule.doctor.finding import Level  # noqa: PLC0415 - not for --help

    words = {Level.ERROR: "error", Level.WARNING: "warning", Level.ADVICE: "piece of advice"}
    plural = {"error": "errors", "warning": "warnings", "piece of advice": "pieces of advice"}
    parts = []
    for level, word in words.items():
        count = sum(found.level is level for found in findings)
        if count:
            parts.append(f"{count} {word if count == 1 else plural[word]}")
    return f"\n{', '.join(parts)}." if parts else "\nEverything is fine."
