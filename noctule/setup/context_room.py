"""How long a context fits into memory beside the models: Ollama sets all of it aside at loading."""

from collections.abc import Sequence

from noctule.setup.discover import FoundModel

_SHARE = 0.85
"""Of the memory, for models and contexts; the rest is for everything else that runs."""

_LEAST = 4096
"""Below this no agent can work, so it is tried even where memory is short."""

_MOST = 131_072
"""Reading a prompt longer than this takes minutes on a machine of one's own."""

_MOST_UNTOLD = 16_384
"""The most where the model, or the machine's memory, is not known."""

_STEP = 1024
_WEIGHT_BYTES_PER_CACHE_BYTE = 36_000
"""Of an 8B model with grouped attention: 4.7 GB of weights, 128 KiB of cache a token (32 layers, 8
heads of 128, keys and values, 16 bits)."""

_CACHE_BYTES = (64 * 1024, 400 * 1024)
"""The least and the most a token is taken to need where the model does not say."""


def context_of(model: FoundModel, beside: Sequence[FoundModel], memory_bytes: int | None) -> int:
    """Return the context to load a model with, in tokens.

    Args:
        model: which.
        beside: all models that are to stay loaded, this one among them.
        memory_bytes: of the machine they run on; None when it is not known.
    """
    longest = model.context or _MOST_UNTOLD
    if memory_bytes is None:
        return max(min(longest, _MOST_UNTOLD), 256)
    room = memory_bytes * _SHARE - sum(one.size_bytes for one in beside)
    fitting = int(room / len(beside) / cache_bytes(model))
    tokens = min(longest, _MOST, max(fitting, _LEAST))
    return max(tokens // _STEP * _STEP, min(longest, _STEP), 256)


def cache_bytes(model: FoundModel) -> int:
    """Return what a token of context takes: as the model's shape says, else judged by its size."""
    if model.cache_bytes_per_token:
        return model.cache_bytes_per_token
    least, most = _CACHE_BYTES
    return min(max(model.size_bytes // _WEIGHT_BYTES_PER_CACHE_BYTE, least), most)
