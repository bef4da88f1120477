from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from noctule.core.base.roles import Role
from noctule.core.settings import Settings, find_problems
from noctule.core.settings.fields import every_field, keys_under, match

ROLE = {"primary": "a"}


def settings(**changes):
    """Build settings out of sound ones with some keys replaced."""
    sound = {
        "endpoints": {
            "one": {"kind": "ollama"},
            "two": {"kind": "openai", "url": "https://two.example/v1", "key": "k"},
        },
        "models": {
            "a": {"endpoint": "one", "name": "a1"},
            "b": {"endpoint": "two", "name": "b1"},
            "c": {"endpoint": "two", "name": "c1"},
        },
        "roles": {role.value: ROLE for role in Role},
    }
    return Settings.model_validate(sound | changes)


def roles(**changes):
    """Build six bindings, some of them replaced."""
    return {role.value: ROLE for role in Role} | changes


def found(**changes):
    """Return where something is wrong between sections."""
    return [".".join(finding.path) for finding in find_problems(settings(**changes))]


def test_sound_settings_have_no_problems():
    """Settings in which every name exists are sound."""
    assert found(roles=roles(chat={"primary": "a", "fallback": ["b", "c"], "escalate": "b"})) == []


@pytest.mark.parametrize(
    ("binding", "where"),
    [
        ({"primary": "x"}, ["roles.chat.primary"]),
        ({"primary": "a", "fallback": "x"}, ["roles.chat.fallback"]),
        ({"primary": "a", "escalate": "x"}, ["roles.chat.escalate"]),
        ({"primary": "a", "fallback": "a"}, ["roles.chat.fallback"]),
        ({"primary": "a", "fallback": ["b", "c", "b"]}, ["roles.chat.fallback"]),
        ({"primary": "a", "escalate": "a"}, ["roles.chat.escalate"]),
        ({"primary": "b", "fallback": "c", "private": True}, ["roles.chat.private"]),
        ({"primary": "b", "fallback": "a", "private": True}, []),
    ],
)
def test_bindings_name_models_that_exist_and_differ(binding, where):
    """Unknown names, a fallback that is the primary and circles are found where they stand."""
    assert found(roles=roles(chat=binding)) == where


def test_a_twin_under_another_name_is_no_fallback():
    """Two names for the same model of the same endpoint are not each other's fallback."""
    models: dict[str, dict[str, Any]] = {
        name: {"endpoint": "one", "name": "same"} for name in ("a", "b")
    }
    binding = {"primary": "a", "fallback": "b"}
    assert found(models=models, roles=roles(chat=binding)) == ["roles.chat.fallback"]
    models["b"] = models["b"] | {"extra_body": {"provider": {"sort": "price"}}}
    assert found(models=models, roles=roles(chat=binding)) == []


@pytest.mark.parametrize(
    ("endpoint", "where"),
    [
        ({"kind": "openai"}, ["key"]),
        ({"kind": "openai", "url": "http://127.0.0.1:8000/v1"}, []),
        ({"kind": "anthropic"}, ["key"]),
        ({"kind": "ollama", "url": "127.0.0.1:11434"}, ["url"]),
        ({"kind": "ollama", "url": "http://[half"}, ["url"]),
        ({"kind": "ollama", "url": "http://me:word@127.0.0.1"}, ["url"]),
        ({"kind": "embedded", "url": "http://127.0.0.1"}, ["url"]),
        ({"kind": "ollama", "headers": {"Authorization": "x"}}, ["headers.Authorization"]),
        ({"kind": "ollama", "window": {"length": "5h", "timezone": "Nowhere"}}, ["window"]),
        (
            {"kind": "ollama", "window": {"kind": "aligned", "length": "5h", "anchor": "x"}},
            ["window"],
        ),
        ({"kind": "ollama", "window": {"kind": "aligned", "length": "50h"}}, ["window"]),
        ({"kind": "ollama", "window": {"kind": "aligned", "length": "week"}}, []),
    ],
)
def test_endpoints_make_sense(endpoint, where):
    """Addresses, keys, headers and windows that cannot work are found before the first call."""
    endpoints = {"one": endpoint, "two": {"kind": "openai", "key": "k"}}
    assert found(endpoints=endpoints) == [f"endpoints.one.{key}" for key in where]


