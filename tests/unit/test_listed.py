import pytest

from noctule.core.settings import EndpointKind, ModelSettings
from noctule.models.base.client import PresentModel
from noctule.models.capabilities.model_lookup import find_listed
from noctule.models.clients.openai.catalogue import present_models


@pytest.mark.parametrize(
    ("entry", "version"),
    [
        ({"id": "gpt", "created": 1715367049, "owned_by": "system"}, ""),
        ({"id": "a/b", "canonical_slug": "a/b-2026-01-01"}, "a/b-2026-01-01"),
        ({"id": "m", "root": "/weights/m"}, "/weights/m"),
        ({"id": "m", "meta": {"n_params": 134515008, "size": 91721472}}, "134515008:91721472"),
        ({"id": "m", "digest": "sha256:abc"}, "sha256:abc"),
        ({"id": "m", "root": None, "size": 0}, ""),
    ],
)
def test_a_list_tells_versions_where_it_knows_them(entry, version):
    """Slugs, paths, sizes and digests; never the time, which many servers make up."""
    [model] = present_models({"data": [entry]})
    assert model.version == version


@pytest.mark.parametrize(
    ("kind", "name", "found"),
    [
        (EndpointKind.OLLAMA, "qwen", "qwen:latest"),
        (EndpointKind.OLLAMA, "qwen:7b", None),
        (EndpointKind.ANTHROPIC, "claude-haiku", "claude-haiku-20251001"),
        (EndpointKind.OPENAI, "gpt-oss", "openai/gpt-oss"),
        (EndpointKind.EMBEDDED, "claude-haiku", None),
    ],
)
def test_a_configured_name_finds_what_is_listed(kind, name, found):
    """Tags for Ollama, dates and folders for hosts, and the name itself everywhere."""
    listed = [PresentModel(n) for n in ("qwen:latest", "claude-haiku-20251001", "openai/gpt-oss")]
    there = find_listed(ModelSettings(endpoint="e", name=name), kind, listed)
    assert (None if there is None else there.name) == found
