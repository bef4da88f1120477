"""Masking: no key, token or password of what tools bring back is shown, logged or kept.

Two kinds are known: values that are secrets here (configured ones, and those of environment
variables whose names say so), and what looks like one wherever it comes from (``secret_forms``).
Both are found in time linear in the length of the text: the text may be hostile.
"""

import base64
import html
import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from pydantic import BaseModel, SecretStr

from noctule.core.base.secret_forms import Mark, mask_forms, password_of_url

MASK = "[masked]"
"""What stands in a secret's place."""

_SHORTEST = 8
"""Shorter values are no secrets worth the damage of masking every place they occur in."""

_PLAIN_WORD_CHARS = 16
"""A value of letters alone is a word (``disabled``, ``password``) unless it is longer."""

_BREAK = re.compile(r"\\?\r?\n[ \t]{0,20}(?:\d{1,7}[\t:])?")
"""Between two lines: what continues one in a shell, what is before one, its number."""

_ESCAPE = re.compile("%[0-9A-F]{2}")

_SECRET_NAME = re.compile(
    r"(?:^|_)(?:api_?)?(?:key|token|secret|passwd|pwd|credentials?|auth)(?:_|$)|password|passphrase",
    re.IGNORECASE,
)


class Masker:
    """Masks secrets in texts.

    Args:
        values: what is known to be secret; values of less than eight characters are left out.
        mark: returns what stands in a secret's place; None puts ``MASK`` there.
        leave: says whether a whole text stays as it is; None says so of none.
    """

    def __init__(
        self,
        values: Iterable[str] = (),
        mark: Mark | None = None,
        leave: Callable[[str], bool] | None = None,
    ) -> None:
        known = sorted(value for value in values if len(value) >= _SHORTEST)
        self._written = {form: value for value in known for form in _forms(value)}
        longest_first = sorted(self._written, key=lambda form: (-len(form), form))
        self._known = re.compile("|".join(map(re.escape, longest_first))) if known else None
        self._mark = mark or _masked
        self._leave = leave

    def hidden(self, text: str) -> list[str]:
        """Return what masking a text takes out of it."""
        found: list[str] = []

        def note(secret: str) -> str:
            found.append(secret.replace(MASK, ""))
            return MASK

        self._replaced(text, note)
        return found

    def mask(self, text: str) -> str:
        """Return a text without secrets; masking it again changes nothing."""
        if self._leave is not None and self._leave(text):
            return text
        return self._replaced(text, self._mark)

    def _replaced(self, text: str, mark: Mark) -> str:
        if self._known is not None:
            text = self._known.sub(lambda match: mark(self._written[match[0]]), text)
            for start, end, form in _over_lines(self._known, text) if "\n" in text else ():
                text = f"{text[:start]}{mark(self._written[form])}{text[end:]}"
        return mask_forms(text, mark)

    def mask_json(self, value: Any) -> Any:
        """Return a JSON value in which every text is masked, keys included."""
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, Mapping):
            return {self.mask(str(key)): self.mask_json(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.mask_json(inner) for inner in value]
        return value


def _masked(_secret: str) -> str:
    return MASK


def secrets_of(settings: BaseModel, environ: Mapping[str, str]) -> set[str]:
    """Return what is secret on this machine.

    Args:
        settings: a configuration; every secret field of it counts. Of a URL only the password
            does.
        environ: variables whose names speak of keys, tokens or passwords count.
    """
    configured = {_password_or_all(value) for value in _secret_fields(settings)}
    exported = {value for name, value in environ.items() if is_secret(name, value)}
    return {value for value in configured | exported if len(value) >= _SHORTEST}


def without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables a program may be given that needs no key of ours."""
    return {name: value for name, value in environ.items() if not is_secret(name, value)}


def _forms(value: str) -> Iterator[str]:
    """Yield a secret as it may be written: plainly, in JSON, HTML or a URL, in hex, in base64."""
    encoded = value.encode()
    yield value
    yield json.dumps(value)[1:-1]
    yield html.escape(value)
    yield from (encoded.hex(), encoded.hex().upper())
    for quoted in (quote(value, safe=""), quote(value), quote_plus(value)):
        yield quoted
        yield _ESCAPE.sub(lambda match: match[0].lower(), quoted)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(encoded).decode().rstrip("=")
        yield from _within(encode, encoded)


def _within(encode: Callable[[bytes], bytes], value: bytes) -> Iterator[str]:
    """Yield what base64 makes of a secret behind other bytes, as in ``user:password``."""
    for before in (1, 2):
        letters = encode(b"\0" * before + value).decode()
        first, last = -(-before * 8 // 6), (before + len(value)) * 8 // 6
        if last - first >= _SHORTEST:  # letters that other bytes have a part in are left out
            yield letters[first:last]


def _over_lines(known: re.Pattern[str], text: str) -> Iterator[tuple[int, int, str]]:
    """Yield where a form of a secret stands in several lines, from the end of the text on."""
    kept, starts, places, at = [], [0], [0], 0
    for gap in _BREAK.finditer(text):
        kept.append(text[at : gap.start()])
        starts.append(starts[-1] + gap.start() - at)
        places.append(at := gap.end())
    whole = "".join([*kept, text[at:]])
    for match in reversed(list(known.finditer(whole))):
        first = bisect_right(starts, match.start()) - 1
        last = bisect_right(starts, match.end() - 1) - 1
        yield (
            places[first] + match.start() - starts[first],
            places[last] + match.end() - starts[last],
            match[0],
        )


def _secret_fields(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secret_fields(getattr(value, name))
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _secret_fields(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _secret_fields(inner)


def _password_or_all(value: str) -> str:
    if "://" not in value:
        return value
    return password_of_url(value) or ""


def is_secret(name: str, value: str) -> bool:
    """Return whether a variable holds a key, token or password, by its name and looks."""
    if not _SECRET_NAME.search(name) or len(value) < _SHORTEST or value.startswith(("/", "~")):
        return False
    return not value.isalpha() or len(value) >= _PLAIN_WORD_CHARS
