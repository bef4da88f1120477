"""The composition root: builds everything from the configuration; every part can be replaced.

Two depths, because a command that only reads the ledger should not load a graph:
``open_records`` (database, desk, events) and ``open_runtime`` (models, graph, driver on top).
"""

import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from noctule.config import Loaded, vetter
from noctule.core.base.ids import new_id
from noctule.core.base.masking import Masker, secrets_of
from noctule.core.base.private_files import folder_key, narrow_home
from noctule.core.budgets.budget_scopes import BudgetScopes
from noctule.core.clock import Clock, SystemClock
from noctule.core.errors import UsageError
from noctule.core.ports.database import Database
from noctule.core.ports.prompts import RoleRoom
from noctule.core.settings import Settings

if TYPE_CHECKING:
    from graphs.checkpointers import NoctuleSaver
    from graphs.state.tool_env import ToolEnvironment
    from noctule.models.binding.models import Models
    from noctule.models.spend.prices import Prices
    from noctule.sessions.service.run_reports import RunReports
    from noctule.sessions.service.service import SessionService
    from noctule.sessions.turns.contexts import Contexts
    from noctule.sessions.turns.events import EventLog
    from noctule.sessions.turns.executor import TurnExecutor
    from noctule.sessions.turns.forgetting import Forgetting
    from noctule.sessions.turns.orders import Orders
    from noctule.sessions.turns.transitions import TurnTransitions
    from noctule.sessions.workers.inline_worker import InlineWorker
    from noctule.sessions.workers.worker import Reporter, Worker
    from tools.registry import Toolbox

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Records:
    """What is enough to read and to submit.

    Args:
        settings: the configuration as it is now; a running program may take over a changed one.
        home: the data folder, absolute.
        clock: the time.
        zone: where times are shown.
        database: everything that is kept.
        service: takes requests and orders.
        events: what watchers see.
        config: the file the configuration was read from; None when it was not read from one.
        vet: says why an MCP server may not be started now, by its name; None lets each start.
    """

    settings: Settings
    home: Path
    clock: Clock
    zone: tzinfo
    database: Database
    service: "SessionService"
    events: "EventLog"
    config: Path | None = None
    vet: "Callable[[str], str | None] | None" = None


@dataclass(slots=True)
class Runtime:
    """What it takes to work.

    Args:
        records: what is enough to read and to submit.
        models: the models of all roles, as they are now.
        orders: what people order for running turns.
        rest: puts turns to sleep and ends them.
        advancer: carries one turn.
        driver: works one session off in this process.
        contexts: what turns are given.
        toolbox: what agents act with.
        forgetting: replaces the secrets of turns that have ended.
    """

    records: Records
    models: "Models"
    orders: "Orders"
    rest: "TurnTransitions"
    advancer: "TurnExecutor"
    driver: "InlineWorker"
    contexts: "Contexts"
    toolbox: "Toolbox"
    forgetting: "Forgetting"


@asynccontextmanager
async def open_records(
    loaded: Loaded, *, clock: Clock | None = None, database: Database | None = None
) -> AsyncIterator[Records]:
    """Open the database and what only needs it.

    Args:
        loaded: the configuration and the data folder.
        clock: None means the machine's.
        database: None opens the configured one, and closes it at the end.
    """
    from noctule.sessions.service.service import SessionService  # noqa: PLC0415 - only what the command needs
    from noctule.sessions.turns.events import EventLog  # noqa: PLC0415 - likewise

    clock = clock or SystemClock()
    close_home(loaded.home)
    async with AsyncExitStack() as stack:
        if database is None:
            from storage.open import open_database  # noqa: PLC0415 - loads SQLAlchemy

            url = loaded.settings.storage.url.get_secret_value()
            database = await open_database(url, data_folder=loaded.home, clock=clock)
            stack.push_async_callback(database.close)
        events = EventLog(database, clock)
        stack.push_async_callback(events.close)
        yield Records(
            settings=loaded.settings,
            home=loaded.home,
            clock=clock,
            zone=zone_of(loaded.settings),
            database=database,
            service=SessionService(loaded.settings, database, clock, home=loaded.home),
            config=loaded.path,
            vet=vetter(loaded),
            events=events,
        )


