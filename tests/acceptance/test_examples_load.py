import re
from pathlib import Path

import pytest

from noctule.config import load, require_telegram
from noctule.core.base.roles import Role
from noctule.core.errors import ConfigError
from noctule.core.settings import EndpointKind
from noctule.core.settings.root import RouteBy

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples/configs").glob("*.yaml"))
KEYS = {
    "ANTHROPIC_API_KEY": "test-key-of-anthropic",
    "OPENROUTER_API_KEY": "test-key-of-openrouter",
    "FLATRATE_API_KEY": "test-key-of-a-host",
    "TELEGRAM_BOT_TOKEN": "test-token",
}


@pytest.mark.parametrize("path", [ROOT / "config.yaml", *EXAMPLES], ids=lambda path: path.name)
def test_shipped_configuration_is_sound(path):
    """Every configuration that ships loads without a problem once its variables are set."""
    loaded = load(path, environ=KEYS, cwd=ROOT)
    assert loaded.path == path
    assert loaded.absent == ()


@pytest.mark.parametrize("path", [ROOT / "config.yaml", *EXAMPLES], ids=lambda path: path.name)
def test_shipped_configuration_asks_for_its_variables(path):
    """Without its variables a shipped configuration names exactly those, and nothing else."""
    written = [line.split("#")[0] for line in path.read_text().splitlines()]
    wanted = set(re.findall(r"\$\{(\w+)\}", "\n".join(written)))
    if not wanted:
        assert load(path, environ={}, cwd=ROOT).settings
        return
    with pytest.raises(ConfigError) as caught:
        load(path, environ={}, cwd=ROOT)
    assert {name for name in KEYS if name in str(caught.value)} == wanted
    assert len(caught.value.problems) == len(wanted)


def test_readme_lists_every_example():
    """The README beside the examples names each of them."""
    readme = (ROOT / "examples/configs/README.md").read_text()
    assert [path.name for path in EXAMPLES if f"`{path.name}`" not in readme] == []


def test_default_needs_nothing_but_ollama():
    """The configuration at the top starts without any variable, on local models alone."""
    settings = load(ROOT / "config.yaml", environ={}, cwd=ROOT).settings
    assert {endpoint.kind for endpoint in settings.endpoints.values()} == {EndpointKind.OLLAMA}
    assert len(settings.models) == 2


@pytest.mark.parametrize("path", [ROOT / "config.yaml", *EXAMPLES], ids=lambda path: path.name)
def test_no_role_with_tools_is_bound_to_a_model_without(path):
    """A role with tools has no model that is known to write its calls as text."""
    loaded = load(path, environ=KEYS, cwd=ROOT).settings
    if loaded.route_by is RouteBy.RULES:  # the demo's one model
        return
    coders = {
        name
        for name, model in loaded.models.items()
        if "coder" in model.name and loaded.endpoints[model.endpoint].kind is EndpointKind.OLLAMA
    }
    wrong = [
        (role.value, name)
        for role, binding in loaded.roles.items()
        if binding.tools != () and role is not Role.ORCHESTRATOR
        for name in binding.models
        if loaded.models[name].tools is False or name in coders
    ]
    assert wrong == []


def test_default_works_with_its_cloud_and_telegram_parts(tmp_path):
    """Taking the # away where the comments say so gives a sound configuration as well."""
    text = (ROOT / "config.yaml").read_text()
    text = re.sub(r"(?m)^  # (cloud|haiku|opus|research|writer): ", r"  \1: ", text)
    text = re.sub(r"(?m)^  (research|writer): +#.*\n(?:    .*\n)+", "", text)
    before, mark, after = text.partition("# telegram:")
    file = tmp_path / "config.yaml"
    file.write_text(before + re.sub(r"(?m)^# ", "", mark + after))
    loaded = load(file, environ=KEYS, cwd=tmp_path)
    research = loaded.settings.roles.research
    assert (research.primary, research.fallback, research.escalate) == ("haiku", ("qwen",), "opus")
    assert research.budget is not None
    assert require_telegram(loaded).allow == ()


def test_demo_needs_nothing_at_all():
    """The demo runs every role on the packaged model, without a variable or an address."""
    settings = load(ROOT / "examples/configs/demo.yaml", environ={}, cwd=ROOT).settings
    assert {endpoint.kind for endpoint in settings.endpoints.values()} == {EndpointKind.EMBEDDED}
    assert {name for _, role in settings.roles.items() for name in role.models} == {"smol"}
    assert settings.route_by is RouteBy.RULES
    assert all(role.max_tokens for _, role in settings.roles.items())
