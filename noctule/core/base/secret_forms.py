"""Secret forms: what keys, tokens and passwords look like, whoever they belong to.

Three kinds: keys of providers, which are known by their own form; values that stand where a
secret stands (``DB_PASSWORD=…``, ``"apiKey": "…"``, ``--token …``, ``Authorization: …``, a URL);
and what a person calls a password in words. Program text that only speaks of secrets
(``password=given``, ``token: str``) is left alone. Every pattern is linear in the length of the
text: it may be hostile.
"""

import re
from collections.abc import Callable

Mark = Callable[[str], str]
"""Returns what stands in a secret's place."""

PLACEHOLDER = "[secret:{}]"
"""What stands in a secret's place once its turn has ended, around a digest."""

_KEY_FORMS = (
    # OpenAI, Anthropic, OpenRouter and who imitates them
    r"(?:sk|sess)-(?=[\w-]{0,200}\d)[\w-]{16,}",
    # Groq, xAI, Replicate, NVIDIA, Fireworks, Perplexity, Cerebras, Together, Tavily, Firecrawl
    r"(?:gsk_|xai-|r8_|nvapi-|fw_|pplx-|csk-|tgp_v1_|tvly-|fc-)(?=[\w-]{0,200}\d)[\w-]{20,}",
    # Z.ai
    r"[0-9a-f]{32}\.[A-Za-z0-9]{16}(?!\w)",
    # GitHub, GitLab, Atlassian
    r"gh[pousr]_[A-Za-z0-9]{20,}",
    r"github_pat_\w{20,}",
    r"gl(?:pat|dt|rt|ptt|ft|soat)-[\w-]{20,}",
    r"ATATT3x[\w=-]{50,}",
    # AWS
    r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])",
    # Slack, Discord
    r"(?:xox[a-z]|xapp)-[A-Za-z0-9-]{10,}",
    r"[MNO][A-Za-z0-9]{23,27}\.[\w-]{6}\.[\w-]{27,}",
    # Google, Hugging Face, Stripe
    r"AIza[\w-]{35}",
    r"(?:ya29\.|GOCSPX-)[\w-]{20,}",
    r"hf_[A-Za-z0-9]{30,}",
    r"(?:[rs]k_(?:live|test)|whsec)_[A-Za-z0-9]{16,}",
    # Telegram bot tokens
    r"\d{8,10}:[\w-]{35}(?![\w-])",
    # npm, PyPI, Docker, DigitalOcean, Shopify, SendGrid, Mailgun, Twilio
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-AgE[\w-]{50,}",
    r"dckr_pat_[\w-]{20,}",
    r"do[opr]_v1_[0-9a-f]{64}",
    r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",
    r"SG\.[\w-]{16,32}\.[\w-]{16,64}",
    r"(?:key-|SK)[0-9a-f]{32}(?!\w)",
    # Notion, Linear, Databricks, Vault, Sentry, Grafana, Supabase, Doppler, age, Azure
    r"(?:secret_[A-Za-z0-9]{43}|ntn_\w{40,}|lin_api_\w{32,}|dapi[0-9a-f]{32}|hv[sb]\.[\w-]{24,})",
    r"sntrys_[\w=+/-]{20,}",
    r"gl(?:sa|c)_[\w=+/-]{30,}",
    r"sbp_[0-9a-f]{40}",
    r"dp\.[a-z]{2,6}\.\w{40,}",
    r"AGE-SECRET-KEY-1[0-9A-Z]{50,60}",
    r"[\w~.-]{3}\dQ~[\w~.-]{31,34}(?![\w~.-])",
    # JSON web tokens
    r"eyJ[\w-]{8,4096}\.[\w-]{8,8192}\.[\w-]{0,4096}",
)
_KEYS = re.compile(
    rf"(?<![A-Za-z0-9_-])(?:{'|'.join(_KEY_FORMS)})"
    r"|(?i:(?<=bearer )[\w.~+/=-]{16,4096})"
    r"|(?i:(?<=hooks\.slack\.com/services/)|(?<=discord\.com/api/webhooks/))[\w/-]{20,}"
    # PEM, as far as it goes: also when its end was cut off
    r"|-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:(?!-----(?:BEGIN|END))[\s\S])*"
    r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?",
    re.ASCII,
)

_URL_PASSWORD = re.compile(
    r"(\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@'\"]{0,256}:)(?!//)([^\s/'\"]{1,256})(?=@)", re.IGNORECASE
)
_URL_USER = re.compile(
    r"(\b[a-z][a-z0-9+.-]{1,20}://)(?=[^\s@]{0,256}\d)([\w.~%+-]{16,256})(?=@)", re.IGNORECASE
)

