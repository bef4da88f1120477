"""What does not fit the settings tree, said in our own words."""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from noctule.config.document import ConfigDocument, KeyPath
from noctule.core.errors import Problem
from noctule.core.settings import Settings
from noctule.core.settings.fields import SettingField, is_named, keys_under, match

_FEW = 12
_LIKE_OPENAI = frozenset(
    {
        "azure",
        "cerebras",
        "cohere",
        "deepseek",
        "fireworks",
        "gemini",
        "google",
        "groq",
        "litellm",
        "llama.cpp",
        "llamacpp",
        "lmstudio",
        "lm-studio",
        "mistral",
        "moonshot",
        "openai-compatible",
        "openai_compatible",
        "openrouter",
        "sglang",
        "together",
        "vllm",
        "xai",
        "zai",
    }
)
"""What people write as a kind for servers that speak as OpenAI does."""


def structural_problems(document: ConfigDocument, data: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield a problem for each key that is unknown, missing or of the wrong kind.

    Args:
        document: where it was read, for lines.
        data: the configuration with variables put in.
    """
    try:
        Settings.model_validate(data)
    except ValidationError as error:
        seen: set[KeyPath] = set()
        for detail in error.errors(include_url=False, include_input=False):
            path = place(detail["type"], detail["loc"])
            if path not in seen:
                seen.add(path)
                yield _problem(document, path, detail["type"], detail["msg"])


def place(kind: str, loc: Sequence[str | int]) -> KeyPath:
    """Return the path of a validation error as far as it stands in the file.

    Args:
        kind: pydantic's name of the error.
        loc: pydantic's location, which also names the alternatives of a union.
    """
    if kind == "extra_forbidden":
        return tuple(loc)
    known, _ = match(loc)
    return tuple(loc[:known])


def _problem(document: ConfigDocument, path: KeyPath, kind: str, said: str) -> Problem:
    if kind == "extra_forbidden":
        return document.complain(path, "there is no such setting.", _other_key(path))
    _, field = match(path)
    if field is None:
        return document.complain(path, "it cannot be read.", "compare it with the reference.")
    if kind == "missing":
        return document.complain(path, "it is missing.", _add(path, field))
    if field.section is not None:
        return document.complain(path, f"it must be {_words(path, field)}.", _correct(field))
    meant = _other_word(document.data, path, field)
    return document.complain(path, f"it must be {field.words}.", meant or _correct(field, said))


def _other_word(data: Mapping[str, Any], path: KeyPath, field: SettingField) -> str | None:
    """Say which of the possible words was meant; None where none comes close."""
    written: Any = data
    for key in path:
        written = written.get(key) if isinstance(written, dict) else None
    if not isinstance(written, str):
        return None
    if path[:1] == ("endpoints",) and path[2:] == ("kind",) and written.lower() in _LIKE_OPENAI:
        return "write openai, and the server's address under `url:`."
    known = [word for word in re.split(r", | or ", field.words) if re.fullmatch(r"[\w-]+", word)]
    close = get_close_matches(written.lower(), known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else None


def _other_key(path: KeyPath) -> str:
    known = keys_under(path[:-1])
    close = get_close_matches(str(path[-1]), known, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    if not known:
        return "remove it."
    listed = ", ".join(known[:_FEW]) + (", ..." if len(known) > _FEW else "")
    return f"remove it, or use one of: {listed}."


def _words(path: KeyPath, field: SettingField) -> str:
    whole = len(path) == len(field.path)
    if field.words == "a section" or not whole:
        return "a section of keys and values"
    return "a section with at least one entry, named by you"


def _correct(field: SettingField, said: str = "") -> str:
    """Say what to do: the error's own advice when it has one, else what the field is for."""
    _, marker, advice = said.partition("write ")
    if marker:
        return f"write {advice.rstrip('.')}."
    if field.required:
        return f"correct it: {_about(field)}."
    instead = f" for {field.default}" if field.default else ""
    return f"correct it, or leave it out{instead}: {_about(field)}."


def _add(path: KeyPath, field: SettingField) -> str:
    if field.section is None:
        return f"add `{path[-1]}:`, {field.words}: {_about(field)}."
    needed = [key for key, info in field.section.model_fields.items() if info.is_required()]
    keys = ", ".join(f"{key}: ..." for key in needed)
    inside = f"NAME: {{{keys}}}" if is_named(field) else keys
    return f"add `{path[-1]}: {{{inside}}}`: {_about(field)}."


def _about(field: SettingField) -> str:
    text = " ".join(field.doc.replace("``", "").split()).partition(". ")[0].rstrip(".")
    return text[0].lower() + text[1:] if text[1:2].islower() else text
