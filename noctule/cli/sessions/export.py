"""A session as a document of its own: Markdown for people."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from noctule.core.base.money import show_usd

if TYPE_CHECKING:
    from datetime import tzinfo

    from noctule.cli.sessions.view import SessionView
    from noctule.core.sessions.sessions import Turn


def markdown(view: "SessionView", zone: "tzinfo") -> str:
    """Return what was said in a session as Markdown, with who answered and what it cost."""
    session = view.overview.session
    began = session.created_at.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")
    cost = show_usd(view.overview.cost_usd)
    head = [f"# {session.title or 'Untitled'}", f"Session {session.id}, started {began}, {cost}."]
    return "\n\n".join([*head, *(part for turn in view.turns for part in _turn(turn, view, zone))])


def _turn(turn: "Turn", view: "SessionView", zone: "tzinfo") -> Iterator[str]:
    yield f"## {turn.created_at.astimezone(zone):%Y-%m-%d %H:%M}"
    yield "\n".join(f"> {line}" if line else ">" for line in turn.text.splitlines())
    if turn.reply is None:
        yield f"*({turn.status.value}: {turn.error or 'no reply'})*"
        return
    route = view.routes.get(turn.id)
    if route is not None:
        yield f"**{', '.join(role.value for role in route.roles)}:**"
    yield turn.reply
