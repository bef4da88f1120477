"""Which of Ollama's models should do what, judged by name, size and what they say they can."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from noctule.setup.discover import FoundModel

_GB = 1_000_000_000
_ROUTES_FROM = 1.5 * _GB  # smaller ones guess when they should decide
_SHARE = 0.75  # of the memory; the rest is for contexts and everything else that runs
_CODER = re.compile(r"code|devstral", re.IGNORECASE)
_NO_CHAT = re.compile(r"embed|rerank|\bbge|minilm", re.IGNORECASE)

# Its template mentions tools, but it writes the call as text.
_SAYS_TOOLS_IN_VAIN = re.compile(r"^qwen2\.5-coder", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Picked:
    """Models by what they are to do; the same one may stand in several places.

    Wherever one of them calls tools, all but ``strong`` do.

    Args:
        quick: decides, chats and converts: the smallest that does it well.
        coder: writes code.
        able: finds things out: the best with tools that fits beside the others.
        strong: thinks and writes: the best that fits beside the others.
        left: the rest that could answer, by name.
    """

    quick: FoundModel
    coder: FoundModel
    able: FoundModel
    strong: FoundModel
    left: tuple[str, ...] = ()

    @property
    def models(self) -> tuple[FoundModel, ...]:
        """Each picked model once."""
        return tuple(dict.fromkeys((self.quick, self.coder, self.able, self.strong)))


def pick(models: Sequence[FoundModel], memory_bytes: int | None) -> Picked | None:
    """Choose among what Ollama has; None when nothing there can answer.

    All that is picked fits into the machine's memory together, as far as that can be: models that
    push each other out make every second call wait for a model to load.

    Args:
        models: what Ollama has.
        memory_bytes: the machine's memory; None means that everything fits.
    """
    usable = sorted((m for m in models if _answers(m)), key=lambda m: (m.size_bytes, m.name))
    if not usable:
        return None
    room = memory_bytes * _SHARE if memory_bytes else float("inf")
    fitting = [m for m in usable if m.size_bytes <= room] or usable[:1]
    calling = [m for m in fitting if calls_tools(m)] or fitting
    general = [m for m in calling if not is_coder(m)] or calling
    quick = next((m for m in general if m.size_bytes >= _ROUTES_FROM), general[-1])
    room -= quick.size_bytes
    coder = _largest([m for m in calling if is_coder(m)], quick, room)
    room -= 0 if coder is quick else coder.size_bytes
    writers = [m for m in fitting if not is_coder(m) and m.size_bytes >= quick.size_bytes]
    strong = _largest(writers, quick, room)
    able = strong if calls_tools(strong) else quick
    if coder is quick:
        coder = able
    taken = {model.name for model in (quick, coder, able, strong)}
    return Picked(quick, coder, able, strong, tuple(m.name for m in usable if m.name not in taken))


def is_coder(model: FoundModel) -> bool:
    """Whether a model was made for code, by its name."""
    return bool(_CODER.search(model.name))


def calls_tools(model: FoundModel) -> bool:
    """Whether it is worth offering tools to; a proof decides later."""
    if _SAYS_TOOLS_IN_VAIN.search(model.name):
        return False
    return model.capabilities is None or "tools" in model.capabilities


def _answers(model: FoundModel) -> bool:
    if model.remote:
        return False
    if model.capabilities is not None:
        return "completion" in model.capabilities
    return not _NO_CHAT.search(model.name)


def _largest(models: Sequence[FoundModel], otherwise: FoundModel, room: float) -> FoundModel:
    fitting = [m for m in models if m is otherwise or m.size_bytes <= room]
    return fitting[-1] if fitting else otherwise
