"""The ``RateLimit`` header of the IETF's drafts, in both of its forms.

``RateLimit: "default";r=0;t=30`` (draft 08 and later) and ``RateLimit: limit=100, remaining=0,
reset=30`` (earlier ones); https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers,
checked 2026-11.
"""

import re
from collections.abc import Mapping

_NAMES = ("ratelimit", "x-ratelimit")
_ITEM = re.compile(r'"?([\w.\-]{1,60})"?((?:\s{0,3};\s{0,3}\w{1,20}=[^;,]{1,60}){1,20})')
_PARAMETER = re.compile(r";\s*(\w+)=\"?([^;,\"]{1,60})")
_PAIR = re.compile(r"\b(limit|remaining|reset)\s*=\s*\"?(\d{1,15})", re.IGNORECASE)
_READ = 2_000


def buckets_of(headers: Mapping[str, str]) -> list[dict[str, object]]:
    """Return each bucket of the header as ``remaining`` and ``reset`` (seconds from now).

    Args:
        headers: by lower-case name.
    """
    found: list[dict[str, object]] = []
    for name in _NAMES:
        value = headers.get(name, "")[:_READ]
        for item in _ITEM.finditer(value):
            told = {key.lower(): number for key, number in _PARAMETER.findall(item[2])}
            if "t" in told:
                found.append({"remaining": told.get("r"), "reset_after_seconds": told["t"]})
        pairs = {key.lower(): number for key, number in _PAIR.findall(value)}
        if "reset" in pairs:
            found.append(
                {"remaining": pairs.get("remaining"), "reset_after_seconds": pairs["reset"]}
            )
    return found
