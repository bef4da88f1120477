"""Discretion: what is shown of conversations and records holds no key, token or password."""

import os
from functools import cache
from typing import Any

from noctule.core.base.masking import MASK, Masker, is_secret

_TEXTS = ("text", "caption")


def masked(text: str) -> str:
    """Return a text as it is shown."""
    return _masker().mask(text)


def masked_document(document: Any, *, but: tuple[str, ...] = ()) -> Any:
    """Return a JSON document as it is printed.

    Args:
        document: JSON values.
        but: keys at its top whose values stay: what somebody asked for just now.
    """
    shown = _masker().mask_json(document)
    if isinstance(document, dict):
        shown |= {key: document[key] for key in but if key in document}
    return shown


def masked_alike(text: str) -> str:
    """Return a text as it is shown, as long as it was, so that it is split at the same places."""
    return _measured().mask(text)


def masked_body(body: dict[str, Any]) -> dict[str, Any]:
    """Return a message for a messenger as it is sent; marks within its text stay where they are.

    Args:
        body: texts, and what else belongs to the message.
    """
    texts = {key: body[key] for key in _TEXTS if isinstance(body.get(key), str)}
    return {**body, **{key: _measured().mask(text) for key, text in texts.items()}}


@cache
def _masker() -> Masker:
    return Masker(_known())


@cache
def _measured() -> Masker:
    return Masker(_known(), _of_that_length)


def _known() -> set[str]:
    return {value for name, value in os.environ.items() if is_secret(name, value)}


def _of_that_length(secret: str) -> str:
    """Return a mask of as many UTF-16 units, in which messengers count."""
    units = len(secret.encode("utf-16-le", "surrogatepass")) // 2
    return MASK.ljust(units, "*") if units >= len(MASK) else "*" * units
