"""Messages: what people say becomes a turn of their chat's session."""

from dataclasses import replace

from noctule.channels.telegram.office import Office, Said
from noctule.core.chats import WatchKind
from noctule.sessions.desk import Request


async def on_message(office: Office, said: Said) -> None:
    """Hand what was said to the chat's session, and tell the chat what comes of it."""
    chat = await office.chat(said.place, said.owner)
    turn = await office.records.desk.submit(
        Request(text=said.text, session_id=chat.session_id, owner=said.owner, origin=said.origin)
    )
    now = office.records.clock.now()
    async with office.records.database.work() as work:
        await work.chats.put(replace(chat, session_id=turn.session_id, heard_at=now))
        await work.commit()
    await office.watching.watch(said.place, turn.session_id, WatchKind.TALK, after=0)