def close_home(home: Path) -> None:
    """Close the data folder to the other users of this machine, and say so where it was open.

    Raises:
        UsageError: it is another user's, who can read and change everything in it.
    """
    try:
        owner = home.stat().st_uid
    except OSError:
        return  # whoever makes it makes it private
    if os.geteuid() not in {0, owner} and owner != 0:
        raise UsageError(
            f"The data folder {home} belongs to another user, who could read and change everything "
            "in it. Set NOCTULE_HOME to a folder of your own."
        )
    opened = narrow_home(home)
    if opened:
        more = f" and {len(opened) - 1} more in it" if len(opened) > 1 else ""
        _LOG.warning("%s%s was readable by other users; that is fixed.", opened[0], more)


def prices_of(settings: Settings) -> "Prices":
    """Return what the configured models cost; cheap until a price of the library is asked for."""
    from noctule.models.spend.prices import Prices  # noqa: PLC0415 - only what the command needs

    return Prices(settings.endpoints, settings.models)


def run_reports(records: Records) -> "RunReports":
    """Return where it is read what became of runs."""
    from noctule.sessions.service.run_reports import RunReports  # noqa: PLC0415 - only what the command needs

    settings = records.settings
    prices = prices_of(settings).list_cost
    return RunReports(records.database, settings, prices, now=records.clock.now())


def build_models(records: Records, *, instead_of: "Models | None" = None) -> "Models":
    """Build the configured models over opened records; the caller closes them.

    Args:
        records: opened, and kept open as long as the models.
        instead_of: those of the configuration from before; None begins anew.

    Raises:
        ConfigError: a budget counts a model whose price nobody knows.
    """
    from noctule.models.binding.models import Models  # noqa: PLC0415 - loads LangChain
    from noctule.models.spend.known_prices import require_prices  # noqa: PLC0415 - loads LangChain

    prices = prices_of(records.settings)
    require_prices(records.settings, prices.list_cost, records.clock.now())
    models = Models(
        records.settings,
        records.database,
        records.clock,
        price=prices.cost,
        list_cost=prices.list_cost,
        instead_of=instead_of,
    )
    models.insist_on_proofs()
    return models


@asynccontextmanager
async def open_models(records: Records) -> AsyncIterator["Models"]:
    """Build the configured models over opened records, without a graph.

    Args:
        records: opened, and kept open as long as the models.

    Raises:
        ConfigError: a budget counts a model whose price nobody knows.
    """
    models = build_models(records)
    try:
        yield models
    finally:
        await models.close()


@asynccontextmanager
async def open_runtime(
    records: Records, *, models: "Models | None" = None, toolbox: "Toolbox | None" = None
) -> AsyncIterator[Runtime]:
    """Build models, tools, graph and driver over opened records.

    Args:
        records: opened, and kept open as long as the runtime.
        models: None builds the configured ones, and closes them at the end.
        toolbox: None opens the configured one, and closes it at the end.
    """
    from graphs.checkpointers import open_saver  # noqa: PLC0415 - likewise
    from graphs.runner import TurnRunner  # noqa: PLC0415 - loads LangGraph
    from noctule.sessions.service.budget_changes import wake_raised  # noqa: PLC0415 - likewise
    from noctule.sessions.turns.contexts import Contexts  # noqa: PLC0415 - likewise
    from noctule.sessions.turns.executor import TurnExecutor  # noqa: PLC0415 - loads the graph
    from noctule.sessions.turns.orders import Orders  # noqa: PLC0415 - likewise
    from noctule.sessions.turns.transitions import TurnTransitions  # noqa: PLC0415 - likewise
    from noctule.sessions.workers.inline_worker import InlineWorker  # noqa: PLC0415 - likewise
    from noctule.sessions.workers.lock import WorkerLock  # noqa: PLC0415 - likewise
    from noctule.sessions.workers.wakefulness import (  # noqa: PLC0415 - likewise
        Wakefulness,
        find_inhibitor,
    )
    from tools.registry import Toolbox  # noqa: PLC0415 - loads the tools

    settings, database, clock = records.settings, records.database, records.clock
    async with AsyncExitStack() as stack:
        if models is None:
            models = await stack.enter_async_context(open_models(records))
        if toolbox is None:
            toolbox = await stack.enter_async_context(
                Toolbox(
                    settings,
                    clock=clock,
                    zone=records.zone,
                    hidden=[records.home],
                    vet=records.vet,
                )
            )
            for problem in toolbox.problems:
                _LOG.warning("%s", problem)
        await wake_raised(database, BudgetScopes(settings), clock)
        saver = await stack.enter_async_context(
            open_saver(checkpoints_url(records), patience=database.patience)
        )
        orders = Orders(database)
        rest = TurnTransitions(
            database=database,
            events=records.events,
            bounds=settings.parking,
            zone=records.zone,
            clock=clock,
        )
        forgetting = forgetting_of(records, saver)
        stack.push_async_callback(forgetting.close)
        equipment = equipment_of(records, toolbox)
        contexts = Contexts(settings, models, database, clock, equipment)
        advancer = TurnExecutor(
            database=database,
            runner=TurnRunner(saver),
            events=records.events,
            orders=orders,
            rest=rest,
            contexts=contexts,
            clock=clock,
            forgetting=forgetting,
        )
        driver = InlineWorker(
            database=database,
            advancer=advancer,
            orders=orders,
            # On PostgreSQL the session's own lock is enough: it holds against every process.
            lock=None if settings.storage.is_postgres else WorkerLock(records.home, clock),
            clock=clock,
            wakefulness=Wakefulness(find_inhibitor(), clock) if settings.keep_awake else None,
            forgetting=forgetting,
        )
        stack.enter_context(database.patience.lasting())
        yield Runtime(
            records, models, orders, rest, advancer, driver, contexts, toolbox, forgetting
        )


