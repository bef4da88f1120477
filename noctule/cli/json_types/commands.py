"""Which command prints which document."""

from typing import Any

from noctule.cli.json_types.budgets import (
    AccountsDocument,
    BudgetDocument,
    ClearedDocument,
    ForgivenDocument,
    LimitDocument,
    RaisedDocument,
)
from noctule.cli.json_types.costs import CostsDocument, WhyDocument
from noctule.cli.json_types.models import (
    DoctorDocument,
    InitDocument,
    ModelDocument,
    ProbeDocument,
    WarmedDocument,
)
from noctule.cli.json_types.sessions import (
    DeletedDocument,
    EventDocument,
    GrantDocument,
    OrdersDocument,
    RatedDocument,
    RenamedDocument,
    SessionDocument,
    SessionEntry,
    SteerDocument,
)
from noctule.cli.json_types.turns import (
    AttemptDocument,
    DetachedDocument,
    QuestionDocument,
    RunDocument,
    TurnDocument,
)

DOCUMENTS: dict[str, Any] = {
    "attempts": list[AttemptDocument],
    "budgets": list[BudgetDocument],
    "budgets ask": AccountsDocument,
    "budgets forgive": ForgivenDocument,
    "budgets raise": RaisedDocument,
    "chat": TurnDocument,
    "costs": CostsDocument,
    "doctor": DoctorDocument,
    "init": InitDocument,
    "limits": list[LimitDocument],
    "limits clear": ClearedDocument,
    "models": list[ModelDocument],
    "models probe": list[ProbeDocument],
    "models warm": list[WarmedDocument],
    "rate": RatedDocument,
    "run": RunDocument,
    "run --detach": DetachedDocument,
    "sessions": list[SessionEntry],
    "sessions answer": TurnDocument | list[QuestionDocument],
    "sessions cancel": OrdersDocument,
    "sessions delete": DeletedDocument,
    "sessions export": SessionDocument,
    "sessions grants": list[GrantDocument],
    "sessions grants revoke": GrantDocument,
    "sessions list": list[SessionEntry],
    "sessions log": list[EventDocument],
    "sessions park": OrdersDocument,
    "sessions rename": RenamedDocument,
    "sessions resume": TurnDocument,
    "sessions show": SessionDocument,
    "sessions steer": SteerDocument,
    "why": WhyDocument | None,
}
"""By the words of the command, and the option that makes it another; what fails prints a
``FailureDocument`` instead."""
