"""How a GGUF file is served."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen when a request does not say.

    Args:
        temperature: 0 always takes the likeliest.
        top_p: only the likeliest tokens that add up to this share; 1 takes all.
        repeat_penalty: above 1 makes what was said lately less likely; 1 does nothing.
    """

    temperature: float
    top_p: float
    repeat_penalty: float


PACKAGED_SAMPLING = Sampling(temperature=0.2, top_p=0.9, repeat_penalty=1.05)
"""For SmolLM2-135M: without the penalty it repeats a sentence until it is stopped, from 1.1 on it
bends words and facts to avoid one (thirty answers compared, 2026-11)."""


@dataclass(frozen=True, slots=True)
class EmbeddedOptions:
    """How a GGUF file is served.

    Args:
        weights: the GGUF file; None means the packaged SmolLM2-135M-Instruct.
        chat_template: the Jinja file that turns messages into the model's text and tells llama.cpp
            how it writes its calls; None means the one in the GGUF file.
        alias: the name the server gives the model; without one it would tell the file's path.
        slots: replies generated at once; they share the cores.
        context_tokens: context window of each slot, prompt and answer together. llama.cpp
            allots all slots at start: SmolLM2 takes 23 KB a token, so 2 slots of 8192 make a
            process of 520 MB (2 of 2048: 245 MB).
        threads: compute threads; None means llama.cpp's choice, the physical cores.
        cache_mib: memory for prompts seen before, in MiB, on top of the slots; 0 keeps none.
            llama.cpp's own default is 8192. With 256 a second round over five system prompts
            took 2.4 s instead of 7.5 (two cores, checked 2026-11).
        default_max_tokens: the answer's bound when a request names none; 0 means no bound but
            the context, which a small model is likely to fill.
        sampling: how a token is chosen by requests that do not say; None means what suits the
            packaged model, or for another file llama.cpp's or the file's own choice.
        verbosity: what llama.cpp writes to the log: 0 nothing, 1 errors, 2 warnings, 3 every
            request, 4 and more for its own developers.
    """

    weights: Path | None = None
    chat_template: Path | None = None
    alias: str = "embedded"
    slots: int = 2
    context_tokens: int = 8192
    threads: int | None = None
    cache_mib: int = 256
    default_max_tokens: int = 512
    sampling: Sampling | None = None
    verbosity: int = 1
