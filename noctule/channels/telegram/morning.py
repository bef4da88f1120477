"""Morning: the first message of a day is preceded by what the night brought."""

from noctule.channels.telegram.letters import Letter
from noctule.channels.telegram.office import Office, Said
from noctule.core.chats import Chat


async def before(office: Office, said: Said, chat: Chat) -> list[Letter]:
    """Return what a chat is told before the first answer of the day; nothing on other days."""
    del office, said, chat
    return []
