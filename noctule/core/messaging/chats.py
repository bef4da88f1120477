"""Chats: where people talk through a messenger, and who may."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class Chat:
    """One place of a messenger in which one session at a time is talked to.

    Args:
        channel: the messenger, like ``telegram``.
        place: what the messenger calls it; a topic of a forum has a place of its own.
        owner: whose sessions are begun there.
        session_id: the session messages go to; None until the first message.
        settings: what the person chose there (footer, buttons, time zone, quiet hours, forced role
            or model, private); JSON values, missing means the configured default.
        heard_at: when a person last said something; None when nobody did.
    """

    channel: str
    place: str
    owner: str
    session_id: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    heard_at: datetime | None = None


class WatchKind(StrEnum):
    """Why a chat watches a session."""

    TALK = "talk"
    """It is what the chat talks to."""
    WORK = "work"
    """It works in the background for the chat, with a status message of its own."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A session whose events a chat is told of.

    Args:
        channel: the messenger.
        place: the chat.
        session_id: the watched session.
        kind: how it is told.
        seen_seq: the last event that was told; after a restart it goes on behind it.
    """

    channel: str
    place: str
    session_id: str
    kind: WatchKind
    seen_seq: int = 0


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may talk through a messenger.

    Args:
        channel: the messenger.
        person: what the messenger calls them.
        owner: whose sessions theirs are; the first person is ``local``.
        name: as they call themselves there.
        admitted_at: since when.
    """

    channel: str
    person: str
    owner: str
    name: str
    admitted_at: datetime


@dataclass(frozen=True, slots=True)
class Pairing:
    """A stranger who may become a person by repeating a code that only the terminal shows.

    Args:
        channel: the messenger.
        person: what the messenger calls them.
        place: where they asked.
        name: as they call themselves there.
        code_digest: SHA-256 of salt and code; the code itself is not kept.
        asked_at: aware.
        expires_at: when the code stops to count.
        wrong: how many wrong codes they tried.
        locked_until: until when no code of theirs is looked at; None when none was wrong too often.
    """

    channel: str
    person: str
    place: str
    name: str
    code_digest: str
    asked_at: datetime
    expires_at: datetime
    wrong: int = 0
    locked_until: datetime | None = None
