"""Albums: pictures and files that were sent together come one by one and are one message."""

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from noctule.channels.telegram.incoming_files import Attached, attached
from noctule.channels.telegram.letters import Letter, plain
from noctule.core.clock import Clock
from noctule.core.errors import NoctuleError

if TYPE_CHECKING:
    from noctule.channels.telegram.office import Office, Said

_WAIT_S = 1.0
"""How long after a part of an album the next one may come; Telegram sends them at once."""


@dataclass(slots=True)
class _Album:
    first: "Said"
    done: asyncio.Future[None]
    files: list[Attached] = field(default_factory=list)


class Albums:
    """Gathers the parts of albums.

    Args:
        clock: how long it waits for the next part.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._albums: dict[str, _Album] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def add(self, office: "Office", said: "Said") -> asyncio.Future[None]:
        """Add a part; the turn is made a moment after the last one.

        Returns:
            What is done when the turn is made: so long no part counts as handled.
        """
        name = f"{said.place}:{said.message.media_group_id}"
        album = self._albums.get(name)
        if album is None:
            done = asyncio.get_running_loop().create_future()
            album = self._albums[name] = _Album(said, done)
            task = asyncio.create_task(self._gather(office, name, album))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif said.text and not album.first.text:
            album.first = said  # the caption may be under any of them
        file = attached(said.message)
        if file is not None:
            album.files.append(file)
        return album.done

    async def close(self) -> None:
        """Stop gathering."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _gather(self, office: "Office", name: str, album: _Album) -> None:
        from noctule.channels.telegram.messages import submit  # noqa: PLC0415 - it gathers through us

        try:
            await self._until_whole(name, album)
            await submit(office, album.first, album.files)
        except NoctuleError as error:
            letter = Letter(
                album.first.place, album.first.key("album"), "answer", plain(str(error))
            )
            await office.outbox.post(letter)
        except asyncio.CancelledError:
            album.done.cancel()  # the next start gathers it anew
            raise
        finally:
            if not album.done.done():
                album.done.set_result(None)

    async def _until_whole(self, name: str, album: _Album) -> None:
        count = 0
        while count != len(album.files) or count == 0:
            count = len(album.files)
            await self._clock.sleep(_WAIT_S)
        del self._albums[name]
