"""What providers say is left of the money of keys: asked now."""

import asyncio
from collections.abc import Iterable
from decimal import Decimal

from noctule.core.base.money import show_usd
from noctule.core.budgets.accounts import Statement
from noctule.core.clock import Clock
from noctule.core.settings import Settings
from noctule.doctor.finding import Finding, Level
from noctule.models.spend.balance_request import AccountQuestion


async def examine_accounts(settings: Settings, names: Iterable[str], clock: Clock) -> list[Finding]:
    """Ask the accounts of some endpoints; never raises.

    Args:
        settings: the configuration.
        names: endpoints whose keys are there.
        clock: the time.
    """
    asked = (_examine(settings, name, clock) for name in names)
    return [finding for finding in await asyncio.gather(*asked) if finding is not None]


async def _examine(settings: Settings, name: str, clock: Clock) -> Finding | None:
    endpoint = settings.endpoints[name]
    if endpoint.account is None:
        return None
    question = AccountQuestion(endpoint, endpoint.account, clock)
    try:
        answer = await question.ask()
    finally:
        await question.close()
    about = f"account of {name}"
    if isinstance(answer, str):
        sentence = f"What is left there is unknown; only Noctule's own budgets count: {answer}"
        fix = f"Compare endpoints.{name}.account with what the provider documents."
        return Finding(Level.WARNING, about, sentence, fix)
    if answer.left_usd is None:
        return Finding(Level.OK, about, f"The provider sets no limit ({answer.words}).")
    return _left(about, answer, answer.left_usd)


def _left(about: str, said: Statement, left: Decimal) -> Finding:
    of = "" if said.limit_usd is None else f" of {show_usd(said.limit_usd)}"
    until = "" if said.resets_at is None else f" until {said.resets_at:%Y-%m-%d %H:%M} UTC"
    sentence = f"{show_usd(max(left, Decimal(0)))}{of} left{until} ({said.words})."
    if left > 0:
        return Finding(Level.OK, about, sentence)
    fix = "Wait for its reset, or raise the limit at the provider."
    return Finding(Level.WARNING, about, sentence, fix)
