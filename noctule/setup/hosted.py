"""Hosted services a first configuration can be written for, by the variable of their key."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class HostedService:
    """A hosted service.

    Args:
        title: what people call it.
        variable: the environment variable its own tools read the key from.
        endpoint: the name its endpoint gets in the configuration.
        kind: how it is spoken to.
        url: its base address; None means the kind's own.
        quick: a model for everyday work, as the service calls it.
        strong: one for what is hard.
        also: further variables that people keep the same key in.
        priced: whether what its models cost is known.
    """

    title: str
    variable: str
    endpoint: str
    kind: str
    url: str | None
    quick: str
    strong: str
    also: tuple[str, ...] = ()
    priced: bool = True

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables its key is looked for in, in this order."""
        return (self.variable, *self.also)


# Addresses and models as in each service's own documentation and in genai-prices, checked
# 2026-11; the order is that in which they are proposed.
SERVICES = (
    HostedService(
        "Anthropic",
        "ANTHROPIC_API_KEY",
        "anthropic",
        "anthropic",
        None,
        "claude-haiku-4-5",
        "claude-opus-4-7",
    ),
    HostedService("OpenAI", "OPENAI_API_KEY", "openai", "openai", None, "gpt-5.4-mini", "gpt-5.4"),
    HostedService(
        "OpenRouter",
        "OPENROUTER_API_KEY",
        "openrouter",
        "openai",
        "https://openrouter.ai/api/v1",
        "openai/gpt-oss-120b",
        "anthropic/claude-haiku-4.5",
    ),
    HostedService(
        "Groq",
        "GROQ_API_KEY",
        "groq",
        "openai",
        "https://api.groq.com/openai/v1",
        "openai/gpt-oss-20b",
        "openai/gpt-oss-120b",
    ),
    HostedService(
        "Google Gemini",
        "GEMINI_API_KEY",
        "gemini",
        "openai",
        "https://generativelanguage.googleapis.com/v1beta/openai/",
        "gemini-2.5-flash-lite",
        "gemini-3.5-flash",
        also=("GOOGLE_API_KEY",),
    ),
    HostedService(
        "Mistral",
        "MISTRAL_API_KEY",
        "mistral",
        "openai",
        "https://api.mistral.ai/v1",
        "mistral-small-latest",
        "mistral-medium-latest",
    ),
    HostedService(
        "DeepSeek",
        "DEEPSEEK_API_KEY",
        "deepseek",
        "openai",
        "https://api.deepseek.com/v1",
        "deepseek-chat",
        "deepseek-reasoner",
    ),
    HostedService(
        "xAI",
        "XAI_API_KEY",
        "xai",
        "openai",
        "https://api.x.ai/v1",
        "grok-4-1-fast-non-reasoning",
        "grok-4.3",
    ),
    HostedService(
        "Together AI",
        "TOGETHER_API_KEY",
        "together",
        "openai",
        "https://api.together.xyz/v1",
        "openai/gpt-oss-120b",
        "moonshotai/Kimi-K3",
    ),
    HostedService(
        "Cerebras",
        "CEREBRAS_API_KEY",
        "cerebras",
        "openai",
        "https://api.cerebras.ai/v1",
        "gpt-oss-120b",
        "zai-glm-4.7",
    ),
    HostedService(
        "Fireworks AI",
        "FIREWORKS_API_KEY",
        "fireworks",
        "openai",
        "https://api.fireworks.ai/inference/v1",
        "accounts/fireworks/models/gpt-oss-120b",
        "accounts/fireworks/models/kimi-k2p6",
    ),
    HostedService(
        "Moonshot AI",
        "MOONSHOT_API_KEY",
        "moonshot",
        "openai",
        "https://api.moonshot.ai/v1",
        "kimi-k2.5",
        "kimi-k3",
    ),
    HostedService(
        "Z.ai",
        "ZAI_API_KEY",
        "zai",
        "openai",
        "https://api.z.ai/api/paas/v4",
        "glm-4.5-air",
        "glm-4.7",
        also=("Z_AI_API_KEY",),
    ),
    HostedService(
        "Cohere",
        "COHERE_API_KEY",
        "cohere",
        "openai",
        "https://api.cohere.ai/compatibility/v1",
        "command-r7b-12-2024",
        "command-a-03-2025",
        also=("CO_API_KEY",),
    ),
)


AZURE_KEY = "AZURE_OPENAI_API_KEY"
_AZURE_URL = "AZURE_OPENAI_ENDPOINT"
_AZURE_DEPLOYMENTS = (
    "AZURE_OPENAI_DEPLOYMENT",
    "AZURE_OPENAI_DEPLOYMENT_NAME",
    "AZURE_OPENAI_CHAT_DEPLOYMENT_NAME",
    "AZURE_OPENAI_CHAT_DEPLOYMENT",
)
_OTHER_ADDRESSES = ("OPENAI_BASE_URL", "OPENAI_API_BASE")
_OPENAI_HOST = "api.openai.com"


def keys_in(environ: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Return the variables that hold keys, one of each service, and what to say about others.

    Args:
        environ: the environment variables; an empty one counts as unset.
    """
    said = _said(environ)
    found, notes = [], []
    for service in SERVICES:
        variable = next((name for name in service.variables if name in said), None)
        other = next((name for name in _OTHER_ADDRESSES if name in said), None)
        if variable is None:
            continue
        if service.endpoint == "openai" and other and _OPENAI_HOST not in said[other]:
            notes.append(
                f"{other} names another server than OpenAI's, so {variable} is left out: add that "
                "server as an endpoint of kind openai, with its models."
            )
            continue
        found.append(variable)
    return found, notes


def services_of(variables: Collection[str]) -> list[HostedService]:
    """Return the services whose keys are in these variables, each once."""
    return [
        replace(service, variable=name)
        for service in SERVICES
        for name in [one for one in service.variables if one in variables][:1]
    ]


def azure_in(environ: Mapping[str, str]) -> tuple[HostedService | None, list[str]]:
    """Return Azure's OpenAI, whose address and deployment are the customer's own.

    Its v1 API takes the key as OpenAI's does, and the deployment's name as the model ("Azure OpenAI
    in Azure AI Foundry Models v1 API", learn.microsoft.com, checked 2026-11).

    Args:
        environ: the environment variables; an empty one counts as unset.

    Returns:
        The service, without models where no deployment is named, and what to say about it; None
        where there is no key or no address.
    """
    said = _said(environ)
    if AZURE_KEY not in said:
        return None, []
    if _AZURE_URL not in said:
        return None, [f"{AZURE_KEY} is set, but not {_AZURE_URL} (https://NAME.openai.azure.com)."]
    base = said[_AZURE_URL].partition("/openai")[0].rstrip("/")
    deployment = next((said[name] for name in _AZURE_DEPLOYMENTS if name in said), None)
    priced = deployment is not None and _has_price(deployment)
    notes = []
    if deployment is None:
        notes.append(
            f"{AZURE_KEY} is set, but no deployment: export {_AZURE_DEPLOYMENTS[0]}, or write its "
            "name under models."
        )
    elif not priced:
        notes.append(
            f"No price is known for the deployment {deployment}: write its price under models."
        )
    name = deployment or ""
    url = f"{base}/openai/v1/"
    azure = HostedService(
        "Azure OpenAI", AZURE_KEY, "azure", "openai", url, name, name, priced=priced
    )
    return azure, notes


def _said(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value.strip() for name, value in environ.items() if value.strip()}


def _has_price(deployment: str) -> bool:
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - heavy

    try:
        get_snapshot().find_provider_model(deployment, None, "azure", None)
    except LookupError:
        return False
    return True
