"""Mail: what came in from a messenger and what is to go out, kept until it is done."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class InboxUpdate:
    """One update of a messenger; stored before it is acknowledged and handled once.

    Args:
        channel: the messenger.
        number: its number there, unique and ascending.
        place: the chat it belongs to; updates of one place are handled in order. "" when none.
        payload: as it came.
        received_at: aware.
        handled_at: None until it is.
        tries: how often its handling was begun.
        error: why its handling was given up; None when it was not.
    """

    channel: str
    number: int
    place: str
    payload: Mapping[str, Any]
    received_at: datetime
    handled_at: datetime | None = None
    tries: int = 0
    error: str | None = None


class OutgoingState(StrEnum):
    """How far a message has come."""

    PENDING = "pending"
    SENDING = "sending"
    """Handed to the messenger; after a kill nobody knows whether it arrived."""
    SENT = "sent"
    FAILED = "failed"
    """Given up for good, with the reason."""
    DROPPED = "dropped"
    """An edit that a newer one of the same message overtook."""


class OutgoingKind(StrEnum):
    """What is to be done."""

    TEXT = "text"
    EDIT = "edit"
    DOCUMENT = "document"
    PHOTO = "photo"


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """One message, file or edit on its way; sent in order of id within its place.

    Args:
        id: sortable by creation.
        channel: the messenger.
        place: the chat.
        key: what makes it once-only: a second message with the key of a stored one is not stored.
            An edit's key may come again: the newer replaces what is still pending.
        kind: what is to be done.
        purpose: what it is to the person: ``reply``, ``status``, ``card``, ``question``,
            ``notice``, ``report``, ``answer`` (of a command), ``refusal``.
        body: what to send; JSON values, see ``noctule.channels.telegram.delivery.outgoing``.
        created_at: aware.
        session_id: what it tells of; None when of no session.
        turn_id: likewise.
        edits: the key of the message an edit changes; None unless it is one.
        silent: True: without a sound.
        not_before: when it may be tried; None means now.
        state: how far it has come.
        tries: how often it was handed over.
        message_id: what the messenger calls it, once sent.
        repeated: True when it was in flight at a kill and sent again: it may stand there twice.
        sent_at: None until it is sent.
        error: why it was given up, or why the last try failed.
    """

    id: str
    channel: str
    place: str
    key: str
    kind: OutgoingKind
    purpose: str
    body: Mapping[str, Any]
    created_at: datetime
    session_id: str | None = None
    turn_id: str | None = None
    edits: str | None = None
    silent: bool = False
    not_before: datetime | None = None
    state: OutgoingState = OutgoingState.PENDING
    tries: int = 0
    message_id: str | None = None
    repeated: bool = False
    sent_at: datetime | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much mail waits.

    Args:
        incoming: updates not handled yet.
        outgoing: messages not sent yet.
        oldest_at: since when the oldest of them waits; None when none does.
        failed: messages that were given up.
    """

    incoming: int = 0
    outgoing: int = 0
    oldest_at: datetime | None = None
    failed: int = 0
