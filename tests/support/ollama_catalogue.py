"""What a provider tells about its models, in Ollama's words and in OpenAI's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.wire import Asked


@dataclass
class FakeModel:
    """A model that the lists show.

    Args:
        name: as the provider writes it.
        capabilities: what ``/api/show`` says it can do.
        context: the longest context it was trained for, in tokens.
        size: its size in bytes.
        loaded_context: the context it is loaded with, in tokens; None when it is not loaded.
        digest: changes when the model behind the name does.
    """

    name: str
    capabilities: tuple[str, ...] = ("completion", "tools")
    context: int = 32768
    size: int = 4_700_000_000
    loaded_context: int | None = None
    digest: str = "0" * 64


def answer_about_models(asked: Asked, models: Sequence[FakeModel]) -> tuple[int, dict[str, Any]]:
    """Return status and document for a request that no model has to answer."""
    if asked.path == "/api/version":
        return 200, {"version": "0.99.0"}
    if asked.path == "/api/tags":
        return 200, {"models": [_entry(model) for model in models]}
    if asked.path == "/api/ps":
        return 200, {"models": [_running(m) for m in models if m.loaded_context is not None]}
    if asked.path.endswith("/models"):
        entries = [{"id": m.name, "object": "model", "owned_by": "test"} for m in models]
        return 200, {"object": "list", "data": entries}
    if asked.path in {"/api/show", "/api/chat", "/api/generate"}:
        return _about_one(asked, models)
    return (200, {"status": "ok"}) if asked.path in {"/", "/health"} else (404, {"error": "404"})


def _about_one(asked: Asked, models: Sequence[FakeModel]) -> tuple[int, dict[str, Any]]:
    name = asked.json.get("model") or asked.json.get("name")
    model = next((m for m in models if m.name == name), None)
    if model is None:
        return 404, {"error": f"model '{name}' not found"}
    if asked.path == "/api/show":
        return 200, _details(model)
    note_loading(asked, models)
    done = {"model": model.name, "created_at": "2026-01-01T00:00:00Z", "done": True}
    return 200, done | {
        "response": "",
        "done_reason": "load",
        "message": {"role": "assistant", "content": ""},
    }


def note_loading(asked: Asked, models: Sequence[FakeModel]) -> None:
    """Load the model of a request with the context it asks for, 4096 tokens when it does not."""
    options = asked.json.get("options") or {}
    for model in models:
        if model.name == asked.json.get("model"):
            model.loaded_context = options.get("num_ctx", 4096)


def _entry(model: FakeModel) -> dict[str, Any]:
    return {
        "name": model.name,
        "model": model.name,
        "modified_at": "2026-01-01T00:00:00Z",
        "size": model.size,
        "digest": model.digest,
        "details": _family(),
    }


def _running(model: FakeModel) -> dict[str, Any]:
    return _entry(model) | {
        "size_vram": model.size,
        "expires_at": "2026-01-01T00:30:00Z",
        "context_length": model.loaded_context,
    }


def _family() -> dict[str, Any]:
    return {
        "parent_model": "",
        "format": "gguf",
        "family": "llama",
        "families": ["llama"],
        "parameter_size": "7B",
        "quantization_level": "Q4_K_M",
    }


def _details(model: FakeModel) -> dict[str, Any]:
    return {
        "modelfile": "",
        "parameters": "",
        "template": "",
        "details": _family(),
        "model_info": {
            "general.architecture": "llama",
            "llama.context_length": model.context,
        },
        "capabilities": list(model.capabilities),
    }
