"""The examination: everything is looked at, all endpoints at once."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from noctule.bootstrap import (
    checkpoints_url,
    open_records,
    own_tool_problems,
    prices_of,
    prompt_rooms,
    sandbox_flaw,
    zone_of,
)
from noctule.config import Loaded
from noctule.core.clock import Clock
from noctule.core.errors import ConfigError, NoctuleError
from noctule.core.settings import EndpointKind, Settings
from noctule.doctor import machine
from noctule.doctor.accounts import examine_accounts
from noctule.doctor.bindings import advise
from noctule.doctor.finding import Finding, Level
from noctule.doctor.presence import compare, missing_models
from noctule.doctor.prompts import prompt_findings
from noctule.doctor.proofs import prove_findings
from noctule.doctor.reaching import Reached, reach, report_reached
from noctule.doctor.stores import stores
from noctule.doctor.telegram import BotQuestions
from noctule.doctor.told_windows import told_windows
from noctule.doctor.traffic import traffic
from noctule.models.base.client import Client
from noctule.models.base.endpoints import Endpoints
from noctule.models.clients.build import build_client
from noctule.sessions.workers.lock import WorkerLock
from noctule.sessions.workers.wakefulness import find_inhibitor
from noctule.setup.discover import memory_bytes


@dataclass(frozen=True, slots=True)
class Examination:
    """What is looked at.

    Args:
        loaded: the configuration.
        environ: the environment variables.
        clock: the time.
    """

    loaded: Loaded
    environ: Mapping[str, str] = field(repr=False)
    clock: Clock

    async def findings(self) -> list[Finding]:
        """Look at everything; never raises for what is wrong."""
        settings, home = self.loaded.settings, self.loaded.home
        stored, reached, accounts = await asyncio.gather(
            self._records(),
            self._reach_all(),
            examine_accounts(settings, self._with_keys(), self.clock),
        )
        bot = await self._bot()
        flaw = await asyncio.to_thread(sandbox_flaw, settings, home)
        unusable = await asyncio.to_thread(own_tool_problems, settings)
        inhibitor = find_inhibitor()
        rooms = await prompt_rooms(settings, self.clock)
        zone, now = zone_of(settings), self.clock.now()
        missing = [
            name
            for one in reached
            if settings.endpoints[one.endpoint].kind is EndpointKind.OLLAMA
            and machine.is_here(settings, one.endpoint)
            for name in missing_models(settings, one.endpoint, one.models or ())
            if one.models is not None
        ]
        return [
            *self._configuration(),
            *stored,
            *self._endpoints(reached),
            *accounts,
            *bot,
            *machine.memory(settings, memory_bytes()),
            *machine.disk(home, settings, missing),
            *machine.sandbox(flaw, settings),
            *(Finding(Level.WARNING, "own tools", problem) for problem in unusable),
            *prompt_findings(rooms),
            *machine.plans(settings, now, zone),
            *machine.awake(settings, None if inhibitor is None else inhibitor.name),
            *machine.time_zone(settings, zone, now, self.environ),
            *advise(settings, self.environ),
        ]

    def _configuration(self) -> Iterator[Finding]:
        settings = self.loaded.settings
        yield Finding(
            Level.OK,
            "config",
            f"{self.loaded.path} is valid (endpoints: {len(settings.endpoints)}, "
            f"models: {len(settings.models)}).",
        )
        for problem in self.loaded.absent:
            sentence = f"{problem.path}: {problem.message}"
            fix = f"{problem.fix[0].upper()}{problem.fix[1:]}"
            yield Finding(Level.ADVICE, "config", sentence, fix)

    async def _records(self) -> list[Finding]:
        """Look at the data folder, the database and what it holds."""
        found = list(machine.data_folder(self.loaded.home))
        settings = self.loaded.settings
        try:
            async with open_records(self.loaded, clock=self.clock) as records:
                async with records.database.read() as work:
                    attempts = await work.attempts.list()
                    proofs = await work.proofs.list()
                found.append(Finding(Level.OK, "database", "It is writable and up to date."))
                prices = prices_of(settings)
                if settings.storage.is_sqlite:
                    paths = Path(checkpoints_url(records)), self.loaded.home / "engine.db"
                    found += await asyncio.to_thread(lambda: list(stores(*paths)))
                found += traffic(settings, attempts, prices.list_cost, self.clock.now())
                found += told_windows(settings, attempts, self.clock.now())
                found += prove_findings(settings, proofs)
        except NoctuleError as error:
            found.append(Finding(Level.ERROR, "database", *_sentence_and_fix(error)))
        return found

    async def _bot(self) -> list[Finding]:
        """Ask about the Telegram bot, where one is configured."""
        settings = self.loaded.settings.telegram
        if settings.token is None:
            return []
        people = None
        with suppress(NoctuleError):  # said where the database is looked at
            async with (
                open_records(self.loaded, clock=self.clock) as records,
                records.database.read() as work,
            ):
                people = len(await work.chats.persons("telegram"))
        worker = WorkerLock(self.loaded.home, self.clock).worker()
        served = worker is not None and worker.what == "serve"
        return await BotQuestions(settings, people, served=served).findings()

    async def _reach_all(self) -> list[Reached]:
        """Ask every endpoint whose key is there."""
        settings = self.loaded.settings
        endpoints = Endpoints(partial(_client, settings, self.clock))
        try:
            asked = (reach(endpoints, name, settings, self.clock) for name in self._with_keys())
            return list(await asyncio.gather(*asked))
        finally:
            await endpoints.close()

    def _with_keys(self) -> list[str]:
        """Return the endpoints none of whose variables is missing."""
        without_key = {
            parts[1]
            for problem in self.loaded.absent
            if (parts := problem.path.split("."))[0] == "endpoints"
        }
        return [name for name in self.loaded.settings.endpoints if name not in without_key]

    def _endpoints(self, reached: list[Reached]) -> Iterator[Finding]:
        settings = self.loaded.settings
        for one in reached:
            yield from report_reached(settings, one)
            if one.models is not None:
                yield from compare(settings, one.endpoint, one.models)


def unreadable(error: ConfigError) -> list[Finding]:
    """Return the findings of a configuration that cannot be used."""
    return [
        Finding(Level.ERROR, "config", _place(problem), problem.fix) for problem in error.problems
    ]


def _place(problem: object) -> str:
    text = str(problem)
    return text.partition(" Fix: ")[0]


def _sentence_and_fix(error: NoctuleError) -> tuple[str, str]:
    """Our errors say what happened first, and what to do last."""
    said, _, fix = str(error).rpartition(". ")
    return (f"{said}.", fix) if said else (str(error), "See what it says.")


def _client(settings: Settings, clock: Clock, name: str) -> Client:
    return build_client(name, settings.endpoints[name], settings.models, clock=clock)
