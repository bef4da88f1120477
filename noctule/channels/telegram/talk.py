"""Talk: tells a chat of the conversation it has."""

from noctule.channels.telegram.letters import Letter, formatted
from noctule.channels.telegram.office import Office
from noctule.channels.telegram.watching import Telling
from noctule.core.events import Event, EventKind


class Talk:
    """Tells one chat of the session it talks to.

    Args:
        office: what everybody works with.
        telling: where letters go.
    """

    def __init__(self, office: Office, telling: Telling) -> None:
        self._office = office
        self._telling = telling

    async def tell(self, event: Event) -> None:
        """Tell of one event."""
        place = self._telling.place
        match event.kind:
            case EventKind.TURN_STARTED | EventKind.WOKEN:
                self._office.signs.keep(place)
            case EventKind.TURN_ENDED:
                self._office.signs.end(place)
                text = str(event.data.get("reply") or event.data.get("error") or "")
                letters = [
                    Letter(
                        place,
                        f"{event.turn_id}:reply:{number}",
                        "reply",
                        body,
                        session_id=event.session_id,
                        turn_id=event.turn_id,
                    )
                    for number, body in enumerate(formatted(text))
                ]
                await self._telling.send(event.seq, letters)
            case _:
                pass

    async def close(self) -> None:
        """Stop whatever goes on in the background."""
        self._office.signs.end(self._telling.place)
