"""What providers themselves say is left, beside the budgets."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from noctule.cli.frame.tell import tell
from noctule.core.errors import OurBugError

if TYPE_CHECKING:
    from noctule.bootstrap import Records
    from noctule.cli.json_types.budgets import BudgetDocument
    from noctule.core.budgets.accounts import Statement
    from noctule.core.reports.budget_report import AccountLine
    from noctule.core.settings import Settings


async def read_accounts(records: "Records") -> "list[AccountLine]":
    """Return what was last heard of every endpoint with an account; nobody is asked."""
    from noctule.core.reports.budget_report import report_accounts  # noqa: PLC0415 - only when asked

    keys = _keys(records.settings)
    if not keys:
        return []
    async with records.database.read() as work:
        accounts = await work.accounts.list()
        parkings = await work.parkings.all_open()
    return report_accounts(keys, accounts=accounts, parkings=parkings, now=records.clock.now())


async def ask_accounts(records: "Records") -> int:
    """Ask every account now, and let go on who sleeps on one with money left; return how many."""
    from noctule.core.budgets.accounts import Account  # noqa: PLC0415 - only when asked
    from noctule.models.spend.balance_request import AccountQuestion  # noqa: PLC0415 - likewise
    from noctule.sessions.service.budget_changes import wake_filled  # noqa: PLC0415 - likewise

    clock, keys = records.clock, _keys(records.settings)

    async def ask(name: str) -> "Statement | str":
        endpoint = records.settings.endpoints[name]
        if endpoint.account is None:
            raise OurBugError(f"Endpoint {name} has no account. Please report this.")
        question = AccountQuestion(endpoint, endpoint.account, clock)
        try:
            return await question.ask()
        finally:
            await question.close()

    answers = await asyncio.gather(*(ask(name) for name in keys))
    async with records.database.read() as work:
        known = {(one.endpoint, one.key_fingerprint): one for one in await work.accounts.list()}
    now = clock.now()
    heard = [
        known.get((name, key), Account(name, key, now)).heard(answer, now)
        for (name, key), answer in zip(keys.items(), answers, strict=True)
    ]
    return await wake_filled(records.database, heard, clock)


def account_document(line: "AccountLine", records: "Records") -> "BudgetDocument":
    """Return a line for programs: the keys of a budget, and those of its own.

    Amounts that nobody knows are null; ``unlimited`` says that a null limit is none.
    """
    from noctule.cli.frame.moments import iso  # noqa: PLC0415 - not for --help
    from noctule.core.budgets.accounts import account_key  # noqa: PLC0415 - likewise

    said, account = line.statement, line.account
    return {
        "by": "provider",
        "name": account_key(line.endpoint).name,
        "of": line.endpoint,
        "usd": _number(said.limit_usd if said else None),
        "spent_usd": _number(line.spent_usd),
        "held_usd": None,
        "left_usd": _number(said.left_usd if said else None),
        "over_usd": None,
        "recovered_usd": None,
        "window": None,
        "resets_at": iso(said.resets_at if said else None, records.zone),
        "on_exhausted": None,
        "asleep": list(line.asleep),
        "unlimited": said.unlimited if said else None,
        "never_resets": said.never_resets if said else None,
        "words": said.words if said else None,
        "asked_at": iso(account.asked_at if account else None, records.zone),
        "answered_at": iso(account.answered_at if account else None, records.zone),
        "trouble": account.trouble if account else None,
    }


def print_accounts(lines: "Sequence[AccountLine]", records: "Records") -> None:
    """Print a table, and a sentence for each endpoint whose provider is not understood."""
    from noctule.cli.frame.moments import show  # noqa: PLC0415 - not for --json
    from noctule.cli.frame.tables import Column, print_table  # noqa: PLC0415 - likewise
    from noctule.core.base.short_ids import short_ids  # noqa: PLC0415 - likewise

    short = short_ids([name for line in lines for name in line.asleep])
    now = records.clock.now()
    print_table(
        (
            Column("by the provider", rank=0),
            Column("limit", rank=3, is_number=True),
            Column("spent", rank=1, is_number=True),
            Column("left", rank=0, is_number=True),
            Column("resets", rank=2),
            Column("heard", rank=5),
            Column("parked on it", rank=6),
        ),
        [
            (
                line.endpoint,
                *_amounts(line),
                _resets(line, records),
                show(line.account.answered_at if line.account else None, records.zone, now),
                " ".join(short[name] for name in line.asleep) or "-",
            )
            for line in lines
        ],
    )
    for line in lines:
        trouble = line.account.trouble if line.account else None
        if trouble is not None:
            tell(
                f"Endpoint {line.endpoint}: {trouble} What is left there is unknown; only "
                "Noctule's own budgets count. Ask again with `noctule budgets ask`."
            )


def _amounts(line: "AccountLine") -> tuple[str, str, str]:
    from noctule.core.base.money import show_usd  # noqa: PLC0415 - not for --json

    said = line.statement
    if said is None:
        return ("$?", "$?", "$?")
    if said.unlimited:
        return ("none", show_usd(said.spent_usd), "-")
    left = max(Decimal(0), said.left_usd) if said.left_usd is not None else None
    return (show_usd(said.limit_usd), show_usd(line.spent_usd), show_usd(left))


def _resets(line: "AccountLine", records: "Records") -> str:
    from noctule.cli.frame.moments import show  # noqa: PLC0415 - not for --json

    if line.statement is None:
        return "?" if line.account else "not asked yet"
    if line.statement.resets_at is None:
        return "never" if line.statement.never_resets else "?"
    return show(line.statement.resets_at, records.zone, records.clock.now())


def _keys(settings: "Settings") -> dict[str, str]:
    """Return the fingerprint of the key that asks, of every endpoint with an account."""
    from noctule.models.base.fingerprint import Fingerprints  # noqa: PLC0415 - likewise
    from noctule.models.spend.balance_request import account_key  # noqa: PLC0415 - not for --help

    fingerprints = Fingerprints.shared()
    return {
        name: fingerprints.of(account_key(endpoint))
        for name, endpoint in settings.endpoints.items()
        if endpoint.account is not None
    }


def _number(usd: Decimal | None) -> float | None:
    return None if usd is None else float(usd)
