"""What servers and libraries declare of a model. It warns early and proves nothing."""

from collections.abc import Mapping
from typing import Any

_OF_PROFILES = {
    "tool_calling": "tools",
    "image_inputs": "vision",
    "reasoning_output": "thinking",
}


def capabilities_of_profile(profile: Mapping[str, Any] | None) -> frozenset[str] | None:
    """Read LangChain's profile of a model; None when it has none.

    Args:
        profile: as ``BaseChatModel.profile`` gives it (langchain-core 1.7, checked 2026-11).
    """
    if not profile:
        return None
    return frozenset(word for field, word in _OF_PROFILES.items() if profile.get(field))


def capabilities_of_props(props: object) -> frozenset[str] | None:
    """Read llama.cpp's ``GET /props``; None when it says nothing of the template.

    Args:
        props: the parsed answer (llama.cpp of 2026-10: ``chat_template_caps``, ``modalities``).
    """
    template = props.get("chat_template_caps") if isinstance(props, Mapping) else None
    if not isinstance(props, Mapping) or not isinstance(template, Mapping):
        return None
    modalities = props.get("modalities")
    found = set()
    if template.get("supports_tools") and template.get("supports_tool_calls"):
        found.add("tools")
    if template.get("supports_preserve_reasoning") or template.get("supports_reasoning_effort"):
        found.add("thinking")
    if isinstance(modalities, Mapping) and modalities.get("vision"):
        found.add("vision")
    return frozenset(found)


def is_llama_cpp(listed: object) -> bool:
    """Whether a list of models comes from llama.cpp's server."""
    entries = listed.get("data") if isinstance(listed, Mapping) else None
    return isinstance(entries, list) and any(
        isinstance(entry, Mapping) and entry.get("owned_by") == "llamacpp" for entry in entries
    )