def forgetting_of(records: Records, saver: "NoctuleSaver") -> "Forgetting":
    """Return what replaces the secrets of turns that have ended."""
    from noctule.core.base.secrets import Replacer  # noqa: PLC0415 - only for whoever works
    from noctule.sessions.turns.forgetting import Forgetting  # noqa: PLC0415 - likewise
    from storage.sqlite.home_files import HomeFiles  # noqa: PLC0415 - likewise

    def replacer() -> Replacer:
        settings = records.settings
        known = tuple(sorted(secrets_of(settings, os.environ)))
        names = frozenset({*settings.models, *settings.endpoints})
        return Replacer(folder_key(records.home), known, names)

    databases = [records.home / "engine.db"]
    if not records.settings.storage.is_postgres:
        checkpoints = Path(checkpoints_url(records))
        url = records.settings.storage.url.get_secret_value()
        named = Path(url.removeprefix("sqlite:///")).expanduser()
        own = records.home / "noctule.db" if url == "sqlite" else named
        databases += [own, checkpoints]
    return Forgetting(
        database=records.database,
        states=saver,
        disk=HomeFiles(records.home, databases, replacer),
        replacer=replacer,
        clock=records.clock,
    )


def equipment_of(records: Records, toolbox: "Toolbox") -> "ToolEnvironment":
    """Return what agents act with, under the configuration as it is now."""
    from graphs.state.tool_env import ToolEnvironment  # noqa: PLC0415 - loads the tools

    return ToolEnvironment(
        toolbox=toolbox,
        settings=records.settings,
        masker=Masker(secrets_of(records.settings, os.environ)),
        home=records.home,
        kept=() if records.config is None else (records.config,),
    )


@asynccontextmanager
async def open_worker(
    runtime: Runtime, *, what: str = "serve", reporter: "Reporter | None" = None
) -> AsyncIterator["Worker"]:
    """Work off every session while the block runs.

    The lock comes first: two engines on one data folder would both run its turns.

    Args:
        runtime: built, and kept open as long as the worker.
        what: the command, for whoever asks who works on the data folder.
        reporter: is told what happens; None tells nobody.

    Raises:
        DatabaseBusyError: another worker has the data folder.
    """
    from noctule.core.budgets.plan_ends import plan_ends  # noqa: PLC0415 - only a worker needs it
    from noctule.sessions.workers.engine import Engine  # noqa: PLC0415 - loads DBOS
    from noctule.sessions.workers.keep_awake import NightWatch  # noqa: PLC0415 - likewise
    from noctule.sessions.workers.lock import WorkerLock  # noqa: PLC0415 - only a worker needs it
    from noctule.sessions.workers.plan_end_notices import EndsWatch  # noqa: PLC0415 - likewise
    from noctule.sessions.workers.wakefulness import (  # noqa: PLC0415 - likewise
        Wakefulness,
        find_inhibitor,
    )
    from noctule.sessions.workers.worker import Worker  # noqa: PLC0415 - likewise

    records = runtime.records
    storage = records.settings.storage
    async with AsyncExitStack() as stack:
        lock = None
        if not storage.is_postgres:
            lock = WorkerLock(records.home, records.clock)
            tell = None if reporter is None else reporter.waits
            await stack.enter_async_context(lock.held(what, tell=tell))
        engine = Engine(
            url=storage.url.get_secret_value(),
            home=records.home,
            # On SQLite the next process is the same worker again; on PostgreSQL there are others.
            executor=new_id(records.clock) if storage.is_postgres else "local",
            most_turns=records.settings.limits.max_turns,
            clock=records.clock,
            patience=records.database.patience,
        )
        worker = Worker(
            database=records.database,
            advancer=runtime.advancer,
            orders=runtime.orders,
            rest=runtime.rest,
            engine=engine,
            bounds=records.settings.parking,
            most_turns=records.settings.limits.max_turns,
            clock=records.clock,
            reporter=reporter,
            stopping=None if lock is None else lock.stopping,
        )
        watch = NightWatch(
            records.database,
            Wakefulness(find_inhibitor() if records.settings.keep_awake else None, records.clock),
            records.clock,
            None if reporter is None else reporter.slept,
        )
        await stack.enter_async_context(watch.watching())
        ends = EndsWatch(
            records.database,
            plan_ends(records.settings),
            records.zone,
            records.clock,
            None if reporter is None else reporter.ends,
        )
        await stack.enter_async_context(ends.watching())
        await stack.enter_async_context(worker.working())
        await stack.enter_async_context(runtime.forgetting.watching())
        yield worker


