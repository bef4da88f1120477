"""The seams: what the parts of Noctule ask of one another.

Stores live in ``storage`` (SQLAlchemy, on SQLite and PostgreSQL under the same contract tests);
chat models in ``noctule.models``. Everything is async and may raise ``DatabaseBusyError``.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from pydantic import BaseModel

from noctule.core.base.roles import Role
from noctule.core.base.secrets import SecretStore
from noctule.core.llm.calls import CallContext, EventSink
from noctule.core.llm.routing import ModelFacts
from noctule.core.ports.channels import ChatStore, InboxStore, OutboxStore
from noctule.core.ports.prompts import Fit, Reader
from noctule.core.ports.stores import (
    AccountStore,
    AttemptStore,
    BudgetStore,
    EventStore,
    LimitStore,
    ParkingStore,
    RouteStore,
    SessionStore,
    SuspensionStore,
    TurnStore,
)
from noctule.core.ports.tools import (
    EffectStore,
    GrantStore,
    NoteStore,
    ProofStore,
    QuestionStore,
    SteerStore,
)
from noctule.core.workers.patience import Patience
from noctule.core.workers.permits import Permits
from noctule.core.workers.tenures import Tenure

AnswerT = TypeVar("AnswerT", bound=BaseModel)
ChatModelT = TypeVar("ChatModelT", covariant=True)  # noqa: PLC0105 - reads better than T_co


class ToolAbility(Protocol):
    """Whether a candidate of a role calls tools."""

    @property
    def model(self) -> str:
        """Its configured name."""
        ...

    @property
    def able(self) -> bool | None:
        """True proven, False shown or said not to, None unknown."""
        ...

    @property
    def evidence(self) -> str | None:
        """Why not, or why it is unknown, as one clause; None when it is proven."""
        ...


class ChatModels(Protocol[ChatModelT]):
    """Where the graph gets the model of a role; the only way to reach one."""

    def bind(self, context: CallContext, fit: Fit | None = None) -> ChatModelT:
        """Return a chat model that serves one role under these circumstances.

        With ``fit`` the prompt is made anew for each model that is asked, and what the chat model
        is called with says only what the call is about.
        Calling it raises ``LimitError`` (park), ``NoModelError`` (a person must act), and
        nothing of any library.
        """
        ...

    async def ask_json(
        self, context: CallContext, messages: Sequence[Any], answer: type[AnswerT]
    ) -> AnswerT | None:
        """Ask for an answer that fits a schema; what does not fit is asked once more.

        Args:
            context: whose call it is.
            messages: system message first.
            answer: the pydantic model it must fit.

        Returns:
            The answer, or None when the model gave nothing that fits.
        """
        ...

    def reader(self, context: CallContext, *, tools: bool = False) -> Reader:
        """Return the model whose window a conversation is kept for.

        The larger of the first in line, refused or not, and the one that would be asked now.

        Args:
            context: for whom the call would be, and how.
            tools: whether it would offer any.
        """
        ...

    async def tools_of(
        self, role: Role, *, prove: bool = False, sink: EventSink | None = None
    ) -> Sequence[ToolAbility]:
        """Return which candidates of a role call tools, in the order in which they are asked.

        Args:
            role: whose.
            prove: True probes those of which it is not known, until one is proven.
            sink: is told when a model has to be asked first; None tells nobody.
        """
        ...

    def facts(self) -> Mapping[str, ModelFacts]:
        """Return what is known of every model at this moment, by name."""
        ...


class UnitOfWork(Protocol):
    """One transaction over all stores; what is not committed is undone at its end."""

    sessions: SessionStore
    turns: TurnStore
    routes: RouteStore
    secrets: SecretStore
    attempts: AttemptStore
    limits: LimitStore
    budgets: BudgetStore
    accounts: AccountStore
    events: EventStore
    parkings: ParkingStore
    effects: EffectStore
    questions: QuestionStore
    grants: GrantStore
    notes: NoteStore
    proofs: ProofStore
    steers: SteerStore
    suspensions: SuspensionStore
    chats: ChatStore
    inbox: InboxStore
    outbox: OutboxStore

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    async def commit(self) -> None:
        """Make everything since the start or the last commit durable."""
        ...


class Database(Protocol):
    """A place where everything is kept."""

    @property
    def patience(self) -> Patience:
        """Whether it answers; tries again for whoever carries work."""
        ...

    @property
    def permits(self) -> Permits | None:
        """Room under caps that hold across workers; None where only one process works."""
        ...

    def work(self, *, durable: bool = True, tenure: Tenure | None = None) -> UnitOfWork:
        """Return a new unit of work that writes.

        On SQLite it takes the write lock at its start (``BEGIN IMMEDIATE``), so that a read in
        it cannot be overtaken; a task must not open a second one inside it.

        Args:
            durable: True: a commit survives a power cut once ``commit`` has returned. False
                does not wait for the disk: it survives a crash of the process, and a power cut
                once any later durable commit has returned. For what can be made again.
            tenure: whose write it is; ``commit`` raises ``SupersededError``, and stores nothing,
                once another worker has taken the session. None: anybody's.
        """
        ...

    def read(self) -> UnitOfWork:
        """Return a new unit of work that only reads; its ``commit`` is refused."""
        ...

    def changes(self) -> AsyncGenerator[None, None]:
        """Yield once at the start and then whenever anybody, any process, may have written."""
        ...

    def session_lock(self, session_id: str) -> AbstractAsyncContextManager[Tenure]:
        """Hold the right to advance a session; waits for it.

        On PostgreSQL it is held against other workers too and falls with its process, or when
        its machine has not been heard of for a while; on SQLite one process works on a data
        folder anyway. Each time it is taken, the session's epoch rises.
        """
        ...

    async def session_is_free(self, session_id: str) -> bool:
        """Return whether nobody holds a session's lock at this moment.

        On SQLite it answers for this process alone, like the lock itself.
        """
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...
