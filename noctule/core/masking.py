"""Masking: no key, token or password of what tools bring back is shown, logged or kept.

Two kinds are known: values that are secrets here (configured ones, and those of environment
variables whose names say so), and texts that look like a key wherever they come from. Every
pattern is linear in the length of the text: the text may be hostile.
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

_URL_PASSWORD = re.compile(
    r"\b([a-z][a-z0-9+.-]{1,20}://[^\s:/@'\"]{0,256}:)([^\s@/'\"]{1,256})@", re.IGNORECASE
)

_ASSIGNED = re.compile(
    # As shells and .env files write it; with spaces or in small letters it is program text.
    r"(?<![A-Za-z0-9_])((?:[A-Z][A-Z0-9]{0,30}_){0,6}"
    r"(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|ACCESS_KEY|SECRET_KEY|PRIVATE_KEY)="
    r"[\"']?)(?!\d+(?:\s|$))([^\s'\"`$()<>{}\[\];&|,]{6,256})"
)

_KEY_FORMS = (
    # PEM, as far as it goes: also when its end was cut off
    (
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:(?!-----(?:BEGIN|END))[\s\S])*"
        r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?"
    ),
    # OpenAI, Anthropic, OpenRouter and who imitates them
    r"(?<![\w-])sk-(?=[\w-]{0,200}\d)[\w-]{16,}",
    # GitHub, GitLab
    r"(?<!\w)(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{20,})",
    # AWS
    r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])",
    r"(?i:(?<=aws_secret_access_key)\s{0,4}[=:]\s{0,4}[\"']?[A-Za-z0-9/+]{40})",
    # Slack
    r"(?<![\w-])(?:xox[a-z]|xapp)-[A-Za-z0-9-]{10,}",
    # Google, Hugging Face, Stripe
    r"(?<![\w-])AIza[\w-]{35}",
    r"(?<!\w)hf_[A-Za-z0-9]{30,}",
    r"(?<!\w)[rs]k_(?:live|test)_[A-Za-z0-9]{16,}",
    # Telegram bot tokens
    r"(?<!\d)\d{8,10}:[\w-]{35}(?![\w-])",
    # JSON web tokens, and whatever else is borne
    r"(?<![\w-])eyJ[\w-]{8,4096}\.[\w-]{8,8192}\.[\w-]{0,4096}",
    r"(?i:(?<=bearer )[\w.~+/=-]{16,4096})",
)
_KEYS = re.compile("|".join(_KEY_FORMS), re.ASCII)


class Masker:
    """Masks secrets in texts.

    Args:
        values: what is known to be secret; values of less than eight characters are left out.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        forms = {form for value in values if len(value) >= _SHORTEST for form in _forms(value)}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._known = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def hidden(self, text: str) -> list[str]:
        """Return what masking a text takes out of it."""
        found: list[str] = []

        def note(match: re.Match[str]) -> str:
            found.append(match[0].replace(MASK, ""))
            return MASK

        if self._known is not None:
            text = self._known.sub(note, text)
            found += [text[start:end] for start, end in _over_lines(self._known, text)]
        text = _KEYS.sub(note, text)
        found += [match[2] for match in _ASSIGNED.finditer(text)]
        found += [match[2].replace(MASK, "") for match in _URL_PASSWORD.finditer(text)]
        return found

    def mask(self, text: str) -> str:
        """Return a text without secrets; masking it again changes nothing."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
            for start, end in _over_lines(self._known, text) if "\n" in text else ():
                text = f"{text[:start]}{MASK}{text[end:]}"
        text = _ASSIGNED.sub(rf"\g<1>{MASK}", _KEYS.sub(MASK, text))
        return _URL_PASSWORD.sub(rf"\g<1>{MASK}@", text) if "://" in text else text

    def mask_json(self, value: Any) -> Any:
        """Return a JSON value in which every text is masked, keys included."""
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, Mapping):
            return {self.mask(str(key)): self.mask_json(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.mask_json(inner) for inner in value]
        return value


def secrets_of(settings: BaseModel, environ: Mapping[str, str]) -> set[str]:
    """Return what is secret on this machine.

    Args:
        settings: a configuration; every secret field of it counts. Of a URL only the password
            does.
        environ: variables whose names speak of keys, tokens or passwords count.
    """
    configured = {_password_or_all(value) for value in _secret_fields(settings)}
    exported = {value for name, value in environ.items() if _is_secret(name, value)}
    return {value for value in configured | exported if len(value) >= _SHORTEST}


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


def _over_lines(known: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    """Yield where a secret stands that was broken into lines, from the end of the text on."""
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
    found = _URL_PASSWORD.search(value)
    return found[2] if found else ""


def _is_secret(name: str, value: str) -> bool:
    if not _SECRET_NAME.search(name) or len(value) < _SHORTEST or value.startswith(("/", "~")):
        return False
    return not value.isalpha() or len(value) >= _PLAIN_WORD_CHARS