_PASSWORD = r"(?:pass(?:word|wd|phrase|code)|passwort|kennwort|pwd)"  # noqa: S105 - a pattern
_KEY = (
    r"(?:api|access|secret|private|encryption|signing|master|account|shared|sharedaccess|auth|"
    r"client|service|subscription|license)[_-]?key"
)
_NAMES = rf"{_PASSWORD}|secret(?:[_-]?key[_-]?base)?|token|{_KEY}|credentials?"
_ASSIGNED = re.compile(
    rf"(?!secret:[0-9a-f]{{12}}\])(?P<lead>(?P<name>{_NAMES}|(?-i:(?<=_)(?:KEY|PASS|PW|AUTH)))(?:_?\d{{1,3}})?"
    r"(?:\\{0,3}[\"'])?\]?"
    r"(?P<sep>[ \t]{0,3}(?:=>|:=|=(?![=~])|:(?:[ \t]{0,2}[A-Za-z_.]{1,20}[ \t]{0,2}=)?)[ \t]{0,3})"
    r"(?P<quote>(?:[rbuf]?\\{0,3}[\"'`]){0,1}))"
    r"(?P<value>[^\s'\"`$()<>{}\[\];&|,\\*][^\s'\"`()<>{}\[\];&|,\\]{3,512})",
    re.IGNORECASE,
)
_OPTION = re.compile(
    rf"(--?(?:[a-z0-9]{{1,20}}-){{0,4}}(?:{_NAMES})[ \t]{{1,3}}\\{{0,3}}[\"']?)"
    r"([^\s'\"`$()<>{}\[\];&|,\\*-][^\s'\"`()<>{}\[\];&|,\\]{3,512})",
    re.IGNORECASE,
)
_LOGIN = re.compile(
    r"(\b(?:curl|wget|http)\b[^\n]{0,200}?[ \t](?:-u|--user)[ \t=]{1,2}[\"']?[^\s:'\"]{1,64}:"
    r"|\bsshpass[ \t]{1,3}-p[ \t]{0,2}[\"']?|\bmysql(?:dump|admin)?\b[^\n]{0,100}?[ \t]-p(?=\S)"
    r"|\bredis-cli\b[^\n]{0,100}?[ \t]-a[ \t]{1,2})([^\s'\"$]{4,256})"
)
_HEADER = re.compile(
    r"(\b(?:proxy-)?authorization\\{0,3}[\"']?[ \t]{0,3}[:=][ \t]{0,3}\\{0,3}[\"']?"
    r"(?:(?:basic|bearer|token|apikey|digest)[ \t]{1,3})?)([^\s'\"$<{\[\\(,;]{8,4096})",
    re.IGNORECASE,
)
_COOKIE = re.compile(
    r"(\b(?:set-)?cookie:[ \t]{0,3}[^\s=;'\"]{1,64}=)([^\s'\"<{\[(][^\r\n'\"]{7,4096})",
    re.IGNORECASE,
)
_QUERY = re.compile(
    r"([?&](?:sig|signature|x-amz-signature|x-amz-security-token|key|code|auth)=)"
    r"(?=[^\s&]{0,64}\d)([\w.~%+/=-]{16,2048})",
    re.IGNORECASE,
)
_ELEMENT = re.compile(
    rf"(<(?:[a-z0-9]{{1,20}}[_:.-]?){{0,1}}(?:{_NAMES})>)([^<>\s$*][^<>\s]{{3,256}})(?=</)",
    re.IGNORECASE,
)
_TOLD = re.compile(
    rf"(\b(?:{_PASSWORD}|pin|token|{_KEY.replace('[_-]?', '[ _-]?')})"
    r"[ \t]{1,2}(?:is|ist|lautet|was)[ \t]{0,2}:?[ \t]{0,2}[\"'`]?)"
    r"([^\s'\"`$()<>{}\[\];|,*][^\s'\"`()<>{}\[\];|,]{4,256})",
    re.IGNORECASE,
)

