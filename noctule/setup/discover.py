"""What a machine has to offer: Ollama and its models, keys of hosted services, memory."""

import asyncio
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from noctule.setup.hosted import HostedService, azure_in, keys_in, services_of

if TYPE_CHECKING:
    import httpx

OLLAMA_URL = "http://127.0.0.1:11434"
_ANSWER_SECONDS = 3.0
_MOST_MODELS = 40
_NAME = re.compile(r"[\w.\-/:@]+", re.ASCII)  # what Ollama allows; others would break the file


@dataclass(frozen=True, slots=True)
class FoundModel:
    """A model that Ollama has.

    Args:
        name: as Ollama calls it.
        size_bytes: what it takes on disk, and roughly in memory; 0 for one that runs elsewhere.
        capabilities: what its template mentions (``completion``, ``tools``, ``vision``,
            ``thinking``, ``embedding``); None when Ollama does not say.
        context: the longest context it was made for, in tokens; None when Ollama does not say.
        remote: True when this Ollama only passes it on to Ollama's cloud.
        cache_bytes_per_token: what a token of context takes in memory, by the model's shape; None
            when Ollama does not say.
    """

    name: str
    size_bytes: int
    capabilities: frozenset[str] | None = None
    context: int | None = None
    remote: bool = False
    cache_bytes_per_token: int | None = None


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found.

    Args:
        ollama_url: where Ollama was looked for.
        ollama: its models; None when nothing answered there as Ollama does.
        ollama_trouble: why not, as a sentence; None when it answered.
        keys: names of the variables that hold keys of hosted services; never their values.
        azure: Azure's OpenAI, whose address is the customer's own; None without a key of it.
        notes: what to say about keys that are of no use as they are, a sentence each.
        telegram: whether TELEGRAM_BOT_TOKEN is set.
        telegram_url: what TELEGRAM_BASE_URL says, for a Bot API server of one's own; "" means none.
        memory_bytes: the memory of the machine Ollama runs on; None when it cannot be told.
    """

    ollama_url: str = OLLAMA_URL
    ollama: tuple[FoundModel, ...] | None = None
    ollama_trouble: str | None = None
    keys: tuple[str, ...] = ()
    azure: HostedService | None = None
    notes: tuple[str, ...] = ()
    telegram: bool = False
    telegram_url: str = ""
    memory_bytes: int | None = None

    @property
    def services(self) -> list[HostedService]:
        """The hosted services whose keys are set, under the variables that hold them."""
        found = services_of(self.keys)
        return found if self.azure is None else [*found, self.azure]


async def discover(environ: Mapping[str, str], http: "httpx.AsyncClient") -> Discovery:
    """Look around; asks nobody but Ollama, and waits for it a few seconds at most.

    Args:
        environ: the environment variables. OLLAMA_HOST says where Ollama is, as for its own tools.
        http: a client; build it with ``trust_env=False`` so that no proxy is asked for loopback.
    """
    url = ollama_url(environ.get("OLLAMA_HOST", ""))
    models, trouble = await _ask_ollama(url, http)
    keys, notes = keys_in(environ)
    azure, missing = azure_in(environ)
    return Discovery(
        ollama_url=url,
        ollama=models,
        ollama_trouble=trouble,
        keys=tuple(keys),
        azure=azure,
        notes=tuple(notes + missing),
        telegram=bool(environ.get("TELEGRAM_BOT_TOKEN", "").strip()),
        telegram_url=environ.get("TELEGRAM_BASE_URL", "").strip(),
        memory_bytes=memory_bytes() if _is_here(url) else None,
    )


def ollama_url(host: str) -> str:
    """Return the address that a value of OLLAMA_HOST means for somebody who wants to ask it.

    Args:
        host: a host, ``host:port`` or an address; "" means Ollama's default. A server told to
            listen everywhere (0.0.0.0) is asked on loopback. Read as Ollama's client reads it
            (envconfig.Host, checked 2026-11): port 11434 unless another is said.
    """
    text = host.strip().rstrip("/")
    if not text:
        return OLLAMA_URL
    scheme, marker, rest = text.partition("://")
    try:
        parts = urlsplit(text if marker else f"http://{text}")
        name, port = parts.hostname or "127.0.0.1", parts.port
    except ValueError:
        return OLLAMA_URL
    if name in {"0.0.0.0", "::"}:  # noqa: S104 - compared with, not bound to
        name = "127.0.0.1"
    default = {"http": 80, "https": 443}.get(scheme, 11434) if marker and rest else 11434
    shown = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{shown}:{port or default}{parts.path}"


def memory_bytes() -> int | None:
    """Return the machine's memory; None where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


