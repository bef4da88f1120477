"""One transaction over all stores."""

from types import TracebackType
from typing import Self

from noctule.core.base.secrets import SecretStore
from noctule.core.ports.channels import ChatStore, InboxStore, OutboxStore
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
from noctule.core.workers.tenures import Tenure
from storage.base.transaction import Transaction
from storage.stores.accounts import SqlAccounts
from storage.stores.attempts import SqlAttempts
from storage.stores.budgets import SqlBudgets
from storage.stores.chats import SqlChats
from storage.stores.effects import SqlEffects
from storage.stores.events import SqlEvents
from storage.stores.grants import SqlGrants
from storage.stores.inbox import SqlInbox
from storage.stores.limits import SqlLimits
from storage.stores.notes import SqlNotes
from storage.stores.outbox import SqlOutbox
from storage.stores.parkings import SqlParkings
from storage.stores.proofs import SqlProofs
from storage.stores.questions import SqlQuestions
from storage.stores.routes import SqlRoutes
from storage.stores.secrets import SqlSecrets
from storage.stores.sessions import SqlSessions
from storage.stores.steers import SqlSteers
from storage.stores.suspensions import SqlSuspensions
from storage.stores.tenures import check
from storage.stores.turns import SqlTurns


class SqlUnitOfWork:
    """The stores over one transaction; what is not committed is undone at its end."""

    __slots__ = (
        "_tenure",
        "_transaction",
        "accounts",
        "attempts",
        "budgets",
        "chats",
        "effects",
        "events",
        "grants",
        "inbox",
        "limits",
        "notes",
        "outbox",
        "parkings",
        "proofs",
        "questions",
        "routes",
        "secrets",
        "sessions",
        "steers",
        "suspensions",
        "turns",
    )

    def __init__(self, transaction: Transaction, tenure: Tenure | None = None) -> None:
        self._transaction = transaction
        self._tenure = tenure
        self.sessions: SessionStore = SqlSessions(transaction)
        self.turns: TurnStore = SqlTurns(transaction)
        self.routes: RouteStore = SqlRoutes(transaction)
        self.secrets: SecretStore = SqlSecrets(transaction)
        self.attempts: AttemptStore = SqlAttempts(transaction)
        self.limits: LimitStore = SqlLimits(transaction)
        self.budgets: BudgetStore = SqlBudgets(transaction)
        self.accounts: AccountStore = SqlAccounts(transaction)
        self.events: EventStore = SqlEvents(transaction)
        self.parkings: ParkingStore = SqlParkings(transaction)
        self.effects: EffectStore = SqlEffects(transaction)
        self.questions: QuestionStore = SqlQuestions(transaction)
        self.grants: GrantStore = SqlGrants(transaction)
        self.notes: NoteStore = SqlNotes(transaction)
        self.proofs: ProofStore = SqlProofs(transaction)
        self.steers: SteerStore = SqlSteers(transaction)
        self.suspensions: SuspensionStore = SqlSuspensions(transaction)
        self.chats: ChatStore = SqlChats(transaction)
        self.inbox: InboxStore = SqlInbox(transaction)
        self.outbox: OutboxStore = SqlOutbox(transaction)

    async def __aenter__(self) -> Self:
        await self._transaction.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._transaction.end()

    async def commit(self) -> None:
        """Make everything since the start or the last commit durable.

        Raises:
            SupersededError: another worker has taken the session; nothing was stored.
        """
        if self._tenure is not None:
            await self._transaction.run(check, self._tenure)
        await self._transaction.commit()
