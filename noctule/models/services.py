"""Hosted services a first configuration can be written for, by the variable of their key."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Service:
    """A hosted service.

    Args:
        title: what people call it.
        variable: the environment variable its own tools read the key from.
        endpoint: the name its endpoint gets in the configuration.
        kind: how it is spoken to.
        url: its base address; None means the kind's own.
        quick: a model for everyday work, as the service calls it.
        strong: one for what is hard.
    """

    title: str
    variable: str
    endpoint: str
    kind: str
    url: str | None
    quick: str
    strong: str


# Addresses and models as in each service's own documentation and in genai-prices, checked
# 2026-11; the order is that in which they are proposed.
SERVICES = (
    Service(
        "Anthropic",
        "ANTHROPIC_API_KEY",
        "anthropic",
        "anthropic",
        None,
        "claude-haiku-4-5",
        "claude-opus-4-7",
    ),
    Service("OpenAI", "OPENAI_API_KEY", "openai", "openai", None, "gpt-5.4-mini", "gpt-5.4"),
    Service(
        "OpenRouter",
        "OPENROUTER_API_KEY",
        "openrouter",
        "openai",
        "https://openrouter.ai/api/v1",
        "openai/gpt-oss-120b",
        "anthropic/claude-haiku-4.5",
    ),
    Service(
        "Groq",
        "GROQ_API_KEY",
        "groq",
        "openai",
        "https://api.groq.com/openai/v1",
        "openai/gpt-oss-20b",
        "openai/gpt-oss-120b",
    ),
    Service(
        "Google Gemini",
        "GEMINI_API_KEY",
        "gemini",
        "openai",
        "https://generativelanguage.googleapis.com/v1beta/openai/",
        "gemini-2.5-flash-lite",
        "gemini-3.5-flash",
    ),
    Service(
        "Mistral",
        "MISTRAL_API_KEY",
        "mistral",
        "openai",
        "https://api.mistral.ai/v1",
        "mistral-small-latest",
        "mistral-medium-latest",
    ),
    Service(
        "DeepSeek",
        "DEEPSEEK_API_KEY",
        "deepseek",
        "openai",
        "https://api.deepseek.com/v1",
        "deepseek-chat",
        "deepseek-reasoner",
    ),
)