_CLUES = re.compile(
    r"pass|pwd|kennwort|secret|token|key|credential|authoriz|cookie|\bpin |curl|wget|http |mysql|"
    r"redis-cli|_pw|_auth"
)
"""One of these, in small letters, stands before everything but a key of a known form."""
_SHORTEST = 6
_LONG = 16
_LONGEST_BEFORE = 6
_IS_PASSWORD = re.compile(rf"(?i:{_PASSWORD}|pin\b)")
_IS_NAME = re.compile(rf"(?i:{_NAMES})")
_LOOSE = frozenset({"PASS", "PW", "AUTH", "PWD"})
"""Names that often hold something else, so that the value has to stand out."""
_NO_SECRET_BEFORE = re.compile(r"(?i:pad|eos|bos|sep|cls|mask|unk|next|page|stop)[_-]?\Z")
_EXPRESSION = re.compile(r"[A-Za-z_]\w*(?:(?:\.|::|->)[A-Za-z_]\w*)+")
_VARIABLE = re.compile(r"[A-Za-z_]+\d{0,2}")
_PATH = re.compile(r"(?:~|\.{0,2}/)[\w.-]{0,64}(?:/[\w.-]{1,64})*/?|[a-z]+://.*", re.IGNORECASE)
_LONGEST_PATH = 40
_KNOWN_WORD = re.compile(
    r"(?i:u?int|float|utf-?|base|sha-?|md|oauth|jwt|v|x509|ed|rsa|level|step|test|example)[\d.-]{1,6}"
)
_EMPTY = re.compile(
    r"(?i:#[0-9a-f]{3,8}\Z|x{3,}|\.{3}|your|example|placeholder|change-?me|redacted|-+\Z|%.*%\Z|:[A-Za-z_]\w*\Z)"
)
_SIGN = re.compile(r".[^!@#%^+~?=]*[!@#%^+~?=]")
_MIXED = re.compile(r"(?=[^\d]*\d[^\d]*\d)(?=[^A-Za-z]*[A-Za-z]).{16,}")
_MARKED = re.compile(r"\[(?:masked|secret:[0-9a-f]+)\]")


def mask_forms(text: str, mark: Mark) -> str:
    """Return a text with a mark in place of everything that looks like a secret.

    Args:
        text: any.
        mark: is given each secret once, and returns what stands in its place.
    """

    def second(match: re.Match[str]) -> str:
        return match[0] if _MARKED.fullmatch(match[2]) else f"{match[1]}{mark(match[2])}"

    def if_no_word(match: re.Match[str]) -> str:
        value = match[2].rstrip(".,:")
        digits = value.isdigit() and _IS_PASSWORD.search(match[1])
        if len(value) < _SHORTEST or not (digits or _stands_out(value)):
            return match[0]
        return f"{match[1]}{mark(value)}{match[2][len(value) :]}"

    def in_header(match: re.Match[str]) -> str:
        plain = match[2].isalpha() and (match[2].islower() or len(match[2]) < _LONG)
        return match[0] if plain else second(match)

    def assigned(match: re.Match[str]) -> str:
        value = match["value"] if match["quote"] else match["value"].rstrip(".,:")
        if not _is_assigned(match, value):
            return match[0]
        return f"{match['lead']}{mark(value)}{match['value'][len(value) :]}"

    text = _KEYS.sub(lambda match: mark(match[0]), text)
    if "://" in text:
        text = _URL_PASSWORD.sub(second, text)
        text = _URL_USER.sub(second, text)
        text = _QUERY.sub(second, text)
    if not _CLUES.search(text.lower()):
        return text
    text = _HEADER.sub(in_header, text)
    text = _COOKIE.sub(second, text)
    text = _ASSIGNED.sub(assigned, text)
    text = _OPTION.sub(if_no_word, text)
    text = _LOGIN.sub(second, text)
    if "</" in text:
        text = _ELEMENT.sub(if_no_word, text)
    return _TOLD.sub(if_no_word, text)


def password_of_url(url: str) -> str | None:
    """Return the password within a URL; None when it has none."""
    found = _URL_PASSWORD.search(url)
    return None if found is None else found[2]


def _is_assigned(match: re.Match[str], value: str) -> bool:
    name, begin = match["name"], match.start()
    before = match.string[max(0, begin - _LONGEST_BEFORE) : begin]
    if len(value) < _SHORTEST or _NO_SECRET_BEFORE.search(before):
        return False
    if value.replace("_", "").isdigit():
        return _IS_PASSWORD.fullmatch(name) is not None and not value.startswith("0" * len(value))
    if name == "KEY":
        return _MIXED.fullmatch(value) is not None and not _is_path(value)
    if name.isupper() and match["sep"] == "=" and name not in _LOOSE:
        # As shells and .env files write it: with spaces or in small letters it is program text.
        return not _is_path(value) and not _EMPTY.match(value)
    if not match["quote"] and _VARIABLE.fullmatch(value) and _IS_NAME.search(value):
        return False
    return _stands_out(value)


def _stands_out(value: str) -> bool:
    """Say whether a value is more than a word, a number, a path or an expression of a program."""
    if _EMPTY.match(value) or _EXPRESSION.fullmatch(value) or _KNOWN_WORD.fullmatch(value):
        return False
    if _is_path(value) or value.replace(".", "").replace("_", "").isdigit():
        return False
    return any(letter.isdigit() for letter in value) or _SIGN.match(value) is not None


def _is_path(value: str) -> bool:
    return len(value) <= _LONGEST_PATH and _PATH.fullmatch(value) is not None
