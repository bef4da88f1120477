"""Leading: which models are led through their work, and in which manner each is asked for calls."""

import re

from noctule.core.llm.proofs import BY_TEXT, GUIDED, Proof, ProofOutcome
from noctule.core.settings import EndpointKind, Settings
from noctule.models.tool_calls.manner import Manner

LEADABLE = frozenset({EndpointKind.OPENAI, EndpointKind.OLLAMA, EndpointKind.EMBEDDED})
"""Kinds of endpoints that can be made to call something: by ``tool_choice`` (llama.cpp, vLLM and
many hosts) or by a JSON schema (Ollama, which has no ``tool_choice``); checked 2026-11."""

BY_SCHEMA = frozenset({EndpointKind.OLLAMA, EndpointKind.EMBEDDED})
"""Those of them that are made to by a schema. llama.cpp could do either: told that something has
to be called it lets a small model talk before the call, a minute of it on a busy machine."""

_SMALL_BILLIONS = 4.0
_SMALL_FILE_BYTES = 3_000_000_000
"""What four billion parameters take at four to five bits each."""

_SIZE = re.compile(r"(?<![\w.])(?P<size>\d+(?:\.\d+)?)\s?(?P<unit>[bm])(?![a-z0-9])", re.IGNORECASE)


def manner_of(settings: Settings, model: str, proof: Proof | None) -> Manner:
    """Return how a model is asked for calls of tools, by what it has shown.

    Args:
        settings: what is said of it.
        model: by its configured name.
        proof: None while nobody knows: then one call of a reply is taken.
    """
    kind, wanted = settings.endpoint_of(model).kind, settings.models[model].guided
    if kind is EndpointKind.SCRIPTED:
        return Manner()  # it plays what it is told to
    if proof is None:
        return Manner(several=False)
    by_text = proof.outcome is ProofOutcome.PROVEN_BY_TEXT
    led = wanted is not False and proof.has_passed(f"{BY_TEXT}{GUIDED}")
    if by_text:
        return Manner(by_text=True, led=led, several=False)
    if led:  # by a schema, which is of one call in words
        return Manner(by_text=True, led=True, several=False)
    led = wanted is not False and proof.has_passed(GUIDED)
    return Manner(led=led, several=proof.has_passed("parallel"))


def is_small(settings: Settings, model: str) -> bool:
    """Whether the name of a model or its file says that it has few parameters, or its file does."""
    weights = settings.endpoint_of(model).weights
    said = f"{settings.models[model].name} {weights.name if weights else ''}"
    sizes = [
        float(match["size"]) / (1000.0 if match["unit"].lower() == "m" else 1.0)
        for match in _SIZE.finditer(said.replace("-", " ").replace(":", " ").replace("_", " "))
    ]
    if sizes:
        return max(sizes) <= _SMALL_BILLIONS
    try:
        return weights is not None and weights.stat().st_size <= _SMALL_FILE_BYTES
    except OSError:
        return False
