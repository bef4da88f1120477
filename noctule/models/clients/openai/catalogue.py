"""The list of models an OpenAI-compatible endpoint gives, in the variants seen in the wild."""

from collections.abc import Mapping
from typing import Any

from noctule.models.base.client import PresentModel

# OpenRouter, vLLM, Groq, LM Studio, Anthropic, llama.cpp (nested in "meta"); checked 2026-11.
_CONTEXT_FIELDS = (
    "context_length",
    "max_model_len",
    "context_window",
    "max_context_length",
    "max_input_tokens",
    "n_ctx_train",
)
_VERSION_FIELDS = ("digest", "sha", "canonical_slug", "root", "n_params", "size", "quantization")
_LONGEST_VERSION = 200
_LOADED_FIELDS = ("n_ctx", "loaded_context_length")


def present_models(listed: object) -> list[PresentModel]:
    """Read the answer to ``GET /models``; what has no name is passed over."""
    entries = listed.get("data") or listed.get("models") if isinstance(listed, Mapping) else listed
    if not isinstance(entries, list):
        return []
    return [
        _present(entry)
        for entry in entries
        if isinstance(entry, Mapping) and isinstance(entry.get("id") or entry.get("name"), str)
    ]


def _present(entry: Mapping[str, Any]) -> PresentModel:
    meta = entry.get("meta")
    fields = {**(meta if isinstance(meta, Mapping) else {}), **entry}
    return PresentModel(
        name=str(entry.get("id") or entry.get("name")),
        context=_number(fields, _CONTEXT_FIELDS),
        loaded_context=_number(fields, _LOADED_FIELDS),
        memory_bytes=None,
        capabilities=_capabilities(fields),
        version=_version(fields),
    )


def _version(fields: Mapping[str, Any]) -> str:
    """Join what tells one model from the next behind the same name; "" where nothing does.

    OpenRouter's dated name, vLLM's path, llama.cpp's sizes, digests where there are any. Many
    servers put the time of the answer into ``created``, so that counts nowhere.
    """
    said = (fields.get(name) for name in _VERSION_FIELDS)
    known = [str(value) for value in said if isinstance(value, str | int) and value]
    return ":".join(known)[:_LONGEST_VERSION]


def _number(fields: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    values = (fields.get(name) for name in names)
    return next((v for v in values if isinstance(v, int) and not isinstance(v, bool) and v), None)


def _capabilities(fields: Mapping[str, Any]) -> frozenset[str] | None:
    """OpenRouter says it in two places; most others not at all."""
    parameters, architecture = fields.get("supported_parameters"), fields.get("architecture")
    if not isinstance(parameters, list):
        return None
    found = {"tools"} if "tools" in parameters else set()
    if "reasoning" in parameters or "include_reasoning" in parameters:
        found.add("thinking")
    if isinstance(architecture, Mapping) and "image" in (
        architecture.get("input_modalities") or ()
    ):
        found.add("vision")
    return frozenset(found)
