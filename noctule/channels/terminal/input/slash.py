"""What a person may type instead of a message: ``/help``, ``/role engineer``, ``/quit``."""

import re
from dataclasses import dataclass

from noctule.core.base.roles import ANSWERING

HELP = {
    "help": "show the commands",
    "role": "/role ROLE: choose the role that answers; /role alone lets the router choose",
    "model": "/model MODEL: choose the model that answers; /model alone lets the role choose",
    "private": "use local models only; type it again to stop",
    "new": "start a new session",
    "session": "show this session; /session ID switches to another",
    "why": "explain the last reply: models, reasons, cost",
    "quit": "exit (or press Ctrl-D)",
}
"""Each command with its help."""

_COMMAND = re.compile(r"/([a-z]+)(?:[ \t]+(\S.*?))?\s*")
_OTHER_NAMES = {"exit": "quit", "bye": "quit", "?": "help"}
_ROLES = frozenset(role.value for role in ANSWERING)


@dataclass(frozen=True, slots=True)
class Slash:
    """A command that was typed.

    Args:
        name: without the slash; it need not exist.
        argument: what stands behind it; None when nothing does.
    """

    name: str
    argument: str | None = None


def read_slash(text: str) -> Slash | None:
    """Return the command a line is; None when it is a message.

    ``/engineer ...`` is a message: the route reads it. So is a path like ``/etc/hosts``.
    """
    found = _COMMAND.fullmatch(text.strip())
    if found is None or found[1] in _ROLES:
        return None
    name = _OTHER_NAMES.get(found[1], found[1])
    if name not in HELP and found[2] is not None:
        return None
    return Slash(name, found[2])
