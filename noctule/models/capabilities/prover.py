"""The prover: who calls tools is found out once, when somebody needs to know."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from noctule.core.clock import Clock
from noctule.core.llm.proofs import Proof
from noctule.core.llm.selection import SkippedCandidate
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Refusal
from noctule.core.settings import EndpointKind, Settings
from noctule.models.capabilities.probe import NoVerdict, Probe
from noctule.models.capabilities.proofs import Proofs
from noctule.models.capabilities.versions import Versions

PROBE_S = 900.0
"""The longest a probe may take, in seconds, waiting for slots included."""

PATIENCE_S = 120.0
"""How long a call waits for a probe before it goes on without the model."""

CHECKING = "Checking whether {model} can call tools: a few short questions, once per version of it."
"""What people are told before a turn of theirs waits for a probe."""

TellText = Callable[[str], None]

_AGAIN_S = 60.0
"""How long a model that came to no verdict is left alone by calls."""


@dataclass(frozen=True, slots=True)
class Proved:
    """What is known of a model after it was to be proved.

    Args:
        model: by its configured name.
        able: whether it calls tools; None when that could not be found out.
        proof: the evidence; None when there is none.
        note: why it was not asked, or why there is no verdict; None when there is one.
        asked: whether it was asked just now.
    """

    model: str
    able: bool | None
    proof: Proof | None = None
    note: str | None = None
    asked: bool = False


class Prover:
    """Has models probed: each at most once at a time, whoever waits for it.

    Args:
        settings: the models.
        proofs: what is known.
        versions: tell when a model has changed.
        probe: asks.
        clock: the time.

    Attributes:
        is_insistent: whether calls find out before they offer tools.
    """

    def __init__(
        self,
        settings: Settings,
        proofs: Proofs,
        versions: Versions,
        probe: Probe,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._proofs = proofs
        self._versions = versions
        self._probe = probe
        self._clock = clock
        self.is_insistent = False
        self._running: dict[str, asyncio.Task[Proved]] = {}
        self._vain: dict[str, tuple[float, NoVerdict]] = {}

    async def look(self, model: str) -> bool | None:
        """Return whether a model calls tools as far as that is known; asks no model.

        The version it is served in is looked up where the memory of it is too old.
        """
        able, _ = self._proofs.calls_tools(model)
        if self._is_settled(model):
            return able
        await self._proofs.read()
        if self._proofs.has_any(model) and not self._versions.is_known(model):
            version = await self._versions.of(model)
            if version is not None:
                self._proofs.served(model, version)
        return self._proofs.calls_tools(model)[0]

    async def ensure(
        self, model: str, *, rank: int = 0, tell: TellText | None = None
    ) -> SkippedCandidate | Refusal | None:
        """Find out whether a model calls tools before it is offered any.

        Args:
            model: by its configured name.
            rank: its place in the line, for the skip.
            tell: is handed a sentence when the model has to be asked first, which takes a while.

        Returns:
            None when it is known now, one way or the other. Else what the call has to take as
            the model's answer, or why it has to go on without it.
        """
        if await self.look(model) is not None:
            return None
        at, vain = self._vain.get(model, (0.0, None))
        if vain is None or self._clock.monotonic() - at >= _AGAIN_S:
            if tell is not None:
                tell(CHECKING.format(model=model))
            try:
                async with asyncio.timeout(PATIENCE_S):
                    proved = await asyncio.shield(self._start(model, fresh=False))
            except TimeoutError:
                why = "it is still being asked whether it calls tools"
                return Refusal(Outcome.TIMEOUT, why)
            if proved.able is not None:
                return None
            _, vain = self._vain.get(model, (0.0, None))
        return _in_vain(model, vain or NoVerdict("it came to no verdict"), rank)

    async def prove(
        self,
        model: str,
        *,
        fresh: bool = False,
        denied: bool = False,
        tell: TellText | None = None,
    ) -> Proved:
        """Return what is known of a model, asking it when nothing is.

        Args:
            model: by its configured name.
            fresh: True asks it in any case.
            denied: True also asks a model of which the configuration says that it calls none.
            tell: is handed a sentence when the model has to be asked first, which takes a while.
        """
        settings = self._settings.models[model]
        if settings.tools is False and not denied:
            note = f"models.{model}.tools is false: it is not asked"
            return Proved(model, able=False, note=note)
        if self._settings.endpoint_of(model).kind is EndpointKind.SCRIPTED:
            note = "a scripted endpoint plays what it is told to: it is taken at its word"
            return Proved(model, able=settings.tools is not False, note=note)
        if tell is not None:
            tell(CHECKING.format(model=model))
        return await asyncio.shield(self._start(model, fresh=fresh))

    async def prove_all(
        self, models: Iterable[str], *, fresh: bool = False, denied: Collection[str] = ()
    ) -> list[Proved]:
        """Prove several: endpoints at once, the models of one after another.

        Args:
            models: by their configured names.
            fresh: as ``prove``.
            denied: those that are asked though the configuration says that they call none.
        """
        by_endpoint: dict[str, list[str]] = {}
        names = list(dict.fromkeys(models))
        for name in names:
            by_endpoint.setdefault(self._settings.models[name].endpoint, []).append(name)

        async def one_after_another(own: Sequence[str]) -> list[Proved]:
            return [await self.prove(name, fresh=fresh, denied=name in denied) for name in own]

        groups = await asyncio.gather(*map(one_after_another, by_endpoint.values()))
        found = {proved.model: proved for group in groups for proved in group}
        return [found[name] for name in names]

    async def close(self) -> None:
        """Give up what is under way."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _is_settled(self, model: str) -> bool:
        """Whether nothing has to be looked up: it is known, and what is served is known."""
        settings = self._settings.models[model]
        if settings.tools is False:
            return True
        if self._settings.endpoint_of(model).kind is EndpointKind.SCRIPTED:
            return True
        return self._proofs.calls_tools(model)[0] is not None and self._versions.is_known(model)

    def _start(self, model: str, *, fresh: bool) -> "asyncio.Task[Proved]":
        running = self._running.get(model)
        if running is None:
            running = asyncio.create_task(self._run(model, fresh=fresh), name=f"probe {model}")
            self._running[model] = running
            running.add_done_callback(lambda task: self._ended(model, task))
        return running

    def _ended(self, model: str, task: "asyncio.Task[Proved]") -> None:
        self._running.pop(model, None)
        if not task.cancelled():
            task.exception()  # whoever waits is told; nobody has to

    async def _run(self, model: str, *, fresh: bool) -> Proved:
        await self._proofs.read(fresh=True)
        version = await self._versions.of(model, fresh=fresh)
        if version is not None:
            self._proofs.served(model, version)
        known = self._proofs.of(model)
        if known is not None and not fresh and self._proofs.calls_tools(model)[0] is not None:
            return self._proved(model, known, asked=False)
        found = await self._ask(model)
        if isinstance(found, NoVerdict):
            self._vain[model] = (self._clock.monotonic(), found)
            note = f"no verdict, nothing stored: {found.why}"
            return Proved(model, able=None, proof=known, note=note, asked=True)
        self._vain.pop(model, None)
        await self._proofs.put(found)
        return self._proved(model, found, asked=True)

    async def _ask(self, model: str) -> Proof | NoVerdict:
        try:
            async with asyncio.timeout(PROBE_S):
                return await self._probe.run(model, self._proofs.key(model))
        except TimeoutError:
            why = f"it had not answered every question after {PROBE_S:g} s"
            return NoVerdict(why, Refusal(Outcome.TIMEOUT, why))

    def _proved(self, model: str, proof: Proof, *, asked: bool) -> Proved:
        return Proved(model, able=proof.is_proven, proof=proof, asked=asked)


def _in_vain(model: str, found: NoVerdict, rank: int) -> SkippedCandidate | Refusal:
    why = f"nobody knows yet whether it calls tools, and asking it failed: {found.why}"
    if found.refusal is not None:
        return replace(found.refusal, message=why)
    limit = found.limit
    if limit is not None:
        told = replace(limit, reason=why)
        return SkippedCandidate(model, why, retry_at=limit.not_before, limit=told, rank=rank)
    return SkippedCandidate(model, why, incapable=True, rank=rank)
