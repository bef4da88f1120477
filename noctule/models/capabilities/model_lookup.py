"""Listed: which of the models an endpoint says it has is the one that is configured."""

from collections.abc import Sequence

from noctule.core.settings import EndpointKind, ModelSettings
from noctule.models.base.client import PresentModel

_HOSTED = frozenset({EndpointKind.OPENAI, EndpointKind.ANTHROPIC})


def find_listed(
    model: ModelSettings, kind: EndpointKind, present: Sequence[PresentModel]
) -> PresentModel | None:
    """Return a model among those an endpoint has; None when it is not there.

    Ollama means ``:latest`` where no tag is written. Hosts list dated names behind short ones
    and put folders before them.
    """
    wanted = _tagged(model.name) if kind is EndpointKind.OLLAMA else model.name
    for found in present:
        if found.name == wanted or (kind is EndpointKind.OLLAMA and _tagged(found.name) == wanted):
            return found
    if kind not in _HOSTED:
        return None
    alike = [p for p in present if p.name.startswith(wanted) or p.name.endswith(f"/{wanted}")]
    return alike[0] if alike else None


def _tagged(name: str) -> str:
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"
