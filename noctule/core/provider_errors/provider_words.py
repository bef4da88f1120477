"""A provider's own words made fit to be kept and shown: short, on one line, without secrets."""

import re

LONGEST = 300
_READ = 4_000
_MASK = "***"

_SECRETS = re.compile(
    r"""
      (?P<lead>\b(?:Bearer|Basic)\s+)(?=\S*\d)[^\s"',;]{8,}
    | (?P<name>\b(?:api[-_\s]?key|x-api-key|access[-_]?token|secret|password)
        ["']?\s*[:=]\s*["']?)(?=\S*[\d*])[^\s"',;&]{6,}
    | \b(?:sk|pk|rk|gsk|xai|hf|r8|nvapi|fw|pplx|csk|ghp|tgp)[-_][\w*.\-]{8,}
    | \bAIza[\w\-]{10,}
    | \b\d{6,12}:[\w\-]{30,}
    | \beyJ[\w\-]+\.[\w\-]+(?:\.[\w\-]*)?
    | \b(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{32,}\b
    | [\w\-]{0,40}\*{4,400}[\w\-]{0,60}
    """,
    re.VERBOSE | re.IGNORECASE,
)


def mask_secrets(text: str) -> str:
    """Replace whatever looks like an API key, a token or a password by ``***``."""
    return _SECRETS.sub(lambda m: f"{m['lead'] or m['name'] or ''}{_MASK}", text)


def shorten(text: str) -> str:
    """Return the words on one line, masked, and cut to about 300 characters."""
    line = " ".join(mask_secrets(text[:_READ]).split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1].rstrip()}…"
