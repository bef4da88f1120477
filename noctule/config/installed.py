"""Whether what a configuration asks for is installed: found at the start, not in the night."""

from collections.abc import Iterator

from noctule.config.document import KeyPath
from noctule.core.base import extras
from noctule.core.base.extras import Extra, Gap
from noctule.core.settings import EndpointKind
from noctule.core.settings.parts import Parts


def gaps(parts: Parts) -> Iterator[tuple[KeyPath, Gap]]:
    """Yield the keys that ask for something that is not installed.

    Args:
        parts: the configuration. Endpoints that no role uses need nothing.
    """
    for name in parts.bound_endpoints():
        endpoint = parts.endpoints.get(name)
        found = None
        if endpoint is not None and endpoint.kind is EndpointKind.ANTHROPIC:
            found = extras.gap(Extra.ANTHROPIC)
        if endpoint is not None and endpoint.kind is EndpointKind.EMBEDDED:
            found = extras.embedded_gap(packaged=endpoint.weights is None)
        if found is not None:
            yield ("endpoints", name, "kind"), found
    if parts.storage.is_postgres and (found := extras.gap(Extra.POSTGRES)):
        yield ("storage", "url"), found
    if parts.tools.mcp and (found := extras.gap(Extra.MCP)):
        yield ("tools", "mcp"), found