async def delete_session(records: Records, session_id: str) -> None:
    """Delete a session for good: its rows, its checkpoints, and its own folder in the data folder.

    Raises:
        NotFoundError: there is no such session.
        UsageError: something of it is unfinished.
    """
    import shutil  # noqa: PLC0415 - only here

    from graphs.checkpointers import open_saver  # noqa: PLC0415 - loads LangGraph

    session = await records.service.remove(session_id)
    async with open_saver(checkpoints_url(records)) as saver:
        await saver.adelete_thread(session.id)
    if session.workspace is None:  # a folder that was given is the person's
        shutil.rmtree(records.home / "workspaces" / session.id, ignore_errors=True)


def newest_sessions(settings: Settings, home: Path, limit: int) -> list[tuple[str, str]]:
    """Return id and title of the newest sessions as far as a glance shows them, newest first."""
    from storage.glance import newest_sessions as glance  # noqa: PLC0415 - only when asked

    return glance(settings.storage.url.get_secret_value(), data_folder=home, limit=limit)


def checkpoints_url(records: Records) -> str:
    """Return where checkpoints go: beside the SQLite database, or a schema of PostgreSQL."""
    url = records.settings.storage.url.get_secret_value()
    if records.settings.storage.is_postgres:
        return url
    if url == "sqlite":
        return str(records.home / "checkpoints.db")
    database = Path(url.removeprefix("sqlite:///")).expanduser()
    return str(database.with_name(f"{database.stem}-checkpoints.db"))


def own_tool_problems(settings: Settings) -> list[str]:
    """Return what is wrong with the person's own tools, a sentence each; loads their files."""
    from tools.custom import own_tools  # noqa: PLC0415 - only for whoever asks

    problems: list[str] = []
    list(own_tools(settings.tools, problems))
    return problems


async def prompt_rooms(settings: Settings, clock: Clock) -> list[RoleRoom]:
    """Return what prompts and tools take of windows, by role and model; asks MCP servers.

    Args:
        settings: the configuration.
        clock: the time.
    """
    from agents.roster import ROSTER  # noqa: PLC0415 - loads the prompts
    from graphs.prompts.room import room_of  # noqa: PLC0415 - loads LangChain
    from noctule.models.binding.fitting import plain_reader  # noqa: PLC0415 - likewise
    from tools.registry import Toolbox  # noqa: PLC0415 - loads the tools

    rooms = []
    async with Toolbox(settings, clock=clock) as toolbox:
        for role, agent in ROSTER.items():
            await toolbox.prepare(role, agent.tools)
            tools = toolbox.for_role(role, agent.tools)
            insists = bool(settings.roles[role].tools)
            rooms += [
                room_of(agent, tools, plain_reader(settings, role, model), insists=insists)
                for model in settings.roles[role].models
                if settings.models[model].tools is not False
            ]
    return rooms


def sandbox_flaw(settings: Settings, home: Path) -> str | None:
    """Return why agents' commands have no sandbox here, a sentence or two; None when they have.

    Args:
        settings: whether one is wanted.
        home: the data folder, which nothing inside sees.
    """
    from tools.sandbox.sandbox import Sandbox  # noqa: PLC0415 - only for whoever asks

    return Sandbox(settings.tools, [home]).flaw


def zone_of(settings: Settings) -> tzinfo:
    """Return the zone times are shown in: the configured one, else the system's."""
    if settings.timezone is not None:
        return ZoneInfo(settings.timezone)
    local = SystemClock().now().astimezone().tzinfo
    if local is None:  # an aware moment always has one; the type does not say so
        return ZoneInfo("UTC")
    return local
