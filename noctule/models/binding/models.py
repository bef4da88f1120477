"""The models of one process: what the rest of Noctule asks for a role's answer."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import TypeVar

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from pydantic import BaseModel

from noctule.core.base.roles import Role
from noctule.core.clock import Clock
from noctule.core.llm.calls import CallContext, EventSink
from noctule.core.llm.events import EventKind
from noctule.core.llm.selection import ModelFacts
from noctule.core.ports.database import Database
from noctule.core.ports.prompts import Fit, Reader
from noctule.core.provider_errors.refusals import Refusal
from noctule.core.settings import EndpointKind, Settings
from noctule.models.base.client import Client
from noctule.models.base.endpoints import BuildClient, Endpoints
from noctule.models.base.fingerprint import Fingerprints
from noctule.models.base.ledger import Ledger
from noctule.models.base.reply import Reply
from noctule.models.binding.binding import Binding
from noctule.models.binding.chat_model import RoleChatModel
from noctule.models.binding.dependencies import ModelDependencies, Price
from noctule.models.binding.structured import ask_structured, json_schema_of, reader_of
from noctule.models.capabilities.model_state import ModelState
from noctule.models.capabilities.probe import Probe
from noctule.models.capabilities.proofs import Proofs
from noctule.models.capabilities.prover import Proved, Prover
from noctule.models.capabilities.tool_ability import ProvenToolAbility, tool_bound
from noctule.models.capabilities.versions import Versions
from noctule.models.capacity.caps import caps_of, shared_caps
from noctule.models.capacity.limits import Limits
from noctule.models.capacity.shared_concurrency import SharedSlots
from noctule.models.clients.build import build_client
from noctule.models.completion.failures import explain
from noctule.models.request.chat_request import ChatRequest
from noctule.models.spend.budgets import Budgets
from noctule.models.spend.cost_bounds import ListCost
from noctule.models.spend.provider_balance import Accounts

AnswerT = TypeVar("AnswerT", bound=BaseModel)


class Models:
    """Every model of a configuration; one instance per process.

    Args:
        settings: endpoints, models, roles.
        database: where attempts and limits are kept.
        clock: the time.
        price: what calls cost.
        list_cost: what tokens cost by the list, whoever served them; None takes ``price``.
        fingerprints: stand for API keys in the database; None takes those that are the same on
            every machine, so that all who share a database share what they learn of a key.
        build: makes the client of an endpoint; None takes the real ones.
        instead_of: the models of the configuration from before: calls that are under way there
            count against the same caps, and child processes are used on. None begins anew.
    """

    _layer: ModelDependencies

    def __init__(  # noqa: PLR0913 - what can be replaced, and what is gone on with
        self,
        settings: Settings,
        database: Database,
        clock: Clock,
        *,
        price: Price,
        list_cost: ListCost | None = None,
        fingerprints: Fingerprints | None = None,
        build: BuildClient | None = None,
        instead_of: "Models | None" = None,
    ) -> None:
        ledger = Ledger(database)
        fingerprints = fingerprints or Fingerprints.shared()
        limits = Limits(settings, database, ledger, clock, fingerprints)
        accounts = Accounts(settings, database, ledger, clock, fingerprints)
        endpoints = Endpoints(build or partial(_build, settings, clock))
        if instead_of is None:
            slots = SharedSlots(caps_of(settings), clock, database.permits, shared_caps(settings))
        else:
            slots = instead_of._layer.slots  # noqa: SLF001 - of the same class
            slots.recap(caps_of(settings), shared_caps(settings))
            endpoints.share(instead_of._layer.endpoints, _embedded(settings))  # noqa: SLF001 - likewise
        proofs = Proofs(settings, database, ledger, clock)
        versions = Versions(settings, endpoints, clock)
        self._prover = Prover(settings, proofs, versions, Probe(settings, clock, self.call), clock)
        self._layer = ModelDependencies(
            settings=settings,
            database=database,
            clock=clock,
            endpoints=endpoints,
            slots=slots,
            limits=limits,
            facts=ModelState(settings, limits, proofs),
            budgets=Budgets(settings, database, clock, list_cost or price, accounts),
            ledger=ledger,
            explain=_Explainer(settings, limits, clock),
            price=price,
            proofs=proofs,
            prover=self._prover,
        )
        self._bindings = {role: Binding(self._layer, role) for role in Role}

    def bind(self, context: CallContext, fit: Fit | None = None) -> BaseChatModel:
        """Return a chat model that serves one role under these circumstances.

        With ``fit`` the prompt is made anew for each model that is asked; see ``ChatRequest.fit``.
        Calling it raises ``LimitError`` (park), ``NoModelError`` (a person must act), or
        ``DatabaseBusyError``, and nothing of any library.
        """
        return RoleChatModel.over(self._bindings[context.role], context, fit)

    async def call(self, call: ChatRequest, context: CallContext) -> Reply:
        """Get an answer without LangChain around it.

        Raises:
            LimitError: every model that could answer is refused or down until later.
            NoModelError: no model can answer, and a person has to change something first.
        """
        return await self._bindings[context.role].call(call, context)

    async def ask_json(
        self, context: CallContext, messages: Sequence[BaseMessage], answer: type[AnswerT]
    ) -> AnswerT | None:
        """Ask for an answer that fits a pydantic model; what does not fit is asked once more.

        A decision is not a piece of writing: where the role sets no temperature it is 0.

        Args:
            context: whose call it is.
            messages: system message first.
            answer: what it must fit.

        Returns:
            The answer, or None when the model gave nothing that fits.

        Raises:
            LimitError: as ``call``.
            NoModelError: as ``call``.
        """
        role = self._layer.settings.roles[context.role]
        call = ChatRequest(
            messages=messages,
            json_schema=json_schema_of(answer),
            temperature=0.0 if role.temperature is None else None,
        )
        binding = self._bindings[context.role]
        found = await ask_structured(binding, call, context, reader_of(answer))
        value: AnswerT | None = found.value
        return value

    def reader(self, context: CallContext, *, tools: bool = False) -> Reader:
        """Return the model whose window a conversation is kept for; see ``Binding.reader``.

        Args:
            context: for whom the call would be, and how.
            tools: whether it would offer any.
        """
        return self._bindings[context.role].reader(context, tools=tools)

    def insist_on_proofs(self) -> None:
        """From now on find out whether a model calls tools before a call offers it any.

        Until then tools are offered to every model of which nobody knows better.
        """
        self._prover.is_insistent = True

    async def prove(
        self,
        models: Sequence[str] | None = None,
        *,
        fresh: bool = False,
        denied: Collection[str] = (),
    ) -> list[Proved]:
        """Find out which models call tools, asking those of which it is not known.

        Args:
            models: by their configured names; None means all that roles with tools may use.
            fresh: True asks all of them, whatever is known.
            denied: those that are asked though the configuration says that they call none.

        Returns:
            What is known of each, in this order.

        Raises:
            DatabaseBusyError: a proof could not be stored.
        """
        wanted = tool_bound(self._layer.settings) if models is None else models
        return await self._prover.prove_all(wanted, fresh=fresh, denied=denied)

    async def tools_of(
        self, role: Role, *, prove: bool = False, sink: EventSink | None = None
    ) -> list[ProvenToolAbility]:
        """Return which candidates of a role call tools, in the order in which they are asked.

        Args:
            role: whose.
            prove: True probes those of which it is not known, one after another, until one is
                proven; the rest stay unknown.
            sink: is told when a model has to be asked first; None tells nobody.
        """

        def tell(text: str) -> None:
            if sink is not None:
                sink.emit(EventKind.NOTICE, text=text)

        found: list[ProvenToolAbility] = []
        for model in dict.fromkeys(self._layer.settings.roles[role].models):
            able, note = await self._prover.look(model), None
            if able is None and prove and not any(one.able for one in found):
                proved = await self._prover.prove(model, tell=tell)
                able, note = proved.able, proved.note
            evidence = self._layer.proofs.calls_tools(model)[1]
            found.append(ProvenToolAbility(model, able, evidence or note))
        return found

    def facts(self) -> Mapping[str, ModelFacts]:
        """Return what is known of every model at this moment, by name."""
        return self._layer.facts.of()

    @property
    def limits(self) -> Limits:
        """What is refused until when."""
        return self._layer.limits

    def client(self, endpoint: str) -> Client:
        """Return an endpoint's client, for looking at it and warming its models.

        Raises:
            NoctuleError: it cannot be used as it is configured.
        """
        return self._layer.endpoints.client(endpoint)

    async def close(self) -> None:
        """Write down what is left, then let go of connections and child processes."""
        await self._prover.close()
        await self._layer.slots.close()
        await self._layer.budgets.close()
        await self._layer.ledger.close()
        await self._layer.endpoints.close()


def _embedded(settings: Settings) -> list[str]:
    kind = EndpointKind.EMBEDDED
    return [name for name, endpoint in settings.endpoints.items() if endpoint.kind is kind]


class _Explainer:
    """Reads failures with what is known of their endpoint."""

    def __init__(self, settings: Settings, limits: Limits, clock: Clock) -> None:
        windows = {
            name: endpoint.window.to_window() if endpoint.window else None
            for name, endpoint in settings.endpoints.items()
        }
        self._windows = {name: windows[model.endpoint] for name, model in settings.models.items()}
        self._urls = {
            name: settings.endpoints[model.endpoint].url or ""
            for name, model in settings.models.items()
        }
        self._limits = limits
        self._clock = clock

    def __call__(self, model: str, error: Exception) -> Refusal:
        return explain(
            error,
            now=self._clock.now(),
            window=self._windows[model],
            consecutive=self._limits.refusals(model),
            url=self._urls[model],
        )


def _build(settings: Settings, clock: Clock, endpoint: str) -> Client:
    return build_client(endpoint, settings.endpoints[endpoint], settings.models, clock=clock)
