"""Sessions and turns: what people say, and how far each thing they said has come."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from noctule.core.sessions.lifecycle import Status
from noctule.core.settings.role import OnLimit

LOCAL_OWNER = "local"
"""The owner of the data folder."""

LAST_SESSION = "last"
"""What a person types in place of an id for the newest session."""


class SessionKind(StrEnum):
    """How a session was begun."""

    CHAT = "chat"
    RUN = "run"


class Rating(StrEnum):
    """What the person thought of a reply."""

    GOOD = "good"
    BAD = "bad"
    AGAIN = "again"
    """They had it answered again, by another model: counts against the first."""


class Order(StrEnum):
    """What a person ordered for a turn that has not ended."""

    CANCEL = "cancel"
    PARK = "park"


@dataclass(frozen=True, slots=True)
class Session:
    """One conversation or one long task; one LangGraph thread.

    Args:
        id: sortable by creation.
        owner: the person it belongs to.
        kind: a chat or a background run.
        title: a few words; None until the first turn gave one.
        created_at: aware, UTC.
        private: True keeps all its calls on local models.
        chat_model: the model the chat role keeps in this session; None until it answered.
        budget_usd: the most it may spend in all, in USD; None means no such bound.
        workspace: the folder its agents work in, absolute; None means one of its own in the data
            folder.
        outside_since: when it first read text that somebody else wrote; None: it has not.
        private_since: when it first read what is its person's alone, like a file of a given folder,
            an attachment or a note; None: it has not.
    """

    id: str
    owner: str
    kind: SessionKind
    title: str | None
    created_at: datetime
    private: bool = False
    chat_model: str | None = None
    budget_usd: Decimal | None = None
    workspace: str | None = None
    outside_since: datetime | None = None
    private_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a person, carried through the graph to a reply.

    Args:
        id: sortable by creation; turns of a session run in this order.
        session_id: where it was said.
        text: what was said.
        status: where it stands.
        created_at: when it was said.
        role: the role the person forced; None leaves it to the route.
        model: the model the person forced; None leaves it to the binding.
        private: True keeps this turn's calls on local models.
        on_limit: what to do at a limit; None leaves it to the role's binding.
        reply: the answer; None until there is one.
        error: the sentence that says why it failed, waits or stopped; None when nothing did.
        verdict: what the person thought of the reply; None when they did not say.
        order: what a person ordered meanwhile; None when nothing.
        started_at: when it first ran; None when it has not.
        ended_at: when it finished; None when it has not.
        wake_at: when a parked turn goes on, or a queued one may start; None means as soon as
            possible (queued) or only by hand (parked).
        origin: the message of a messenger it came from, unique: the same message makes no second
            turn. None when it came another way.
        attachments: files the person sent along, relative to the session's workspace.
    """

    id: str
    session_id: str
    text: str
    status: Status
    created_at: datetime
    role: str | None = None
    model: str | None = None
    private: bool = False
    on_limit: OnLimit | None = None
    reply: str | None = None
    error: str | None = None
    verdict: Rating | None = None
    order: Order | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    wake_at: datetime | None = None
    origin: str | None = None
    attachments: tuple[str, ...] = ()

    def due(self, now: datetime) -> bool:
        """Whether it may begin or go on; one that runs or has ended may not."""
        if self.status.finished or self.status is Status.RUNNING:
            return False
        return self.status is Status.QUEUED if self.wake_at is None else self.wake_at <= now
