"""``/cost`` and ``/why``: what was spent, what may be, and what made one reply what it is."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from noctule.bootstrap import prices_of
from noctule.channels.telegram.base.amounts import shown_cost
from noctule.channels.telegram.base.context import BotContext, IncomingMessage, session_in
from noctule.channels.telegram.base.hours import hour
from noctule.channels.telegram.base.ownership import own_session
from noctule.channels.telegram.base.preferences import Preferences
from noctule.channels.telegram.commands.command import Command, answer
from noctule.channels.telegram.delivery.markdown import bare
from noctule.channels.telegram.delivery.outgoing import OutgoingMessage
from noctule.channels.telegram.views.explanations import explanation_lines
from noctule.core.base.private_files import make_folder, write_private
from noctule.core.budgets.budget_scopes import RUN_BUDGET
from noctule.core.errors import UsageError
from noctule.core.llm.attempts import Attempt
from noctule.core.messaging.messages import OutgoingKind
from noctule.core.reports.budget_report import BudgetLine
from noctule.core.reports.costs import Spend, compare, dearest
from noctule.core.reports.explanation import Explanation, explain
from noctule.core.sessions.sessions import LOCAL_OWNER, Turn
from noctule.sessions.service.spend_preview import read_budgets

_DAYS = 14
_WEEK = 7
_PICTURES_KEPT = timedelta(days=2)
_ALL = 1_000_000


def commands() -> tuple[Command, ...]:
    """Return the commands of this file."""
    return (
        Command(
            "cost",
            "what was spent, by role and day, and budgets",
            "",
            "What today, the last 7 and the last 14 days cost, by role and model, compared with "
            "the most expensive model; a chart; and your budgets. Guests see their own.",
            _cost,
        ),
        Command(
            "why",
            "explain a reply (reply to it)",
            "",
            "Explains the reply you reply to, or the newest one here: its route, which models "
            "were asked and skipped, waits, parks, cost.",
            _why,
        ),
    )


async def _cost(bot: BotContext, said: IncomingMessage) -> None:
    records = bot.records
    wants = await Preferences.read(bot, said.place)
    now = records.clock.now()
    today = now.astimezone(wants.zone).date()
    since = now - timedelta(days=_DAYS + 1)
    async with records.database.read() as work:
        attempts = await work.attempts.list(since=since)
        mine = {one.id for one in await work.sessions.list(owner=said.owner)}
    if said.owner != LOCAL_OWNER:
        attempts = [attempt for attempt in attempts if attempt.session_id in mine]
    dated = [(attempt.started_at.astimezone(wants.zone).date(), attempt) for attempt in attempts]
    first = today - timedelta(days=_DAYS - 1)
    shown = [(day, attempt) for day, attempt in dated if day >= first]
    budgets = await read_budgets(records.database, records.settings, now)
    lines = [
        *_spent(shown, today),
        *_by(shown, "role"),
        *_by(shown, "model"),
        *_saved(bot, [attempt for _, attempt in shown], now),
        *_budgets(budgets if said.owner == LOCAL_OWNER else [], wants, now),
    ]
    await answer(bot, said, "\n".join(lines))
    await _chart(bot, said, shown, first)


def _spent(dated: Sequence[tuple[date, Attempt]], today: date) -> Iterator[str]:
    spans = {"Today": 1, f"{_WEEK} days": _WEEK, f"{_DAYS} days": _DAYS}
    for name, days in spans.items():
        begin = today - timedelta(days=days - 1)
        spend = Spend.of([attempt for day, attempt in dated if day >= begin])
        unknown = f" and {spend.unknown} requests of unknown price" if spend.unknown else ""
        cost = shown_cost(spend.cost_usd)
        yield f"**{name}**: {cost}{unknown}, {spend.calls} answers"


def _by(dated: Sequence[tuple[date, Attempt]], name: str) -> Iterator[str]:
    groups: defaultdict[str, list[Attempt]] = defaultdict(list)
    for _, attempt in dated:
        groups[str(getattr(attempt, name))].append(attempt)
    spends = {key: Spend.of(group).cost_usd for key, group in groups.items()}
    if spends:
        ordered = sorted(spends.items(), key=lambda item: -(item[1] or 0))
        yield f"By {name}: " + ", ".join(f"{bare(key)} {shown_cost(usd)}" for key, usd in ordered)


def _saved(bot: BotContext, attempts: Sequence[Attempt], now: datetime) -> Iterator[str]:
    settings, prices = bot.records.settings, prices_of(bot.records.settings)
    bound = dict.fromkeys(model for _, role in settings.roles.items() for model in role.models)
    model = dearest(bound, prices.list_cost, now)
    there = None if model is None else compare(attempts, model, prices.list_cost)
    if there is not None and there.saved_usd:
        word = "saved" if there.saved_usd > 0 else "lost"
        yield (
            f"All of it on {bare(there.model)}: {shown_cost(there.cost_usd)}, so "
            f"{shown_cost(abs(there.saved_usd))} {word}"
        )


def _budgets(lines: Sequence[BudgetLine], wants: Preferences, now: datetime) -> Iterator[str]:
    named = [line for line in lines if line.tally.key.name != RUN_BUDGET or line.asleep]
    if named:
        yield ""
        yield "**Budgets**"
    for line in named:
        resets = line.tally.ends_at
        until = f", resets {hour(resets, wants.zone, now)}" if resets is not None else ""
        asleep = f", {len(line.asleep)} parked on it" if line.asleep else ""
        held = f", {shown_cost(line.tally.held_usd)} reserved" if line.tally.held_usd else ""
        yield (
            f"{bare(str(line.tally.key))}: {shown_cost(line.tally.settled_usd)} of "
            f"{shown_cost(line.budget.usd)}{held}{until}{asleep}"
        )


async def _chart(
    bot: BotContext, said: IncomingMessage, dated: Sequence[tuple[date, Attempt]], first: date
) -> None:
    from noctule.channels.telegram.views.charts import ChartDay, spend_chart  # noqa: PLC0415 - loads Pillow

    sums: defaultdict[date, defaultdict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for day, attempt in dated:
        sums[day][attempt.role] += attempt.cost_usd or 0
    days = [ChartDay(day, sums[day]) for day in (first + timedelta(days=n) for n in range(_DAYS))]
    if not any(day.usd for day in days):
        return
    picture = await asyncio.to_thread(spend_chart, days)
    folder = bot.records.home / "telegram" / "charts"
    name = f"cost-{said.place.chat}-{said.number}.png"
    path = await asyncio.to_thread(_keep, folder, name, picture, bot.records.clock.now())
    caption = f"Spend by role, {_DAYS} days"
    letter = OutgoingMessage(
        said.place,
        said.key("chart"),
        "answer",
        {"path": str(path), "name": name, "caption": caption},
        kind=OutgoingKind.PHOTO,
    )
    await bot.outbox.post(letter)


def _keep(folder: Path, name: str, picture: bytes, now: datetime) -> Path:
    """Write a picture where the outbox finds it, and drop those of earlier days."""
    make_folder(folder)
    for old in folder.glob("cost-*.png"):
        if old.stat().st_mtime < (now - _PICTURES_KEPT).timestamp():
            old.unlink(missing_ok=True)
    path = folder / name
    write_private(path, picture)
    return path


async def _why(bot: BotContext, said: IncomingMessage) -> None:
    turn = await _meant(bot, said)
    wants = await Preferences.read(bot, said.place)
    explained = await _explain(bot, turn)
    lines = explanation_lines(explained, zone=wants.zone, now=bot.records.clock.now())
    # Markdown joins single lines
    await answer(bot, said, "  \n".join(lines))


async def _meant(bot: BotContext, said: IncomingMessage) -> Turn:
    """Return the turn a reply belongs to, else the newest finished one here.

    Raises:
        UsageError: there is none.
    """
    about = said.answers
    async with bot.records.database.read() as work:
        if about is not None and about.turn_id is not None:
            turn = await work.turns.get(about.turn_id)
        else:
            chat = await bot.chat(said.place, said.owner)
            talks = session_in(chat, said.owner)
            turns = await work.turns.of_session(talks) if talks else []
            finished = [one for one in turns if one.status.finished]
            if not finished:
                raise UsageError("Nothing to explain here yet. Reply with /why to an answer.")
            turn = finished[-1]
    await own_session(bot, turn.session_id, said.owner)
    return turn


async def _explain(bot: BotContext, turn: Turn) -> Explanation:
    settings, prices = bot.records.settings, prices_of(bot.records.settings)
    bound = dict.fromkeys(model for _, role in settings.roles.items() for model in role.models)
    async with bot.records.database.read() as work:
        return explain(
            await work.sessions.get(turn.session_id),
            turn,
            route=await work.routes.of_turn(turn.id),
            attempts=await work.attempts.list(turn_id=turn.id),
            events=await work.events.after(turn.session_id, 0, limit=_ALL),
            dearest=dearest(bound, prices.list_cost, bot.records.clock.now()),
            list_cost=prices.list_cost,
        )
