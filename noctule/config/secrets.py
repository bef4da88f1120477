"""Secrets stay out of configuration files and out of what is said about them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from noctule.config.document import ConfigDocument, KeyPath
from noctule.core.errors import Problem

_WHOLE_REFERENCE = re.compile(r"\s*\$\{[^}]*\}\s*")

# Beginnings of keys as OpenAI, Anthropic, OpenRouter (sk-), Groq (gsk_), xAI, Google (AIza),
# Hugging Face (hf_), GitHub and Slack hand them out, and Telegram's bot tokens; seen 2026-11.
_LOOKS_SECRET = re.compile(
    r"\b(?:sk-|gsk_|xai-|AIza|hf_|ghp_|github_pat_|xox[abp]-)[A-Za-z0-9_\-]{12,}"
    r"|\b\d{6,12}:[A-Za-z0-9_\-]{30,}"
)
_HIDDEN = "(hidden)"
_SHORTEST = 3  # a variable's value shorter than this is no secret and would hide plain words


def written_secrets(document: ConfigDocument) -> Iterator[Problem]:
    """Yield a problem for each secret that is written into the file itself."""
    for path, text in _texts(document.data, ()):
        variable = _variable(document.data, path)
        if variable is not None and text.strip() and not _WHOLE_REFERENCE.fullmatch(text):
            what = "a secret is written into the file"
        elif path == ("storage", "url") and _has_password(text):
            what, variable = "a password is written into the file", "NOCTULE_DATABASE_URL"
        elif _LOOKS_SECRET.search(text):
            what, variable = "this looks like a secret", "VARIABLE"
        else:
            continue
        yield document.complain(
            path,
            f"{what}; anyone who sees the file has it.",
            f'write "${{{variable}}}" and export that variable before starting.',
        )


def hide(problem: Problem, used: Mapping[str, str]) -> Problem:
    """Return the problem without values of variables and without anything like a key.

    Args:
        problem: what is to be shown.
        used: the variables that were put in, with their values.
    """

    def clean(text: str) -> str:
        for name, value in sorted(used.items(), key=lambda item: -len(item[1])):
            if len(value) >= _SHORTEST:
                text = text.replace(repr(value)[1:-1], f"${{{name}}}")
                text = text.replace(value, f"${{{name}}}")
        return _LOOKS_SECRET.sub(_HIDDEN, text)

    return replace(
        problem,
        path=clean(problem.path),
        message=clean(problem.message),
        fix=clean(problem.fix),
    )


def _texts(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    match value:
        case dict():
            for key, inner in value.items():
                yield from _texts(inner, (*path, key))
        case list():
            for index, inner in enumerate(value):
                yield from _texts(inner, (*path, index))
        case bool() | None:
            return
        case _:
            yield path, str(value)


def _variable(data: Mapping[str, Any], path: KeyPath) -> str | None:
    """Name the variable that should hold what stands at a path; None when it is no secret."""
    match path:
        case ("telegram", "token"):
            return "TELEGRAM_BOT_TOKEN"
        case ("endpoints", name, "key"):
            return key_variable(str(name), data["endpoints"][name])
        case ("endpoints", name, "account", "key"):
            return re.sub(r"\W+", "_", str(name), flags=re.ASCII).upper() + "_ACCOUNT_KEY"
        case _:
            return None


def key_variable(name: str, endpoint: Mapping[str, Any]) -> str:
    """Propose the variable for an endpoint's key, by its kind, host or name."""
    kind, url = endpoint.get("kind"), str(endpoint.get("url") or "")
    if kind == "anthropic":
        return "ANTHROPIC_API_KEY"
    if "openrouter.ai" in url:
        return "OPENROUTER_API_KEY"
    if kind == "openai" and not url:
        return "OPENAI_API_KEY"
    return re.sub(r"\W+", "_", name, flags=re.ASCII).upper() + "_API_KEY"


def _has_password(text: str) -> bool:
    if "://" not in text or "@" not in text:
        return False
    try:
        password = urlsplit(text).password
    except ValueError:
        return False
    return bool(password) and not _WHOLE_REFERENCE.fullmatch(password or "")
