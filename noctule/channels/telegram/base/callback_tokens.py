"""Signing: what a button sends back is only believed when we wrote it, for that chat, not long ago.

``verb:argument:expiry:signature``, at most 64 bytes (Bot API, InlineKeyboardButton).
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta

from noctule.channels.telegram.delivery.chat_ref import ChatRef
from noctule.channels.telegram.delivery.outgoing import Button
from noctule.core.clock import Clock
from noctule.core.errors import OurBugError

LIFE = timedelta(days=7)
"""How long a button counts; turns wait that long for their person (``parking.waiting_expiry``)."""

_MOST_BYTES = 64
_SIGNATURE_CHARS = 10
_MINUTE = 60


@dataclass(frozen=True, slots=True)
class Pressed:
    """What a button meant.

    Args:
        verb: what is to be done.
        argument: to what; "" for nothing.
    """

    verb: str
    argument: str


class Signer:
    """Writes and reads what buttons send back.

    Args:
        token: the bot's; the key is made from it, so that buttons outlive a restart.
        clock: tells when a button is too old.
    """

    def __init__(self, token: str, clock: Clock) -> None:
        self._key = hashlib.sha256(b"noctule buttons\0" + token.encode()).digest()
        self._clock = clock

    def button(
        self, place: ChatRef, text: str, verb: str, argument: str = "", *, life: timedelta = LIFE
    ) -> Button:
        """Return a button.

        Args:
            place: the only chat where it counts.
            text: what it says.
            verb: what is to be done; without a colon.
            argument: to what; at most some 40 bytes.
            life: how long it counts.

        Raises:
            OurBugError: it does not fit into what Telegram takes.
        """
        minutes = int((self._clock.now() + life).timestamp()) // _MINUTE
        signed = f"{verb}:{argument}:{_base36(minutes)}"
        data = f"{signed}:{self._signature(place, signed)}"
        if len(data.encode()) > _MOST_BYTES:
            raise OurBugError(f"The button {verb!r} carries too much. Please report this.")
        return Button(text, data)

    def read(self, place: ChatRef, data: str) -> Pressed | None:
        """Return what a button of a chat meant; None when it is not ours, or too old."""
        signed, _, signature = data.rpartition(":")
        if not hmac.compare_digest(signature.encode(), self._signature(place, signed).encode()):
            return None
        verb, _, rest = signed.partition(":")
        argument, _, minutes = rest.rpartition(":")
        if int(minutes, 36) * _MINUTE < self._clock.now().timestamp():
            return None
        return Pressed(verb, argument)

    def _signature(self, place: ChatRef, signed: str) -> str:
        # By chat, not by place: a topic may be closed and its messages moved.
        digest = hmac.digest(self._key, f"{place.chat}\0{signed}".encode(), "sha256")
        return base64.urlsafe_b64encode(digest).decode()[:_SIGNATURE_CHARS]


def _base36(number: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = digits[digit] + text
    return text or "0"
