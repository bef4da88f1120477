"""Fingerprints of API keys: they tell keys apart and give nothing away."""

import hmac
import os
import secrets
from pathlib import Path

from pydantic import SecretStr

from noctule.core.base.private_files import make_folder

_SALT_BYTES = 32
_SHOWN_HEX = 16
_SHARED_SALT = b"noctule: the key a limit belongs to"


class Fingerprints:
    """Makes fingerprints with one installation's salt.

    Args:
        salt: random bytes of this installation; without them nobody can try out keys against a
            fingerprint, and two installations do not show that they share one.
    """

    def __init__(self, salt: bytes) -> None:
        self._salt = salt

    @classmethod
    def shared(cls) -> "Fingerprints":
        """Return those that are the same on every machine: for all who share a database."""
        return cls(_SHARED_SALT)

    @classmethod
    def of_installation(cls, path: Path) -> "Fingerprints":
        """Read the salt from its file, making it at the first time. Blocks for a moment.

        Two processes that start together agree on the salt of the one that was first.

        Args:
            path: the file, in the data folder; only its owner may read it.

        Raises:
            OSError: it can be neither read nor written.
        """
        make_folder(path.parent)
        if not _is_complete(path):
            _make(path)
        return cls(path.read_bytes())

    def of(self, key: SecretStr | str | None) -> str:
        """Return the fingerprint of a key; "" without one."""
        text = key.get_secret_value() if isinstance(key, SecretStr) else key
        if not text:
            return ""
        return hmac.new(self._salt, text.encode(), "sha256").hexdigest()[:_SHOWN_HEX]


def _is_complete(path: Path) -> bool:
    try:
        return path.stat().st_size >= _SALT_BYTES
    except FileNotFoundError:
        return False


def _make(path: Path) -> None:
    """Write beside the file, then move: nobody ever reads half a salt, and the first one wins."""
    draft = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(_SALT_BYTES))
        try:
            os.link(draft, path)
        except FileExistsError:
            if not _is_complete(path):  # an empty file of another's making
                draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