async def _ask_ollama(
    url: str, http: "httpx.AsyncClient"
) -> tuple[tuple[FoundModel, ...] | None, str | None]:
    import httpx  # noqa: PLC0415 - heavy

    try:
        answer = await http.get(f"{url}/api/tags", timeout=_ANSWER_SECONDS)
        answer.raise_for_status()
        entries = answer.json()["models"]
        listed = [entry for entry in entries if _NAME.fullmatch(entry["name"])]
    except httpx.TimeoutException:
        return None, f"Ollama at {url} did not answer within {_ANSWER_SECONDS:g} s."
    except httpx.HTTPStatusError as error:
        return None, f"{url} answered {error.response.status_code} and is no Ollama."
    except (httpx.ConnectError, httpx.InvalidURL):
        return None, f"Nothing answers at {url}; `ollama serve` starts Ollama."
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None, f"What answers at {url} is no Ollama."
    described = [_describe(url, http, entry) for entry in listed[:_MOST_MODELS]]
    return tuple(await asyncio.gather(*described)), None


async def _describe(url: str, http: "httpx.AsyncClient", entry: Mapping[str, Any]) -> FoundModel:
    import httpx  # noqa: PLC0415 - heavy

    name, size = entry["name"], entry.get("size")
    try:
        answer = await http.post(f"{url}/api/show", json={"model": name}, timeout=_ANSWER_SECONDS)
        details = answer.json() if answer.is_success else {}
    except (httpx.HTTPError, ValueError):
        details = {}
    details = details if isinstance(details, dict) else {}
    capabilities = details.get("capabilities")
    return FoundModel(
        name=name,
        size_bytes=size if isinstance(size, int) else 0,
        capabilities=frozenset(map(str, capabilities)) if isinstance(capabilities, list) else None,
        context=_trained_context(details.get("model_info")),
        remote=bool(entry.get("remote_host")) or name.endswith(("-cloud", ":cloud")),
        cache_bytes_per_token=_cache_bytes(details.get("model_info")),
    )


def _trained_context(info: Any) -> int | None:
    for key, value in info.items() if isinstance(info, dict) else ():
        if str(key).endswith(".context_length") and isinstance(value, int):
            return value
    return None


def _cache_bytes(info: Any) -> int | None:
    """Return keys and values of one token in 16 bits, by a GGUF file's own description.

    The names are those of the GGUF specification (``ARCH.block_count``, ``ARCH.attention.*``,
    checked 2026-11). Layers that look back only a little make the truth smaller, never larger.
    """
    shape = info if isinstance(info, dict) else {}
    layers = _number(shape, ".block_count")
    heads = _number(shape, ".attention.head_count")
    width = _number(shape, ".embedding_length")
    of_head = width // heads if width and heads else None
    keys = _number(shape, ".attention.key_length") or of_head
    values = _number(shape, ".attention.value_length") or keys
    own = _number(shape, ".attention.head_count_kv") or heads
    if not (layers and own and keys and values):
        return None
    return 2 * layers * own * (keys + values)


def _number(shape: Mapping[str, Any], ending: str) -> int | None:
    """Return a positive number of a shape; of a list with one for each layer, the largest."""
    value = next((value for key, value in shape.items() if str(key).endswith(ending)), None)
    numbers = value if isinstance(value, list) else [value]
    found = [n for n in numbers if isinstance(n, int) and not isinstance(n, bool) and n > 0]
    return max(found, default=None)


def _is_here(url: str) -> bool:
    return urlsplit(url).hostname in {"127.0.0.1", "::1", "localhost"}