def test_an_unused_endpoint_needs_no_key():
    """A key is asked for only where a role may use it."""
    endpoints = {"one": {"kind": "ollama"}, "two": {"kind": "anthropic"}}
    assert found(endpoints=endpoints) == []
    binding = {"primary": "a", "fallback": "b"}
    assert found(endpoints=endpoints, roles=roles(chat=binding)) == ["endpoints.two.key"]


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"timezone": "Europe/Berln"}, "timezone"),
        ({"timezone": "../etc/passwd"}, "timezone"),
        ({"default_role": "orchestrator"}, "default_role"),
        ({"storage": {"url": "mysql://h/d"}}, "storage.url"),
        ({"storage": {"url": "sqlite://"}}, "storage.url"),
        ({"parking": {"quiet_hours": ["22:00", "7"]}}, "parking.quiet_hours"),
        ({"telegram": {"base_url": "api.telegram.org"}}, "telegram.base_url"),
        ({"models": {"a": {"endpoint": "nine", "name": "n"}}}, "models.a.endpoint"),
    ],
)
def test_general_settings_make_sense(changes, where):
    """Zones, times, addresses and names that do not exist are found."""
    assert found(**changes) == [where]


@pytest.mark.parametrize("url", ["sqlite", "sqlite:///x.db", "postgresql://h/d", "postgres://h/d"])
def test_databases_that_are_known(url):
    """SQLite in the data folder or elsewhere, and PostgreSQL, are accepted."""
    assert found(storage={"url": url}) == []


@pytest.mark.parametrize(
    ("url", "local"),
    [
        (None, True),
        ("http://localhost:11434", True),
        ("http://192.168.1.5:11434", True),
        ("http://[::1]:11434", True),
        ("http://box.lan", True),
        ("https://ollama.com", False),
        ("http://8.8.8.8", False),
    ],
)
def test_ollama_is_local_on_private_addresses(url, local):
    """An Ollama counts as local on this machine and its private network, nowhere else."""
    endpoint = {"kind": "ollama", "url": url}
    assert settings(endpoints={"one": endpoint, "two": {"kind": "embedded"}}).is_local("a") is local


def test_model_says_itself_when_it_is_not_local():
    """A model's own word goes before its endpoint's: Ollama's cloud models are not local."""
    models = {"a": {"endpoint": "one", "name": "glm:cloud", "local": False}}
    assert settings(models=models).is_local("a") is False


def test_settings_do_not_change_and_do_not_tell():
    """Sections are frozen, and their repr holds no secret."""
    made = settings(storage={"url": "postgresql://u:hunter2@h/d"})
    assert "hunter2" not in repr(made)
    with pytest.raises(ValueError, match="frozen"):
        made.storage.url = SecretStr("sqlite")


def test_prices_are_exact():
    """A price written as a number keeps its digits."""
    models = {"a": {"endpoint": "one", "name": "n", "price": {"input": 0.1, "output": "0.30"}}}
    price = settings(models=models).models["a"].price
    assert price is not None
    assert (price.input, price.output) == (Decimal("0.1"), Decimal("0.30"))


def test_every_field_is_documented():
    """Every field says what it means, and what being unset and being 0 mean where it may be."""
    assert [fault for field in every_field() for fault in undocumented(field)] == []


def undocumented(field):
    """Yield what the text of a field does not say."""
    doc = " ".join(field.doc.split())
    if not doc.endswith((".", "``")):
        yield f"{field.dotted} ends without a full stop"
    unset = not field.required and field.default is None and field.section is None
    listed = field.words.startswith(("a list", "keys"))
    if unset and not listed and "Unset means" not in doc and "Overrides" not in doc:
        yield f"{field.dotted} does not say what being unset means"
    zero_allowed = field.words.endswith(", at least 0") or field.words == "a duration like 1h30m"
    if zero_allowed and "0" not in doc:
        yield f"{field.dotted} does not say what 0 means"


def test_fields_are_found_by_the_path_in_a_file():
    """A path of a file leads to its field, past names of the person's choice."""
    known, field = match(("endpoints", "cloud", "window", "length", "literal"))
    assert (known, field.dotted) == (4, "endpoints.*.window.length")
    assert match(("nonsense",)) == (0, None)
    assert match(("models", "x"))[0] == 2
    assert "primary" in keys_under(("roles", "chat"))
    assert "kind" in keys_under(("endpoints", "x"))
    assert keys_under(("endpoints",)) == ()
    assert keys_under(("endpoints", "x", "headers")) == ()
